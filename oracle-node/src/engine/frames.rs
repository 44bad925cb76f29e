//! How messages travel as frames: the kind of a frame is the first byte of its message, and each kind has a size that no
//! honest message of this network exceeds.

use touchstone_transport::{ConfigError, FRAME_BYTES_CEILING, FrameKind, FrameLimits};
use touchstone_types::{LEAF_BYTES, MessageKind, Terms};

/// First bytes of the unsigned messages, from DECIDE to WANT (see `touchstone_consensus::Message`).
const DECIDE: u8 = 128;
const FETCH: u8 = 129;
const VALUE: u8 = 130;
pub(crate) const CERT: u8 = 131;
const WANT: u8 = 132;

/// Bytes of an OBS body for each feed, and for each suite (the larger commitments).
const OBS_FEED_BYTES: usize = 27;
const OBS_SUITE_BYTES: usize = 67;
/// Fixed parts of any message.
const BASE_BYTES: usize = 4_096;
/// What a message that proves something holds for each member, at most: an entry of a value (34), a statement with its
/// signature (about 250), an entry of a certificate (66), a coin share (98).
const PROOF_MEMBER_BYTES: usize = 512;

/// The kind of the frame that carries a message.
pub(crate) fn kind_of(message: &[u8]) -> FrameKind {
    FrameKind(message.first().copied().unwrap_or_default())
}

/// The table of kinds and sizes.
pub(crate) fn limits(terms: &Terms) -> Result<FrameLimits, ConfigError> {
    let (n, feeds, suites) = (
        usize::from(terms.committee.n()),
        terms.feeds.len(),
        terms.suites.len(),
    );
    let observation = 512 + feeds * OBS_FEED_BYTES + suites * OBS_SUITE_BYTES;
    let proof = BASE_BYTES + n * PROOF_MEMBER_BYTES;
    let of_kind = |kind: MessageKind| match kind {
        MessageKind::Obs => observation,
        MessageKind::Propose0
        | MessageKind::Timeout
        | MessageKind::Propose
        | MessageKind::Lock
        | MessageKind::Done
        | MessageKind::Status
        | MessageKind::SignReq => proof,
        MessageKind::Prepare
        | MessageKind::Commit
        | MessageKind::Vote
        | MessageKind::Ack
        | MessageKind::Coin
        | MessageKind::Ready
        | MessageKind::Share => 1_024,
    };
    let signed =
        (0..DECIDE).filter_map(|byte| Some((byte, of_kind(MessageKind::from_byte(byte)?))));
    let unsigned = [
        (DECIDE, proof),
        (FETCH, 256),
        (VALUE, proof + n * (observation + 128)),
        (CERT, BASE_BYTES + feeds * LEAF_BYTES),
        (WANT, 64),
    ];
    let entry = |(byte, bytes): (u8, usize)| {
        let bytes = u32::try_from(bytes)
            .unwrap_or(u32::MAX)
            .min(FRAME_BYTES_CEILING);
        (FrameKind(byte), bytes)
    };
    FrameLimits::new(signed.chain(unsigned).map(entry))
}

#[cfg(test)]
mod tests {
    use touchstone_types::{Committee, Digest, Epoch, FeedName, NetworkId, Suite};

    use super::*;

    #[test]
    fn the_largest_network_fits() {
        let terms = |n, feeds: usize| Terms {
            network: NetworkId(Digest([0; 32])),
            epoch: Epoch(0),
            committee: Committee::new(n, 0).expect("committee"),
            suites: vec![Suite::Ed25519, Suite::Secp256k1Keccak],
            feeds: vec![(FeedName::new("A-B").expect("name"), 0); feeds],
        };
        let limits = limits(&terms(128, 1_000)).expect("table");
        assert!(limits.largest() < FRAME_BYTES_CEILING, "no limit is cut");
        let small = self::limits(&terms(4, 12)).expect("table");
        assert_eq!(small.of(FrameKind(1)), Some(512 + 12 * 27 + 134));
    }
}
