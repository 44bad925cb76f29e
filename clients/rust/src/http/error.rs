//! Why no endpoint gave a usable answer.

use alloc::{string::String, vec::Vec};
use core::fmt;

use thiserror::Error;
use touchstone_types::{AttestationError, DecodeError, FeedName, Round, Suite};

use crate::{PolicyError, VerifyError};

/// What is wrong with one endpoint's answer.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// No answer: connection, TLS, time-out.
    #[error("{0}")]
    Transport(String),
    /// An error status, with the problem's code and title where the answer has them (RFC 9457).
    #[error("HTTP {status}: {code}: {detail}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The problem's `code`, or `http`.
        code: String,
        /// The problem's detail or title.
        detail: String,
    },
    /// The answer is longer than the client's limit.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The answer is not what the API says.
    #[error("the answer is malformed: {0}")]
    Malformed(String),
    /// The bytes do not verify.
    #[error("refused: {0}")]
    Verify(#[from] VerifyError),
    /// The attestation's bytes do not hold together.
    #[error("refused: {0}")]
    Attestation(#[from] AttestationError),
    /// An observation's header is malformed.
    #[error("refused: {0}")]
    Decode(#[from] DecodeError),
    /// The answer is authentic, but about something else than was asked.
    #[error("asked for {asked}, the answer does not hold it")]
    OtherFeed {
        /// The feed that was asked for.
        asked: FeedName,
    },
    /// The answer is authentic, but signed in another suite than was asked.
    #[error("asked for a signature in {asked}, got one in {got}")]
    OtherSuite {
        /// The suite that was asked for.
        asked: Suite,
        /// The suite of the answer.
        got: Suite,
    },
    /// The answer is authentic, but about another round than was asked.
    #[error("asked for round {asked}, got round {got}")]
    OtherRound {
        /// The round that was asked for.
        asked: Round,
        /// The round of the answer.
        got: Round,
    },
    /// There is no update after the instant yet.
    #[error("no update after this instant has been signed yet: ask again in a moment")]
    NoNextYet,
    /// The update is authentic, but the policy refuses it.
    #[error("refused by the policy: {0}")]
    Policy(#[from] PolicyError),
}

impl AnswerError {
    /// A stable name; of an HTTP problem its own `code`.
    pub fn code(&self) -> &str {
        match self {
            Self::Transport(_) => "transport",
            Self::Status { code, .. } => code,
            Self::TooLong { .. } => "too-long",
            Self::Malformed(_) => "malformed",
            Self::Verify(error) => error.code(),
            Self::Attestation(_) | Self::Decode(_) => "bad-attestation",
            Self::OtherFeed { .. } => "other-feed",
            Self::OtherSuite { .. } => "other-suite",
            Self::OtherRound { .. } => "other-round",
            Self::NoNextYet => "no-next-yet",
            Self::Policy(error) => error.code(),
        }
    }

    /// Whether the answer was not authentic: an endpoint that lies, or bytes damaged on the way.
    pub fn is_forged(&self) -> bool {
        matches!(
            self,
            Self::Verify(_) | Self::Attestation(_) | Self::Decode(_)
        )
    }

    pub(super) fn malformed(error: impl fmt::Display) -> Self {
        Self::Malformed(alloc::format!("{error}"))
    }
}

impl From<reqwest::Error> for AnswerError {
    fn from(error: reqwest::Error) -> Self {
        // reqwest's own text names the URL only; the reason is in the sources.
        let mut text = alloc::format!("{error}");
        let mut source = core::error::Error::source(&error);
        while let Some(inner) = source {
            text.push_str(&alloc::format!(": {inner}"));
            source = inner.source();
        }
        Self::Transport(text)
    }
}

/// One endpoint and what is wrong with its answer.
#[derive(Debug)]
pub struct EndpointError {
    /// The endpoint's base URL.
    pub endpoint: String,
    /// What is wrong.
    pub error: AnswerError,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.error)
    }
}

/// Why a call of the client failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The client cannot be built like this.
    #[error("{0}")]
    Config(String),
    /// Every endpoint failed, each for its own reason, in the order in which they were tried.
    #[error("no endpoint gave a usable answer: {}", join(.0))]
    AllFailed(Vec<EndpointError>),
}

impl ClientError {
    /// The error that says most: a policy's refusal of an authentic answer, then a forged answer, then the first.
    pub fn main_cause(&self) -> Option<&AnswerError> {
        let Self::AllFailed(errors) = self else {
            return None;
        };
        let find = |wanted: fn(&AnswerError) -> bool| errors.iter().find(|e| wanted(&e.error));
        find(|e| matches!(e, AnswerError::Policy(_)))
            .or_else(|| find(AnswerError::is_forged))
            .or(errors.first())
            .map(|e| &e.error)
    }

    /// The stable name of [`ClientError::main_cause`].
    pub fn code(&self) -> &str {
        self.main_cause().map_or("config", AnswerError::code)
    }
}

fn join(errors: &[EndpointError]) -> String {
    let texts: Vec<String> = errors.iter().map(|e| alloc::format!("{e}")).collect();
    texts.join("; ")
}
