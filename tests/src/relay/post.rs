//! The relay's sockets and the datagrams under way.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap},
    io,
    net::{SocketAddr, UdpSocket},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Seat, link::Link};

/// No datagram is longer.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;
/// Bytes under way at once; what comes beyond is dropped and counted. 256 MiB/s at 250 ms.
const UNDER_WAY_BYTES_MAX: usize = 64 << 20;
/// After a socket that refuses to receive, so that the thread does not spin.
const PAUSE: Duration = Duration::from_millis(5);

/// What the relay's threads share.
#[derive(Debug)]
pub(super) struct Post {
    fronts: Vec<UdpSocket>,
    reals: Vec<SocketAddr>,
    member_of: HashMap<SocketAddr, usize>,
    state: Mutex<State>,
    /// The next datagram that is due has changed, or the relay closes.
    changed: Condvar,
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    /// By sender, then receiver; the links of members to themselves are there, and not used.
    links: Vec<Vec<Link>>,
    under_way: BinaryHeap<Flight>,
    under_way_bytes: usize,
    next_number: u64,
    pub(super) strangers: u64,
    closed: bool,
}

/// A datagram under way.
#[derive(Debug)]
struct Flight {
    due: Instant,
    /// Datagrams are numbered as they come.
    number: u64,
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

impl Ord for Flight {
    /// The greatest is the one that is due first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Flight {}

impl State {
    pub(super) fn link_mut(&mut self, from: usize, to: usize) -> Option<&mut Link> {
        let link = self.links.get_mut(from)?.get_mut(to)?;
        (from != to).then_some(link)
    }

    /// Every link with its two ends.
    pub(super) fn links_mut(&mut self) -> impl Iterator<Item = ((usize, usize), &mut Link)> {
        let rows = self.links.iter_mut().enumerate();
        let links = rows.flat_map(|(from, row)| {
            let ends = row.iter_mut().enumerate();
            ends.map(move |(to, link)| ((from, to), link))
        });
        links.filter(|((from, to), _)| from != to)
    }

    /// Sends a datagram on its way; true if it is the next one that is due.
    fn accept(&mut self, now: Instant, from: usize, to: usize, bytes: &[u8]) -> bool {
        let room = UNDER_WAY_BYTES_MAX.saturating_sub(self.under_way_bytes);
        let number = self.next_number;
        self.next_number += 1;
        let Some(link) = self.link_mut(from, to) else {
            self.strangers += 1;
            return false;
        };
        let fate = link.fate();
        if bytes.len().saturating_mul(fate.copies().count()) > room {
            link.counters.overflowed += 1;
            return false;
        }
        let mut is_next = false;
        for time in fate.copies() {
            let due = now + time;
            is_next |= self.under_way.peek().is_none_or(|next| due < next.due);
            self.under_way_bytes += bytes.len();
            self.under_way.push(Flight {
                due,
                number,
                from,
                to,
                bytes: bytes.to_vec(),
            });
        }
        is_next
    }

    /// Takes what is due.
    fn arrivals(&mut self, now: Instant) -> Vec<Flight> {
        let mut due = Vec::new();
        while self.under_way.peek().is_some_and(|next| next.due <= now) {
            let Some(flight) = self.under_way.pop() else {
                break;
            };
            let (from, to, bytes) = (flight.from, flight.to, flight.bytes.len());
            self.under_way_bytes -= bytes;
            if let Some(link) = self.link_mut(from, to) {
                link.handed_over(flight.number, bytes);
            }
            due.push(flight);
        }
        due
    }
}

impl Post {
    pub(super) fn open(seats: &[Seat], seed: u64) -> io::Result<Self> {
        let mut fronts = Vec::new();
        let mut member_of = HashMap::new();
        for (member, seat) in seats.iter().enumerate() {
            let front = UdpSocket::bind(seat.front);
            let named = |e: io::Error| {
                let text = format!("front {} of member {member}: {e}", seat.front);
                io::Error::new(e.kind(), text)
            };
            fronts.push(front.map_err(named)?);
            if let Some(other) = member_of.insert(seat.real, member) {
                let text = format!("members {other} and {member} both listen on {}", seat.real);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        let members = 0..seats.len();
        let row = |from| {
            members
                .clone()
                .map(|to| Link::new(seed, from, to))
                .collect()
        };
        Ok(Self {
            fronts,
            reals: seats.iter().map(|seat| seat.real).collect(),
            member_of,
            state: Mutex::new(State {
                links: members.clone().map(row).collect(),
                under_way: BinaryHeap::new(),
                under_way_bytes: 0,
                next_number: 1,
                strangers: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        })
    }

    pub(super) fn fronts(&self) -> io::Result<Vec<SocketAddr>> {
        self.fronts.iter().map(UdpSocket::local_addr).collect()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Numbers and a heap: there is nothing that a panic elsewhere could leave half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what comes to a member's front, until the relay closes.
    pub(super) fn receive(&self, to: usize) {
        let Some(front) = self.fronts.get(to) else {
            return;
        };
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let received = front.recv_from(&mut buffer);
            let mut state = self.state();
            if state.closed {
                return;
            }
            let Ok((length, source)) = received else {
                drop(state);
                std::thread::sleep(PAUSE);
                continue;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            let is_next = match self.member_of.get(&source) {
                Some(&from) => state.accept(Instant::now(), from, to, bytes),
                None => {
                    state.strangers += 1;
                    false
                }
            };
            drop(state);
            if is_next {
                self.changed.notify_one();
            }
        }
    }

    /// Hands over what is due, until the relay closes.
    pub(super) fn deliver(&self) {
        let mut state = self.state();
        while !state.closed {
            let now = Instant::now();
            let due = state.arrivals(now);
            if !due.is_empty() {
                drop(state);
                due.iter().for_each(|flight| self.hand_over(flight));
                state = self.state();
                continue;
            }
            let next = state.under_way.peek().map(|next| next.due);
            state = match next {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let wait = due.saturating_duration_since(now);
                    let waited = self.changed.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn hand_over(&self, flight: &Flight) {
        if let (Some(front), Some(real)) = (self.fronts.get(flight.from), self.reals.get(flight.to))
        {
            // A receiver that is not there, or whose buffer is full, loses it as on any network.
            let _ = front.send_to(&flight.bytes, real);
        }
    }

    /// Ends all threads.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
        for front in &self.fronts {
            // A thread that waits for a datagram is woken by one. Where the buffer is full it does not wait.
            if let Ok(address) = front.local_addr() {
                let _ = front.send_to(&[], address);
            }
        }
    }
}
