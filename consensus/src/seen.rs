//! Members' signatures that were right before.
//!
//! The statements that let a member into a view are repeated in every proposal of that view, and a certificate in every
//! STATUS: with these remembered each signature is checked about once.
#![expect(
    clippy::disallowed_types,
    reason = "nothing but membership is asked, so the order plays no part"
)]

use std::collections::HashSet;

use touchstone_types::{Header, MemberSignature};

/// How many signatures a generation holds: those of a few rounds without faults, or of one view of a large committee.
const GENERATION: usize = 8_192;

/// The signatures of two generations; when the younger one is full, the older one is forgotten.
///
/// Both have their memory from the start, about 5 MB: whoever makes a member see many signatures makes it no larger.
pub(crate) struct Seen {
    young: HashSet<(Header, MemberSignature)>,
    old: HashSet<(Header, MemberSignature)>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            young: HashSet::with_capacity(GENERATION),
            old: HashSet::with_capacity(GENERATION),
        }
    }
}

impl Seen {
    pub(crate) fn contains(&self, signed: &(Header, MemberSignature)) -> bool {
        self.young.contains(signed) || self.old.contains(signed)
    }

    /// Remembers a signature that is right.
    pub(crate) fn insert(&mut self, signed: (Header, MemberSignature)) {
        if self.young.len() >= GENERATION {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.young.insert(signed);
    }
}

#[cfg(test)]
mod tests {
    use touchstone_types::{Digest, MemberId, MessageKind, Round, View};

    use super::*;

    fn signed(round: u64) -> (Header, MemberSignature) {
        let header = Header {
            tag: Digest::default(),
            kind: MessageKind::Vote,
            round: Round(round),
            view: View(1),
            instance: 0,
            member: MemberId(0),
            body_hash: Digest::default(),
        };
        (header, MemberSignature([1; 64]))
    }

    #[test]
    fn the_last_generation_is_remembered_and_no_more_than_two_are() {
        let mut seen = Seen::default();
        let most = u64::try_from(GENERATION).expect("small");
        for round in 0..most * 5 {
            seen.insert(signed(round));
            assert!(seen.contains(&signed(round)));
            assert!(seen.contains(&signed(round.saturating_sub(most - 1))));
            assert!(seen.young.len() + seen.old.len() <= 2 * GENERATION);
        }
        assert!(!seen.contains(&signed(0)));
        let (header, _) = signed(most * 5 - 1);
        assert!(!seen.contains(&(header, MemberSignature([2; 64]))));
    }
}
