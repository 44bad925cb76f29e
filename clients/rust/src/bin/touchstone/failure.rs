//! Failures and the exit codes that scripts see.

use std::{fmt, io};

use touchstone_client::{
    PinError, PinRefused, PolicyError, VerifyError,
    http::{AnswerError, ClientError},
    recompute::RecomputeError,
};

/// Exit codes, as `--help` and the README list them (2 is clap's, for the command line itself).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A file or an endpoint gave no usable answer, or evidence proves nothing.
    Unavailable = 1,
    /// Not authentic: form, network, signature, inclusion, pin.
    Forged = 3,
    /// Authentic, but refused by the conditions.
    Refused = 4,
    /// A recomputed round differs from what was signed.
    Differs = 5,
}

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    code: String,
    message: String,
    told: bool,
    broken_pipe: bool,
}

impl Failure {
    pub(crate) fn new(kind: Kind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            told: false,
            broken_pipe: false,
        }
    }

    /// A failure that the command's own output has told already.
    pub(crate) fn told(kind: Kind) -> Self {
        Self {
            told: true,
            ..Self::new(kind, "", "")
        }
    }

    /// Names the file or place that the failure is about.
    pub(crate) fn about(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Unavailable => 1,
            Kind::Forged => 3,
            Kind::Refused => 4,
            Kind::Differs => 5,
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": { "code": self.code, "message": self.message } })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            broken_pipe: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::new(Kind::Unavailable, "io", error.to_string())
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self::new(Kind::Forged, error.code(), error.to_string())
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::new(Kind::Refused, error.code(), error.to_string())
    }
}

impl From<PinError> for Failure {
    fn from(error: PinError) -> Self {
        Self::new(Kind::Forged, "bad-pin", error.to_string())
    }
}

impl From<PinRefused> for Failure {
    fn from(error: PinRefused) -> Self {
        Self::new(Kind::Forged, error.code(), error.to_string())
    }
}

impl From<RecomputeError> for Failure {
    fn from(error: RecomputeError) -> Self {
        Self::new(Kind::Forged, error.code(), error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let kind = match error.main_cause() {
            Some(AnswerError::Policy(_)) => Kind::Refused,
            Some(cause) if cause.is_forged() => Kind::Forged,
            _ => Kind::Unavailable,
        };
        Self::new(kind, error.code(), error.to_string())
    }
}
