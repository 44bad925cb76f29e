//! Evidence: what proves a member's misbehaviour to whoever holds the pin, and to nobody else's word.
//!
//! Nodes and aggregators keep it and serve it (`/v1/evidence`); they can withhold it, but make up none. The argument that no
//! honest member can be accused stands in [`touchstone_crypto::evidence`].

use alloc::vec::Vec;

use thiserror::Error;
use touchstone_crypto::EvidenceJudge;
pub use touchstone_crypto::{EvidenceRefusal, Guilt, Offence, ShareFault};
use touchstone_types::Pin;
pub use touchstone_types::{Evidence, EvidenceError};

/// Why evidence proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NotProved {
    /// Another network's, or of an epoch that the pin does not hold.
    #[error("it is about another network, or about an epoch that the pin does not hold")]
    UnknownEpoch,
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] EvidenceRefusal),
}

impl NotProved {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownEpoch => "unknown-epoch",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}

/// Judges evidence by a pin.
///
/// The pin is believed: check it first, with [`crate::Verifier::from_pin`] and [`crate::check_pin_members`].
#[derive(Clone, Debug)]
pub struct EvidenceVerifier {
    judges: Vec<EvidenceJudge>,
}

impl EvidenceVerifier {
    /// A verifier for every epoch of a pin.
    ///
    /// # Errors
    /// An epoch whose committee or identities are none.
    pub fn from_pin(pin: &Pin) -> Result<Self, EvidenceRefusal> {
        let network = pin.network_id();
        let judge = |(manifest, record)| EvidenceJudge::new(network, manifest, record);
        let judges = pin.epochs().map(judge).collect::<Result<_, _>>()?;
        Ok(Self { judges })
    }

    /// Reads evidence and says what it proves.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn verify_bytes(&self, bytes: &[u8]) -> Result<Guilt, NotProved> {
        let evidence = Evidence::from_bytes(bytes).map_err(EvidenceRefusal::from)?;
        self.verify(&evidence)
    }

    /// What evidence proves.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn verify(&self, evidence: &Evidence) -> Result<Guilt, NotProved> {
        let tag = evidence.header().tag;
        let judge = self.judges.iter().find(|judge| judge.tag() == tag);
        let guilt = judge.ok_or(NotProved::UnknownEpoch)?.judge(evidence)?;
        Ok(guilt)
    }
}
