//! Random histories against a model: a map from feeds to rounds, and the Rust client's own policy for every question.

use std::collections::BTreeMap;

use cosmwasm_std::Uint64;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use touchstone_client::{GroupKey, Policy, VerifiedPrice, Verifier};
use touchstone_cosmwasm::msg::{Conditions, PriceResponse, Status};
use touchstone_types::{Attestation, FeedName, Leaf, Round, SUITES};

use super::{price, verify};
use crate::{
    Chain, Refused,
    world::{self, Network, feed, time_ms},
};

const FEEDS: u64 = 6;
const ROUNDS: u64 = 12;
const SKEW_MS: u64 = 700;

/// One history on one chain.
pub struct History<C> {
    /// The chain.
    pub chain: C,
    rng: ChaCha20Rng,
    rounds: Vec<Attestation>,
    verifier: Verifier,
    now_ms: u64,
    /// Which round is kept of each feed.
    kept: BTreeMap<u16, usize>,
}

/// Runs a random history; whatever the contract does must be what the model says.
pub fn follows_the_model<C: Chain>(seed: u64, steps: u32) {
    let mut history = History::<C>::new(seed);
    for _ in 0..steps {
        history.step();
    }
    assert!(
        !history.kept.is_empty(),
        "a history in which nothing happened"
    );
}

impl<C: Chain> History<C> {
    /// A network, its rounds and a contract that pins it, from a seed that is printed.
    pub fn new(seed: u64) -> Self {
        println!("seed {seed}");
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut network = Network::generate(seed);
        let rounds = (0..ROUNDS)
            .map(|round| sign_round(&mut network, &mut rng, round))
            .collect();
        let keys = SUITES.map(|suite| GroupKey::new(suite, &network.group_key(suite)));
        let verifier = Verifier::new(network.id, keys.map(|key| key.expect("a good key")));
        let mut pin = network.pin(&SUITES);
        pin.max_skew_ms = Some(SKEW_MS);
        let mut chain = C::new();
        chain.instantiate(&pin).expect("a good pin");
        Self {
            chain,
            rng,
            rounds,
            verifier,
            now_ms: 0,
            kept: BTreeMap::new(),
        }
    }

    /// One random thing.
    pub fn step(&mut self) {
        // Around the rounds, and beyond them at both ends.
        self.now_ms = time_ms(self.below(ROUNDS + 2)) + self.below(2_000) - 1_000;
        self.chain.set_time_ms(self.now_ms);
        match self.below(3) {
            0 => self.send(),
            1 => self.ask_kept(),
            _ => self.ask_shown(),
        }
    }

    fn send(&mut self) {
        let (round, update, indices) = self.some_update();
        let statement = self.rounds[round].statement;
        let sent = self.chain.update(&update);
        if statement.timestamp_ms > self.now_ms + SKEW_MS {
            assert_eq!(
                sent.map_err(|e| e.code().to_owned()),
                Err("ahead-of-now".into())
            );
            return;
        }
        let count = indices.len();
        let newer = |index: &u16| self.kept.get(index).is_none_or(|kept| *kept < round);
        let stored: Vec<u16> = indices.into_iter().filter(newer).collect();
        let skipped = count - stored.len();
        if stored.is_empty() {
            assert_eq!(
                sent.map_err(|e| e.code().to_owned()),
                Err("not-newer".into())
            );
        } else {
            let counts = [stored.len(), skipped].map(|n| u32::try_from(n).expect("few"));
            assert_eq!(sent, Ok(counts.into()));
        }
        self.kept
            .extend(stored.into_iter().map(|index| (index, round)));
    }

    fn ask_kept(&mut self) {
        let index = u16::try_from(self.below(FEEDS)).expect("few");
        let (max_age_ms, conditions) = self.some_conditions();
        let name = feed(index.into());
        let got = price(&mut self.chain, &name, max_age_ms, conditions.clone());
        let want = match self.kept.get(&index) {
            None => Err("no-feed"),
            Some(round) => {
                let update = world::update(&self.rounds[*round], SUITES[0], &[index]);
                self.client(&update, &name, max_age_ms, &conditions)
            }
        };
        same(got, want);
    }

