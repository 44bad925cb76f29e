//! What must hold in every state, and what a state amounts to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
};

use touchstone_consensus::{Content, Lock, Message, Rules};
use touchstone_types::{
    Contribution, Digest, MemberId, MessageKind, Observation, Report, SignedObservation, View,
};

use crate::{
    letter::Kind,
    world::{HONEST, State, World},
};

/// A property that a state breaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Property {
    /// Honest members decide, or could be shown decisions on, one value only.
    Agreement,
    /// At most one report can be signed, whoever combines the shares that are out.
    OneSigned,
    /// Honest members sign one body for each slot.
    OneBody,
    /// Honest members accept what honest members send.
    Acceptance,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agreement => "agreement",
            Self::OneSigned => "one signed report",
            Self::OneBody => "one body for a slot",
            Self::Acceptance => "acceptance",
        })
    }
}

/// A broken property, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// How.
    pub what: String,
}

/// What can be proved by what was sent.
pub(crate) struct Judged {
    /// Values that a decision can be shown on.
    pub(crate) decidable: BTreeSet<Digest>,
    /// Locks that can be proved: view and value.
    pub(crate) locks: BTreeSet<(View, Digest)>,
}

/// A lock: its view, and the name of its value.
pub type NamedLock = Option<(u32, String)>;

/// What one honest member is committed to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Commitment {
    /// Its lock.
    pub lock: NamedLock,
    /// The lock that it reported at the end of each view that it said so of.
    pub reported: BTreeMap<u32, NamedLock>,
}

/// What a state amounts to, in names that do not depend on how it was reached: what cross-checks compare.
///
/// Who has decided is not part of it, because whoever is shown the decision has: what can be shown is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Outcome {
    /// What each honest member is committed to.
    pub members: Vec<Commitment>,
    /// Values that a decision can be shown on.
    pub decidable: BTreeSet<String>,
    /// Reports that can be signed.
    pub signable: BTreeSet<String>,
}

impl Outcome {
    /// Whether this may be what the other one comes to when some members go on: as much can be decided and signed, and each
    /// member has said the same, or the same and more. To say less is no excuse for a lock that was not reported.
    pub fn covers(&self, before: &Self) -> bool {
        let said = |now: &Commitment, then: &Commitment| {
            let mut reported = then.reported.iter();
            let lock = now.lock == then.lock || view_of(&now.lock) > view_of(&then.lock);
            lock && reported.all(|(view, lock)| now.reported.get(view) == Some(lock))
        };
        let mut members = self.members.iter().zip(&before.members);
        self.decidable.is_superset(&before.decidable)
            && self.signable.is_superset(&before.signable)
            && members.all(|(now, then)| said(now, then))
    }
}

fn view_of(lock: &NamedLock) -> Option<u32> {
    lock.as_ref().map(|(view, _)| *view)
}

impl<R: Rules> World<R> {
    pub(crate) fn judged(&mut self, state: State) -> Rc<Judged> {
        let soup = self.soup(state);
        if let Some(known) = self.judged.get(&soup) {
            return Rc::clone(known);
        }
        let letters = self.letters(state);
        let decisions = self.decisions(state, &letters);
        let locks = self.locks(state, &letters, View(self.config.views));
        let judged = Rc::new(Judged {
            decidable: decisions.into_iter().map(|(value, _)| value).collect(),
            locks: locks
                .iter()
                .map(|p| (p.lock().view, p.lock().value))
                .collect(),
        });
        self.judged.insert(soup, Rc::clone(&judged));
        judged
    }

    /// Values that were decided or may be.
    fn decidable(&mut self, state: State) -> BTreeSet<Digest> {
        let mut values = self.judged(state).decidable.clone();
        for at in 0..HONEST {
            let position = self.local(state, at).position;
            values.extend(position.and_then(|p| p.decided));
        }
        values
    }

    /// The first property that does not hold.
    pub(crate) fn judge(&mut self, state: State) -> Option<Violation> {
        for at in 0..HONEST {
            let local = self.local(state, at);
            let property = match (local.contradiction, local.refused) {
                (true, _) => Property::OneBody,
                (_, true) => Property::Acceptance,
                _ => continue,
            };
            let what = format!("member {at}");
            return Some(Violation { property, what });
        }
        let values = self.decidable(state);
        if values.len() > 1 {
            let names: Vec<_> = values.iter().map(|v| self.post.name(*v)).collect();
            return Some(Violation {
                property: Property::Agreement,
                what: format!("{} can all be decided", names.join(", ")),
            });
        }
        let signable = self.signable(state, &values);
        if signable.len() < 2 {
            return None;
        }
        let reports = signable.into_iter().map(|(statement, members)| {
            let report = self.report_name(state, statement);
            let members: Vec<_> = members.iter().map(usize::to_string).collect();
            format!("{report} with shares of {} and 3", members.join(", "))
        });
        let what = reports.collect::<Vec<_>>().join("; ");
        Some(Violation {
            property: Property::OneSigned,
            what,
        })
    }

