//! How much room evidence may take up: so much for each member, whatever it and the others do.

use std::collections::{BTreeMap, HashSet};

use touchstone_transport::EVIDENCE_RECORDS_MAX;
use touchstone_types::{Digest, Evidence, Header, MemberId};

/// The room that is taken up.
#[derive(Default)]
pub(super) struct Places {
    /// One record of a kind is enough for a slot, which a header without its body's hash names.
    slots: HashSet<(&'static str, Header)>,
    taken: BTreeMap<(Digest, MemberId, &'static str), usize>,
}

impl Places {
    /// Takes up the room for a record; false if there is none, or if the slot has one.
    pub(super) fn take(&mut self, evidence: &Evidence) -> bool {
        let taken = self.taken.entry(owner(evidence)).or_default();
        if *taken >= EVIDENCE_RECORDS_MAX || !self.slots.insert(slot(evidence)) {
            return false;
        }
        *taken += 1;
        true
    }

    /// Gives the room of a record back that is not kept after all.
    pub(super) fn give_back(&mut self, evidence: &Evidence) {
        if self.slots.remove(&slot(evidence))
            && let Some(taken) = self.taken.get_mut(&owner(evidence))
        {
            *taken = taken.saturating_sub(1);
        }
    }
}

/// Whose room a record takes up: that of a member of an epoch, apart for each kind.
fn owner(evidence: &Evidence) -> (Digest, MemberId, &'static str) {
    (evidence.header().tag, evidence.member(), evidence.kind())
}

fn slot(evidence: &Evidence) -> (&'static str, Header) {
    let body_hash = Digest([0; 32]);
    let header = Header {
        body_hash,
        ..*evidence.header()
    };
    (evidence.kind(), header)
}
