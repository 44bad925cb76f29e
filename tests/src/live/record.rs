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

/// One member's attestation of a round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// When it came from there, in Unix microseconds.
    pub seen_us: u64,
    /// Whose observations it rests on.
    pub contributors: Vec<MemberId>,
}

/// Everything that has been attested.
#[derive(Debug)]
pub struct Record {
    pin: Pin,
    verifier: Verifier,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    seen: Vec<BTreeMap<Round, Sighting>>,
    statements: BTreeMap<Round, Statement>,
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
                seen: vec![BTreeMap::new(); members],
                ..Inner::default()
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies and keeps what a member has attested; the first sighting of a round counts.
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
        if let Some(seen) = inner.seen.get_mut(member) {
            seen.entry(round).or_insert(Sighting {
                seen_us,
                contributors,
            });
        }
    }

    /// Checks the group's signature, each contributor's, and that the observations give what was signed.
    fn verify(&self, item: &Item) -> anyhow::Result<(Statement, Vec<MemberId>)> {
        let attestation = Attestation::from_bytes(&item.bytes)?;
        let observations = &attestation.observations;
        let recomputed = recompute(&self.pin, &self.verifier, &attestation, observations)?;
        anyhow::ensure!(
            recomputed.agrees(),
            "the observations give something else than was signed"
        );
        let statement = attestation.statement;
        anyhow::ensure!(
            statement.round == item.round,
            "it is the attestation of {}",
            statement.round
        );
        Ok((
            statement,
            recomputed
                .contributors
                .iter()
                .map(|(member, _)| *member)
                .collect(),
        ))
    }

    /// What of a round a member has attested.
    pub fn sighting(&self, member: usize, round: Round) -> Option<Sighting> {
        self.inner().seen.get(member)?.get(&round).cloned()
    }

    /// Whether all these members have attested the round.
    pub fn is_seen_by(&self, members: &[usize], round: Round) -> bool {
        let inner = self.inner();
        let has = |member: &usize| {
            inner
                .seen
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
            .seen
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