    /// Reports that can be signed, by the members whose shares there are. The Byzantine member gives a share for everything; shares
    /// of all sessions add up; what can be decided every honest member can be made to sign.
    fn signable(
        &mut self,
        state: State,
        decidable: &BTreeSet<Digest>,
    ) -> BTreeMap<Digest, BTreeSet<usize>> {
        let mut sharers: BTreeMap<Digest, BTreeSet<usize>> = BTreeMap::new();
        for at in 0..HONEST {
            let local = self.local(state, at);
            for statement in local.shared.iter().chain(&local.published) {
                sharers.entry(*statement).or_default().insert(at);
            }
        }
        for value in decidable {
            if let Some(statement) = self.statement_of(state, *value) {
                sharers.entry(statement).or_default().extend(0..HONEST);
            }
        }
        let threshold = self.members.rules.signing_threshold(self.committee());
        sharers.retain(|_, members| members.len() + 1 >= threshold);
        sharers
    }

    fn report_name(&mut self, state: State, statement: Digest) -> String {
        let known: Vec<_> = self.post.values().collect();
        let mut named = known
            .into_iter()
            .filter(|value| self.statement_of(state, *value) == Some(statement))
            .collect::<Vec<_>>();
        named.sort_by_key(|value| self.post.name(*value));
        let name = named.first().map(|value| self.short_name(*value));
        name.map_or_else(
            || statement.to_string(),
            |name| format!("the report of {name}"),
        )
    }

    /// The report that a value stands for.
    pub(crate) fn statement_of(&mut self, state: State, value: Digest) -> Option<Digest> {
        if let Some(known) = self.statements.get(&value) {
            return *known;
        }
        let list = self.post.value(value)?.clone();
        let letters = self.letters(state);
        let obs = Self::of_kind(&letters, MessageKind::Obs, View(0));
        let honest = obs.iter().filter_map(|(_, l)| match &l.message {
            Message::Signed(signed) => signed.observation(),
            Message::Reply { .. } => None,
        });
        let own = self.bodies.iter().filter_map(|b| match b.content {
            Content::Obs { .. } => b.observation(),
            _ => None,
        });
        let all: BTreeMap<(MemberId, Digest), SignedObservation> = honest
            .chain(own)
            .map(|o| ((o.header.member, o.header.body_hash), o))
            .collect();
        let held: Option<Vec<_>> = list.contributors.iter().map(|key| all.get(key)).collect();
        let held = held?;
        let decoded: Option<Vec<_>> = held
            .iter()
            .map(|o| Observation::from_bytes(&o.body).ok())
            .collect();
        let decoded = decoded?;
        let contributions: Vec<_> = held
            .iter()
            .zip(&decoded)
            .map(|(o, observation)| Contribution {
                header: &o.header,
                body: &o.body,
                observation,
            })
            .collect();
        let report = Report::compute(&self.terms, self.round, &contributions).ok();
        let statement = report.map(|r| r.statement.digest());
        self.statements.insert(value, statement);
        statement
    }

    /// How close a state at the end of a view seems to a violation: what a beam goes by.
    pub(crate) fn unrest(&mut self, state: State, view: View) -> usize {
        let letters = self.letters(state);
        let decidable = self.decidable(state);
        let strays = |lock: Option<Lock>| {
            !decidable.is_empty() && lock.is_none_or(|l| !decidable.contains(&l.value))
        };
        // Rights to enter the next view with something else than what can be decided.
        let rights = self.entries(state, &letters, view);
        let rights = rights.iter().filter(|e| strays(e.lock)).count();
        // Members that know nothing of what can be decided, and the values that members are locked on.
        let locks = (0..HONEST).map(|at| self.local(state, at).position.and_then(|p| p.lock));
        let locks: Vec<_> = locks.collect();
        let forgetful = locks.iter().filter(|l| strays(**l)).count();
        let values: BTreeSet<_> = locks.iter().flatten().map(|l| l.value).collect();
        // Shares for the two reports that have most of them, as far as they are not signed yet.
        let mut shares: BTreeMap<Digest, usize> = BTreeMap::new();
        for at in 0..HONEST {
            for report in self.local(state, at).shared.iter() {
                *shares.entry(*report).or_default() += 1;
            }
        }
        let enough = self.members.rules.signing_threshold(self.committee()) - 1;
        let mut shares: Vec<_> = shares.into_values().map(|s| s.min(enough)).collect();
        shares.sort_unstable();
        let shares: usize = shares.iter().rev().take(2).sum();
        8 * rights + 3 * shares + 2 * forgetful + values.len().min(2)
    }

    /// What the state amounts to.
    pub(crate) fn outcome(&mut self, state: State) -> Outcome {
        let values = self.decidable(state);
        let signable = self.signable(state, &values).into_keys();
        let signable = signable.collect::<Vec<_>>().into_iter();
        Outcome {
            members: (0..HONEST).map(|at| self.commitment(state, at)).collect(),
            decidable: values.iter().map(|v| self.short_name(*v)).collect(),
            signable: signable.map(|s| self.report_name(state, s)).collect(),
        }
    }

    fn commitment(&self, state: State, at: usize) -> Commitment {
        let local = self.local(state, at);
        let named = |lock: Option<Lock>| lock.map(|l| (l.view.0, self.short_name(l.value)));
        let letters = local.sent.iter().map(|id| self.post.get(*id));
        let statements = letters.filter(|l| {
            matches!(
                l.kind,
                Kind::Signed(MessageKind::Timeout | MessageKind::Status)
            )
        });
        Commitment {
            lock: named(local.position.and_then(|p| p.lock)),
            reported: statements.map(|l| (l.view.0, named(l.lock()))).collect(),
        }
    }

    /// A value's name without the statements that its proposer showed: there is one edition of those in the reduced search.
    fn short_name(&self, value: Digest) -> String {
        let name = self.post.name(value);
        name.split('[').next().unwrap_or_default().to_owned()
    }
}
