//! Back-filling: reading the answer to a request for certain rounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use quinn::RecvStream;
use thiserror::Error;
use tokio::time::timeout;
use touchstone_types::Round;

use super::client::ObserverError;
use super::wire::{Item, read_item};

/// Why a fetch failed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FetchError {
    /// There is no connection to the node at the moment.
    #[error("the node is not connected")]
    NotConnected,
    /// The node did not answer in time.
    #[error("the node did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The answer broke off, or was none.
    #[error(transparent)]
    Node(#[from] ObserverError),
}

/// The answer to a fetch, read as it is asked for.
pub struct Fetch {
    pub(super) stream: RecvStream,
    pub(super) rounds: RangeInclusive<Round>,
    pub(super) item_bytes_max: u32,
    /// How long one item may take.
    pub(super) patience: Duration,
}

impl Fetch {
    /// The next item; `None` when the node has no more of the asked rounds.
    ///
    /// # Errors
    /// An answer that breaks off, stalls, or has items that were not asked for.
    pub async fn next(&mut self) -> Result<Option<Item>, FetchError> {
        let item = timeout(
            self.patience,
            read_item(&mut self.stream, self.item_bytes_max),
        )
        .await
        .map_err(|_| FetchError::Timeout(self.patience))?
        .map_err(|fault| FetchError::Node(fault.into()))?;
        if let Some(item) = &item
            && !self.rounds.contains(&item.round)
        {
            let text = format!("round {} was not asked for", item.round);
            return Err(FetchError::Node(ObserverError::Misbehaved(text)));
        }
        Ok(item)
    }
}