    fn ask_shown(&mut self) {
        let (_, update, _) = self.some_update();
        let name = feed(usize::try_from(self.below(FEEDS)).expect("few"));
        let (max_age_ms, conditions) = self.some_conditions();
        let got = verify(
            &mut self.chain,
            &update,
            &name,
            max_age_ms,
            conditions.clone(),
        );
        same(got, self.client(&update, &name, max_age_ms, &conditions));
    }

    /// What the Rust client says.
    fn client(
        &self,
        update: &[u8],
        feed: &str,
        max_age_ms: u64,
        conditions: &Conditions,
    ) -> Result<VerifiedPrice, &'static str> {
        let mut policy = Policy::fresh(self.now_ms, max_age_ms)
            .max_skew(SKEW_MS)
            .min_observers(conditions.min_observers.unwrap_or(0))
            .allow_status(Status::bits(&conditions.allow_status));
        if let Some(ms) = conditions.max_trade_age_ms {
            policy = policy.max_trade_age(ms);
        }
        if let Some(round) = conditions.newer_than {
            policy = policy.newer_than(Round(round.u64()));
        }
        let update = self.verifier.verify(update).expect("an authentic update");
        let feed = FeedName::new(feed).expect("a name");
        update.price(feed, &policy).map_err(|error| error.code())
    }

    fn some_update(&mut self) -> (usize, Vec<u8>, Vec<u16>) {
        let round = usize::try_from(self.below(ROUNDS)).expect("few");
        let suite = SUITES[usize::try_from(self.below(2)).expect("two")];
        let mut indices: Vec<u16> = (0..6)
            .filter(|_| self.rng.next_u32().is_multiple_of(2))
            .collect();
        if indices.is_empty() {
            indices.push(3);
        }
        (
            round,
            world::update(&self.rounds[round], suite, &indices),
            indices,
        )
    }

    fn some_conditions(&mut self) -> (u64, Conditions) {
        let bits = touchstone_types::Status::from_bits(self.below(32) as u8);
        let conditions = Conditions {
            allow_status: Status::of(bits.expect("known bits")),
            max_trade_age_ms: (self.below(2) == 0).then(|| self.below(6_000)),
            min_observers: (self.below(2) == 0).then(|| self.below(6) as u16),
            newer_than: (self.below(2) == 0).then(|| Uint64::new(self.below(ROUNDS))),
        };
        (self.below(8_000), conditions)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }
}

fn sign_round(network: &mut Network, rng: &mut ChaCha20Rng, round: u64) -> Attestation {
    let mut leaves = world::leaves(round, usize::try_from(FEEDS).expect("few"));
    for leaf in &mut leaves {
        let below = |bound: u64, rng: &mut ChaCha20Rng| rng.next_u64() % bound;
        leaf.observers = 3 + below(2, rng) as u16;
        leaf.observed_at_ms = time_ms(round) + 1_000 - below(4_000, rng);
        // Half are good, some have bits, some have no price.
        let bits = (below(32, rng) & below(32, rng)) as u8;
        let status = touchstone_types::Status::from_bits(bits).expect("known bits");
        match below(8, rng) {
            0 => *leaf = Leaf::unavailable(leaf.feed, -8, status, 1),
            1..=3 => leaf.status = status,
            _ => {}
        }
    }
    network.attest(round, leaves, |_| {})
}

fn same(got: Result<PriceResponse, Refused>, want: Result<VerifiedPrice, &str>) {
    match (got, want) {
        (Err(got), Err(want)) => assert_eq!(got.code(), want, "{got:?}"),
        (Ok(got), Ok(want)) => {
            let want = PriceResponse {
                feed: want.feed.to_string(),
                price: want.price.to_string(),
                low: want.low.to_string(),
                high: want.high.to_string(),
                price_mantissa: want.price.mantissa.into(),
                low_mantissa: want.low.mantissa.into(),
                high_mantissa: want.high.mantissa.into(),
                exponent: want.price.exponent,
                status: Status::of(want.status),
                observers: want.observers,
                observed_at_ms: want.observed_at_ms.into(),
                epoch: want.epoch.0,
                round: want.round.0.into(),
                timestamp_ms: want.timestamp_ms.into(),
            };
            assert_eq!(got, want);
        }
        (got, want) => panic!("{got:?}, but the client says {want:?}"),
    }
}
