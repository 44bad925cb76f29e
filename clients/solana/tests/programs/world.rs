//! What most tests begin with: a network of twelve feeds that is pinned, with price accounts for all of them.

use solana_account::Account;
use solana_address::Address;
use solana_instruction::Instruction;
use touchstone_solana::{Feed, Policy};
use touchstone_solana_tests::{
    network::{Network, START_MS, leaves},
    vm::{self, Outcome, Vm},
};

/// A policy that accepts whatever is stored, except for unavailable feeds.
pub(crate) fn anything() -> Policy {
    [1, 2, 4, 8, 16]
        .into_iter()
        .filter_map(touchstone_solana::Status::from_bits)
        .fold(Policy::fresh(0, u64::MAX), Policy::allow_status)
        .max_skew(u64::MAX)
}

pub(crate) struct World {
    pub(crate) vm: Vm,
    pub(crate) network: Network,
    pub(crate) config: Address,
    /// Price accounts in the order of the feeds.
    pub(crate) prices: Vec<Address>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self::on(Vm::default(), seed)
    }

    /// The same on a machine of the caller's.
    pub(crate) fn on(mut vm: Vm, seed: u64) -> Self {
        let network = Network::new(seed);
        vm.set_clock(i64::try_from(START_MS / 1_000).expect("a time"));
        let config = vm.pin(&network.id, &network.key);
        let prices = leaves(0)
            .iter()
            .map(|leaf| vm.create(config, &leaf.feed.to_bytes()))
            .collect();
        Self {
            vm,
            network,
            config,
            prices,
        }
    }

    /// A signed update of a round.
    pub(crate) fn update(&mut self, round: u64, indices: &[u16]) -> Vec<u8> {
        self.network.update(round, &leaves(round), indices)
    }

    /// The price accounts at these indices.
    pub(crate) fn accounts(&self, indices: &[u16]) -> Vec<Address> {
        let at = |i: &u16| self.prices[usize::from(*i)];
        indices.iter().map(at).collect()
    }

    /// The two instructions that store an update, the precompile first.
    pub(crate) fn instructions(&self, update: &[u8], indices: &[u16]) -> [Instruction; 2] {
        [
            vm::precompile(&self.network.key, update),
            vm::update(self.config, &self.accounts(indices), update),
        ]
    }

    /// Stores an update.
    pub(crate) fn store(&mut self, update: &[u8], indices: &[u16]) -> Outcome {
        let instructions = self.instructions(update, indices);
        self.vm.send(&instructions)
    }

    /// The account of the feed at an index.
    pub(crate) fn account(&self, index: u16) -> Account {
        let address = self.prices[usize::from(index)];
        self.vm.svm.get_account(&address).expect("an account")
    }

    /// The round that is stored for the feed at an index.
    pub(crate) fn round(&self, index: u16) -> Option<u64> {
        let leaf = leaves(0)[usize::from(index)];
        let feed = Feed::from_bytes(leaf.feed.to_bytes()).expect("a feed");
        let price = self.vm.read(self.config, &feed, &anything());
        price.ok().map(|price| price.round)
    }
}
