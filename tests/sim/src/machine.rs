//! One member's core and its checks behind a wall, so that only they are compiled anew for each set of rules.

use std::sync::Arc;

use anyhow::Result;
use touchstone_consensus::{
    Core, Coverage, Input, Message, Now, Params, Rules, Scheme, Setup, Step, Verifier,
};
use touchstone_crypto::{Unverified, Verified};
use touchstone_types::{Committee, Digest, MemberId, Round, RoundClock, View};

use super::committee::Network;

/// A core, whatever its rules.
pub(super) trait Machine {
    /// See [`Core::handle`].
    fn handle(&mut self, now: Now, input: Input) -> Step;
    /// See [`Core::deadline`].
    fn deadline(&self, now: Now) -> Option<u64>;
    /// Calls back with each living round and its view.
    fn alive(&self, each: &mut dyn FnMut(Round, View));
    /// See [`Core::kept`].
    fn kept(&self) -> usize;
    /// See [`Core::coverage`].
    fn coverage(&self) -> &Coverage;
}

impl<R: Rules> Machine for Core<R> {
    fn handle(&mut self, now: Now, input: Input) -> Step {
        Self::handle(self, now, input)
    }

    fn deadline(&self, now: Now) -> Option<u64> {
        Self::deadline(self, now)
    }

    fn alive(&self, each: &mut dyn FnMut(Round, View)) {
        Self::alive(self).for_each(|(round, view)| each(round, view));
    }

    fn kept(&self) -> usize {
        Self::kept(self)
    }

    fn coverage(&self) -> &Coverage {
        Self::coverage(self)
    }
}

/// A member's checks, whatever its rules.
pub(super) trait Judge {
    /// See [`Verifier::tag`].
    fn tag(&self) -> Digest;
    /// See [`Verifier::scheme`].
    fn scheme(&self) -> &Arc<dyn Scheme>;
    /// The message, verified, or why it is refused.
    fn verify(&self, message: Message) -> Result<Verified<Message>, String>;
}

impl<R: Rules> Judge for Verifier<R> {
    fn tag(&self) -> Digest {
        Self::tag(self)
    }

    fn scheme(&self) -> &Arc<dyn Scheme> {
        Self::scheme(self)
    }

    fn verify(&self, message: Message) -> Result<Verified<Message>, String> {
        let verified = Unverified::new(message).verify(self);
        verified.map_err(|(_, error)| error.to_string())
    }
}

/// How a member starts.
pub(super) struct Start {
    pub(super) me: MemberId,
    pub(super) clock: RoundClock,
    pub(super) params: Params,
    pub(super) fence: Round,
}

/// A set of rules to make members by.
pub(super) trait Recipe: Sync {
    /// See [`Rules::signing_threshold`].
    fn signing_threshold(&self, committee: Committee) -> usize;
    /// Makes a member's core and its checks.
    fn make(&self, network: &Network, start: Start) -> Result<(Box<dyn Machine>, Box<dyn Judge>)>;
}

/// The recipe by rules.
pub(super) struct By<R>(pub(super) R);

impl<R: Rules> Recipe for By<R> {
    fn signing_threshold(&self, committee: Committee) -> usize {
        self.0.signing_threshold(committee)
    }

    fn make(&self, network: &Network, start: Start) -> Result<(Box<dyn Machine>, Box<dyn Judge>)> {
        let verifier = network.verifier(self.0)?;
        let core = Core::new(Setup {
            me: start.me,
            verifier: verifier.clone(),
            clock: start.clock,
            params: start.params,
            fence: start.fence,
        })?;
        Ok((Box::new(core), Box::new(verifier)))
    }
}
