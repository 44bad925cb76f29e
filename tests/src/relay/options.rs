//! Options of a command line that say how bad the network is.

use std::time::Duration;

use clap::Args;

use super::{Chance, Impairment, ImpairmentError};

/// How bad every link is.
#[derive(Args, Clone, Copy, Debug)]
pub struct ImpairmentArgs {
    /// Time on the way, one way, in milliseconds, 0 to 60000
    #[arg(long, value_name = "MS", default_value_t = 50)]
    delay_ms: u64,
    /// How far that time differs either way at most, in milliseconds, up to the delay
    #[arg(long, value_name = "MS", default_value_t = 0)]
    jitter_ms: u64,
    /// Datagrams that are lost, in per cent
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    loss: Chance,
    /// Datagrams that come twice, in per cent
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    duplicate: Chance,
}

impl ImpairmentArgs {
    /// The impairment.
    ///
    /// # Errors
    /// Values that contradict each other, or are out of range.
    pub fn impairment(&self) -> Result<Impairment, ImpairmentError> {
        let impairment = Impairment {
            delay: Duration::from_millis(self.delay_ms),
            jitter: Duration::from_millis(self.jitter_ms),
            loss: self.loss,
            duplication: self.duplicate,
        };
        impairment.validate().map(|()| impairment)
    }
}
