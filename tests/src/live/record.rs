//! What the members have attested, when, and whether it holds.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use touchstone_client::{Verifier, recompute::recompute};
use touchstone_transport::Item;
use touchstone_types::{Attestation, MemberId, Pin, Round, Statement};

/// Findings that are kept; one is too many already.
const FINDINGS_MAX: usize = 100;

/// Everything that has been attested.
#[derive(Debug)]
pub struct Record {
    pin: Pin,
    verifier: Verifier,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// When each member's attestation of a round came, in Unix microseconds.
    seen_us: Vec<BTreeMap<Round, u64>>,
    statements: BTreeMap<Round, Statement>,
    /// Whose observations a round rests on, where anybody has handed these on.
    contributors: BTreeMap<Round, Vec<MemberId>>,
    findings: Vec<String>,
}

impl Inner {
    fn find(&mut self, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

impl Record {
    pub(super) fn new(pin: &Pin) -> anyhow::Result<Self> {
        let members = pin.genesis_manifest.members.len();
        Ok(Self {
            verifier: Verifier::from_pin(pin)?,
            pin: pin.clone(),
            inner: Mutex::new(Inner {
                seen_us: vec![BTreeMap::new(); members],
                ..Inner::default()
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies and keeps what a member has attested; the first time that it hands on a round counts.
    pub(super) fn note(&self, member: usize, item: &Item, seen_us: u64) {
        let round = item.round;
        let verified = self.verify(item);
        let mut inner = self.inner();
        let (statement, contributors) = match verified {
            Ok(verified) => verified,
            Err(error) => return inner.find(format!("member {member}, round {round}: {error:#}")),
        };
        let agreed = *inner.statements.entry(round).or_insert(statement);
        if agreed != statement {
            inner.find(format!(
                "round {round} has two signed statements; member {member} has the second"
            ));
        }
        if !contributors.is_empty() {
            inner.contributors.entry(round).or_insert(contributors);
        }
        if let Some(seen) = inner.seen_us.get_mut(member) {
            seen.entry(round).or_insert(seen_us);
        }
    }

    /// A member has evidence against somebody, of whom nobody here has deserved it.
    pub(super) fn accuse(&self, member: usize, evidence: &Item) {
        let text = hex::encode(&evidence.bytes);
        let finding = format!("member {member} has evidence: {text}");
        self.inner().find(finding);
    }

    /// Checks the group's signatures, and where the observations are there, that each contributor signed its own and that
    /// they give what the group signed. A member that learns of a round by its certificate has no observations.
    fn verify(&self, item: &Item) -> anyhow::Result<(Statement, Vec<MemberId>)> {
        let attestation = Attestation::from_bytes(&item.bytes)?;
        let statement = attestation.statement;
        anyhow::ensure!(
            statement.round == item.round,
            "it is the attestation of round {}",
            statement.round
        );
        for (suite, signature) in &attestation.signatures {
            self.verifier
                .verify_statement(&statement, *suite, signature)?;
        }
        let observations = &attestation.observations;
        if observations.is_empty() {
            return Ok((statement, Vec::new()));
        }
        let recomputed = recompute(&self.pin, &self.verifier, &attestation, observations)?;
        anyhow::ensure!(
            recomputed.agrees(),
            "the observations give something else than was signed"
        );
        let contributors = recomputed.contributors.iter().map(|(member, _)| *member);
        Ok((statement, contributors.collect()))
    }

    /// When a member's attestation of the round came, in Unix microseconds.
    pub fn seen_us(&self, member: usize, round: Round) -> Option<u64> {
        self.inner().seen_us.get(member)?.get(&round).copied()
    }

    /// Whether a round rests on what this member has observed.
    pub fn rests_on(&self, round: Round, member: MemberId) -> bool {
        let inner = self.inner();
        let contributors = inner.contributors.get(&round);
        contributors.is_some_and(|members| members.contains(&member))
    }

    /// Whether all these members have attested the round.
    pub fn is_seen_by(&self, members: &[usize], round: Round) -> bool {
        let inner = self.inner();
        let has = |member: &usize| {
            inner
                .seen_us
                .get(*member)
                .is_some_and(|seen| seen.contains_key(&round))
        };
        members.iter().all(has)
    }

    /// Whether anybody has attested the round.
    pub fn is_seen(&self, round: Round) -> bool {
        self.inner().statements.contains_key(&round)
    }

    /// The newest round that a member has attested.
    pub fn newest_at(&self, member: usize) -> Option<Round> {
        let inner = self.inner();
        inner
            .seen_us
            .get(member)?
            .last_key_value()
            .map(|(round, _)| *round)
    }

    /// Every attested round and the statement that was signed for it.
    pub fn statements(&self) -> BTreeMap<Round, Statement> {
        self.inner().statements.clone()
    }

    /// What does not hold.
    pub fn findings(&self) -> Vec<String> {
        self.inner().findings.clone()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use touchstone_types::Suite;

    use super::*;

    /// The shared vectors' network, and a round that it has attested.
    fn world() -> (Record, Attestation) {
        let vectors = crate::vectors::directory();
        let read = |name: &str| std::fs::read(vectors.join(name)).expect(name);
        let pin = Pin::from_json(&read("pin/network.json")).expect("a pin");
        let vector: serde_json::Value =
            serde_json::from_slice(&read("canonical/attestation.json")).expect("JSON");
        let text = vector["with_observations"].as_str().expect("text");
        let bytes = hex::decode(text).expect("bytes");
        let attestation = Attestation::from_bytes(&bytes).expect("an attestation");
        (Record::new(&pin).expect("a record"), attestation)
    }

    fn item(attestation: &Attestation) -> Item {
        Item {
            round: attestation.statement.round,
            bytes: attestation.to_bytes().into(),
        }
    }

    #[test]
    fn what_holds_is_kept_with_its_time() {
        let (record, mut attestation) = world();
        let round = attestation.statement.round;
        record.note(1, &item(&attestation), 5);
        record.note(1, &item(&attestation), 6);
        assert!(record.rests_on(round, MemberId(0)));
        // As from a member that has only the certificate.
        attestation.observations.clear();
        record.note(2, &item(&attestation), 7);
        assert_eq!(record.findings(), Vec::<String>::new());
        let seen = [1, 2].map(|member| record.seen_us(member, round));
        assert_eq!(seen, [Some(5), Some(7)]);
        assert!(record.is_seen_by(&[1, 2], round) && !record.is_seen_by(&[0, 1], round));
        assert_eq!(record.newest_at(1), Some(round));
    }

    #[test]
    fn what_does_not_hold_is_found() {
        let found = |change: fn(&mut Attestation)| {
            let (record, mut attestation) = world();
            record.note(0, &item(&attestation), 5);
            change(&mut attestation);
            record.note(1, &item(&attestation), 6);
            record.findings().join("; ")
        };
        let group = found(|a| a.signatures[0].1[0] ^= 1);
        assert!(
            group.contains("member 1") && group.contains("signature"),
            "{group}"
        );
        let member = found(|a| a.observations[0].signature.0[0] ^= 1);
        assert!(member.contains("signature"), "{member}");
        let second = found(|a| {
            a.statement.timestamp_ms += 1;
            a.observations.clear();
            let group = SigningKey::from_bytes(&[0x2a; 32]);
            let signature = group.sign(&a.statement.digest().0).to_bytes();
            a.signatures = vec![(Suite::Ed25519, signature.to_vec())];
        });
        assert!(second.contains("two signed statements"), "{second}");
    }
}
