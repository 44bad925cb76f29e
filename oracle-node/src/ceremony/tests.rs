use std::collections::VecDeque;

use rand_core::OsRng;
use touchstone_types::{Epoch, FeedName, FeedSpec, Market, Member, Suite};

use super::*;

fn world(n: u16, f: u16) -> (Manifest, Vec<Arc<IdentityKey>>) {
    let keys: Vec<_> = (0..n)
        .map(|_| Arc::new(IdentityKey::generate(&mut OsRng)))
        .collect();
    let member = |(id, key): (u16, &Arc<IdentityKey>)| Member {
        id: MemberId(id),
        identity: key.public().to_digest(),
        address: format!("127.0.0.1:{}", 7_000 + id),
    };
    let name = FeedName::new("BTC-USD").expect("name");
    let manifest = Manifest {
        network: "test".to_owned(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: 1_000,
        first_round: touchstone_types::Round(1),
        first_round_at_ms: 0,
        f,
        suites: vec![Suite::Ed25519],
        members: (0..n).zip(&keys).map(member).collect(),
        feeds: vec![FeedSpec {
            name,
            exponent: -8,
            sources: vec![Market {
                source: "kraken".to_owned(),
                pair: name,
            }],
            min_sources: 1,
            max_quote_age_ms: 60_000,
            outlier_mads_milli: 5_000,
            outlier_floor_ppm: 5_000,
        }],
    };
    manifest.validate().expect("manifest");
    (manifest, keys)
}

/// Members and what is on its way between them.
struct Run {
    members: Vec<Ceremony<OsRng>>,
    wire: VecDeque<(usize, usize, Said)>,
    committed: Vec<bool>,
    left: Vec<bool>,
}

impl Run {
    fn start(manifest: &Manifest, keys: &[Arc<IdentityKey>]) -> Self {
        let member = |key: &Arc<IdentityKey>| {
            Ceremony::new(manifest.clone(), Arc::clone(key), OsRng).expect("member")
        };
        let mut run = Self {
            members: keys.iter().map(member).collect(),
            wire: VecDeque::new(),
            committed: vec![false; keys.len()],
            left: vec![false; keys.len()],
        };
        for i in 0..keys.len() {
            run.hello(i);
        }
        run
    }

    fn hello(&mut self, i: usize) {
        let hello = self.members[i].hello();
        self.act(i, vec![Action::Send(None, hello)]);
    }

    fn act(&mut self, i: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(to, said) => {
                    let others = (0..self.members.len()).filter(|j| *j != i);
                    let to = others.filter(|j| to.is_none_or(|to| to.index() == *j));
                    self.wire.extend(to.map(|j| (i, j, said.clone())));
                }
                Action::Begin => self.hello(i),
                Action::Stage => {
                    let follow = self.members[i].staged().expect("staged");
                    self.act(i, follow);
                }
                Action::Commit => {
                    self.committed[i] = true;
                    let follow = self.members[i].committed();
                    self.act(i, follow);
                }
                Action::Leave => self.left[i] = true,
            }
        }
    }

    fn deliver(&mut self, steps: usize) {
        for _ in 0..steps {
            let Some((from, to, said)) = self.wire.pop_front() else {
                return;
            };
            let said = Said::from_bytes(&said.to_bytes()).expect("decodes");
            let from = MemberId(u16::try_from(from).expect("small"));
            let actions = self.members[to].handle(from, said).expect("honest");
            self.act(to, actions);
        }
    }
}

#[test]
fn all_members_end_with_the_same_signed_pin() {
    for (n, f) in [(4, 1), (2, 0), (7, 2)] {
        let (manifest, keys) = world(n, f);
        let mut run = Run::start(&manifest, &keys);
        run.deliver(usize::MAX);
        assert!(
            run.left.iter().all(|left| *left),
            "{:?}",
            run.members[0].stage()
        );
        let pins: Vec<_> = run
            .members
            .iter()
            .map(|m| pin_bytes(m.result().expect("result").0.pin()))
            .collect();
        assert!(pins.windows(2).all(|w| w[0] == w[1]));
        // What was written is what a node loads: every signature is checked there.
        Network::new(Pin::from_json(&pins[0]).expect("pin")).expect("network");
    }
}

/// Whenever a member is killed and started again before it has said that its files are complete, the others start again
/// with it, and all end together.
#[test]
fn a_member_may_start_again_at_any_point() {
    for steps in 0.. {
        let (manifest, keys) = world(4, 1);
        let mut run = Run::start(&manifest, &keys);
        run.deliver(steps);
        // From here on its files are complete: it finishes instead of starting again.
        if run.members[2].has_staged() {
            return;
        }
        // What was on its way from or to the killed process is lost.
        run.wire.retain(|(from, to, _)| *from != 2 && *to != 2);
        run.members[2] =
            Ceremony::new(manifest.clone(), Arc::clone(&keys[2]), OsRng).expect("member");
        run.hello(2);
        for i in [0, 1, 3] {
            // A new link brings what is retained, the greeting first.
            let hello = run.members[i].hello();
            run.wire.push_back((i, 2, hello));
        }
        run.deliver(usize::MAX);
        assert!(
            run.left.iter().all(|left| *left),
            "killed after {steps} deliveries"
        );
    }
}

#[test]
fn another_manifest_is_told_apart() {
    let (manifest, keys) = world(4, 1);
    let mut run = Run::start(&manifest, &keys);
    let said = Said::Hello {
        manifest: Digest([7; 32]),
        number: [0; 32],
    };
    let error = run.members[0]
        .handle(MemberId(3), said)
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "member 3: it was started with another manifest"
    );
}

/// A session in which this process has already said something is never entered again.
#[test]
fn no_session_is_entered_twice() {
    let (manifest, keys) = world(4, 1);
    let mut run = Run::start(&manifest, &keys);
    let hello = |number| Said::Hello {
        manifest: manifest.hash(),
        number: [number; 32],
    };
    let member = &mut run.members[0];
    for (from, number) in [(1, 1), (2, 2), (3, 3), (3, 4)] {
        member
            .handle(MemberId(from), hello(number))
            .expect("new session");
    }
    let error = member.handle(MemberId(3), hello(3)).expect_err("refused");
    assert!(
        error.to_string().starts_with("member 3: it fell back"),
        "{error}"
    );
}

#[test]
fn a_wrong_share_is_blamed_on_its_sender() {
    let (manifest, keys) = world(4, 1);
    let mut run = Run::start(&manifest, &keys);
    let error = loop {
        let (from, to, mut said) = run.wire.pop_front().expect("ends with an error");
        if let (1, Said::Shares { shares, .. }) = (from, &mut said) {
            shares[0].0[0] ^= 1;
        }
        match run.members[to].handle(MemberId(u16::try_from(from).expect("small")), said) {
            Ok(actions) => run.act(to, actions),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, CeremonyError::Aggregate(e) if e.culprits() == [MemberId(1)]),
        "{error}"
    );
}

#[test]
fn garbage_is_no_message() {
    for bytes in [
        &[][..],
        &[0],
        &[9, 1],
        &[1, 2, 3],
        &[6, 0],
        &[4; 40],
        &[3; 98],
    ] {
        assert!(Said::from_bytes(bytes).is_err(), "{bytes:?}");
    }
}
