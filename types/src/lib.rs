//! The shared vocabulary of Touchstone.
//!
//! Ids, prices, observations, reports, statements, Merkle trees and the canonical bytes of everything that is signed.
//! Nothing here does IO, reads a clock or knows a secret; the crate is `no_std` with `alloc`, so that a verifier on a
//! small target and the node share one definition of every byte. `docs/attestation.md` describes the formats.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod attestation;
mod bytes;
mod committee;
mod epoch;
mod evidence;
mod feed;
mod header;
mod ids;
mod json;
mod leaf;
mod manifest;
pub mod merkle;
mod observation;
mod pin;
mod price;
mod report;
mod session;
mod statement;
mod update;

pub use attestation::{Attestation, AttestationError, SignedObservation};
pub use bytes::{DecodeError, Reader};
pub use committee::{Committee, CommitteeError, MAX_MEMBERS, MemberSet};
pub use epoch::{EpochRecord, EpochRecordError, GroupSignatureEntry, SuiteKeys};
pub use evidence::{EVIDENCE_VERSION, Evidence, EvidenceError, SignedHeader, commit_body};
pub use feed::{FEED_NAME_MAX, FeedName, FeedNameError};
pub use header::{HEADER_BYTES, Header, MemberSignature, MessageKind};
pub use ids::{Digest, Epoch, MemberId, NetworkId, Round, SUITES, Suite, SuiteError, View, sha256};
pub use json::canonical_json;
pub use leaf::{LEAF_BYTES, Leaf, Status, StatusError};
pub use manifest::{
    FeedSpec, MANIFEST_FEEDS_MAX, Manifest, ManifestError, Market, Member, RoundClock,
};
pub use observation::{FeedObservation, NonceCommitments, Observation, read_nonces, write_nonces};
pub use pin::{Pin, PinError, PinnedEpoch};
pub use price::{Decimal, DecimalError, EXPONENT_MAX, EXPONENT_MIN};
pub use report::{Contribution, Report, ReportError, Terms};
pub use session::{SessionShare, SessionSigner, SigningSession};
pub use statement::{STATEMENT_BYTES, STATEMENT_MAGIC, Statement};
pub use update::{MAX_PATH, PriceUpdate, UPDATE_VERSION, UpdateEntry, UpdateError};
