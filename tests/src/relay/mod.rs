//! A network between members that is as bad as one asks for: an impairing UDP relay on this machine, without privileges.
//!
//! Each member listens on a *real* address; what the others call is its *front*, a socket of the relay. Whose datagram it is
//! follows from the address that it comes from, for whom it is from the front that it comes to, and it travels on from the
//! sender's own front. So every member sees each other member at one address, the one that the manifest names, and a
//! transport that pins addresses has nothing to object to:
//!
//! ```text
//! member i (real i) --> front j --[ delay, loss, cut .. of the link i -> j ]--> from front i --> member j (real j)
//! ```
//!
//! Each of the `n * (n - 1)` directed links is impaired by itself ([`Impairment`]) and can be cut, both at any time. Jitter
//! reorders. What happens to a link's k-th datagram depends on the seed, the link and k alone. Who is no member is not
//! relayed.
//!
//! One thread waits at each front, and one more holds the datagrams that are under way.

mod link;
mod options;
mod post;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, MutexGuard},
    thread::{self, JoinHandle},
};

pub use link::{Chance, Counters, Impairment, ImpairmentError};
pub use options::ImpairmentArgs;
use post::{Post, State};

/// One member's two addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Where the others call it: an address for the relay to listen on; port 0 lets the system choose.
    pub front: SocketAddr,
    /// Where it listens, and what it sends from.
    pub real: SocketAddr,
}

/// A running relay; it ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    post: Arc<Post>,
    fronts: Vec<SocketAddr>,
    seed: u64,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Starts to relay between members, over links without impairment.
    ///
    /// # Errors
    /// A front that cannot be listened on, two members with one real address, or no thread to be had.
    pub fn start(seats: &[Seat], seed: u64) -> io::Result<Self> {
        let post = Arc::new(Post::open(seats, seed)?);
        let mut relay = Self {
            fronts: post.fronts()?,
            seed,
            threads: Vec::new(),
            post,
        };
        for front in 0..seats.len() {
            relay.spawn(format!("front-{front}"), move |post| post.receive(front))?;
        }
        relay.spawn("relay".to_owned(), Post::deliver)?;
        Ok(relay)
    }

    fn spawn(&mut self, name: String, work: impl FnOnce(&Post) + Send + 'static) -> io::Result<()> {
        let post = Arc::clone(&self.post);
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || work(&post))?;
        self.threads.push(thread);
        Ok(())
    }

    /// The members' fronts, in order.
    pub fn fronts(&self) -> &[SocketAddr] {
        &self.fronts
    }

    /// What chance follows from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Impairs one link from now on; datagrams under way keep their time.
    ///
    /// # Errors
    /// A link that does not exist.
    pub fn impair(&self, from: usize, to: usize, impairment: Impairment) -> Result<(), NoSuchLink> {
        self.link(from, to, |link| link.impairment = impairment)
    }

    /// Impairs every link from now on.
    pub fn impair_all(&self, impairment: Impairment) {
        let mut state = self.state();
        for (_, link) in state.links_mut() {
            link.impairment = impairment;
        }
    }

    /// Lets nothing more through on one link, in this direction; datagrams under way arrive.
    ///
    /// # Errors
    /// A link that does not exist.
    pub fn cut(&self, from: usize, to: usize) -> Result<(), NoSuchLink> {
        self.link(from, to, |link| link.cut = true)
    }

    /// Mends one link.
    ///
    /// # Errors
    /// A link that does not exist.
    pub fn mend(&self, from: usize, to: usize) -> Result<(), NoSuchLink> {
        self.link(from, to, |link| link.cut = false)
    }

    /// Cuts every link between members of different sets and mends those within one; members that no set names are a set of
    /// their own.
    pub fn partition(&self, sets: &[&[usize]]) {
        let set_of = |member: usize| sets.iter().position(|set| set.contains(&member));
        let mut state = self.state();
        for ((from, to), link) in state.links_mut() {
            link.cut = set_of(from) != set_of(to);
        }
    }

    /// Mends every link.
    pub fn heal(&self) {
        self.partition(&[]);
    }

    /// What one link has done.
    ///
    /// # Errors
    /// A link that does not exist.
    pub fn counters(&self, from: usize, to: usize) -> Result<Counters, NoSuchLink> {
        self.link(from, to, |link| link.counters)
    }

    /// What all links together have done.
    pub fn total(&self) -> Counters {
        let mut state = self.state();
        state.links_mut().map(|(_, link)| link.counters).sum()
    }

    /// Datagrams of senders that are no members.
    pub fn strangers(&self) -> u64 {
        self.state().strangers
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.post.state()
    }

    fn link<T>(
        &self,
        from: usize,
        to: usize,
        act: impl FnOnce(&mut link::Link) -> T,
    ) -> Result<T, NoSuchLink> {
        let members = self.fronts.len();
        let mut state = self.state();
        let link = state.link_mut(from, to);
        link.map(act).ok_or(NoSuchLink { from, to, members })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.post.close();
        for thread in self.threads.drain(..) {
            // A panic there has been reported, and must not become one here.
            let _ = thread.join();
        }
    }
}

/// A link that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSuchLink {
    /// The sender.
    pub from: usize,
    /// The receiver.
    pub to: usize,
    /// How many members there are.
    pub members: usize,
}

impl std::fmt::Display for NoSuchLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, to, members } = self;
        let last = members.saturating_sub(1);
        write!(
            f,
            "no link {from} -> {to}: must be two different members from 0 to {last}"
        )
    }
}

impl std::error::Error for NoSuchLink {}

#[cfg(test)]
mod tests;
