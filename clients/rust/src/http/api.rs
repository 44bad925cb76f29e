//! The parts of the API's JSON that the client reads. Whatever is not here is not looked at.

use alloc::{string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use touchstone_types::{
    Attestation, HEADER_BYTES, Header, MemberSignature, Reader, Round, SignedObservation,
};

use super::AnswerError;

/// Anything with a signed update in it.
#[derive(Deserialize)]
pub(super) struct WithUpdate {
    update: String,
}

impl WithUpdate {
    pub(super) fn bytes(&self) -> Result<Vec<u8>, AnswerError> {
        decode(&self.update)
    }
}

/// `/v1/feeds/{feed}/at`.
#[derive(Deserialize)]
pub(super) struct AroundInstant {
    pub(super) before: WithUpdate,
    pub(super) after: Option<WithUpdate>,
}

/// `/v1/rounds/{round}`.
#[derive(Deserialize)]
pub(super) struct SignedRound {
    attestation: String,
}

impl SignedRound {
    pub(super) fn attestation(&self, asked: Round) -> Result<Attestation, AnswerError> {
        let attestation = Attestation::from_bytes(&decode(&self.attestation)?)?;
        let got = attestation.round();
        if got != asked {
            return Err(AnswerError::OtherRound { asked, got });
        }
        Ok(attestation)
    }
}

/// `/v1/rounds/{round}/observations`.
#[derive(Deserialize)]
pub(super) struct Observations {
    observations: Vec<ObservationJson>,
}

#[derive(Deserialize)]
struct ObservationJson {
    header: String,
    signature: String,
    body: String,
}

impl Observations {
    pub(super) fn decode(&self, asked: Round) -> Result<Vec<SignedObservation>, AnswerError> {
        self.observations
            .iter()
            .map(|observation| observation.decode(asked))
            .collect()
    }
}

impl ObservationJson {
    fn decode(&self, asked: Round) -> Result<SignedObservation, AnswerError> {
        let mut header = [0; HEADER_BYTES];
        hex::decode_to_slice(&self.header, &mut header).map_err(AnswerError::malformed)?;
        let header = Header::read(&mut Reader::new(&header))?;
        if header.round != asked {
            let got = header.round;
            return Err(AnswerError::OtherRound { asked, got });
        }
        let mut signature = [0; 64];
        hex::decode_to_slice(&self.signature, &mut signature).map_err(AnswerError::malformed)?;
        Ok(SignedObservation {
            header,
            signature: MemberSignature(signature),
            body: decode(&self.body)?,
        })
    }
}

/// A problem document (RFC 9457).
#[derive(Deserialize, Default)]
pub(super) struct Problem {
    pub(super) code: Option<String>,
    pub(super) title: Option<String>,
    pub(super) detail: Option<String>,
}

fn decode(base64: &str) -> Result<Vec<u8>, AnswerError> {
    STANDARD.decode(base64).map_err(AnswerError::malformed)
}
