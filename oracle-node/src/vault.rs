//! The vault: one thread that holds every secret of the node and signs what the engine asks for, in order.
//!
//! Requests and answers travel by channels, so nothing else in the process can reach a key or a nonce. The engine bounds how
//! many requests are under way ([`IN_FLIGHT_MAX`]) by taking in no messages meanwhile.

use std::{
    collections::BTreeSet,
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use touchstone_consensus::{
    Draft, Signed, To,
    keys::{Keys, ShareError, seal, seal_observation},
};
use touchstone_types::{Digest, FeedObservation, MemberId, Round};

/// Requests under way beyond which the engine takes in no messages.
pub(crate) const IN_FLIGHT_MAX: usize = 1_024;

/// What the vault is asked.
#[derive(Debug)]
enum Request {
    Seal {
        to: To,
        round: Round,
        draft: Box<Draft>,
    },
    Observe {
        round: Round,
        timestamp_ms: u64,
        feeds: Vec<FeedObservation>,
    },
    /// Destroy the nonces of one round.
    Forget(Round),
    /// Destroy all nonces.
    ForgetAll,
}

/// A message that is ready to be sent, or why there is none.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) to: To,
    pub(crate) round: Round,
    pub(crate) result: Result<Box<Signed>, ShareError>,
}

/// The engine's end.
pub(crate) struct Vault {
    requests: Sender<Request>,
    in_flight: usize,
    thread: JoinHandle<()>,
}

impl Vault {
    /// Hands the secrets to a thread of their own; sealed messages come out of the receiver.
    pub(crate) fn start<K: Keys + Send + 'static>(
        keys: K,
        me: MemberId,
        tag: Digest,
    ) -> io::Result<(Self, UnboundedReceiver<Sealed>)> {
        let (requests, incoming) = channel();
        let (outgoing, sealed) = unbounded_channel();
        let thread = thread::Builder::new()
            .name("vault".to_owned())
            .spawn(move || serve(keys, me, tag, &incoming, &outgoing))?;
        Ok((
            Self {
                requests,
                in_flight: 0,
                thread,
            },
            sealed,
        ))
    }

    pub(crate) fn seal(&mut self, to: To, round: Round, draft: Draft) -> Result<(), VaultGone> {
        self.in_flight += 1;
        self.ask(Request::Seal {
            to,
            round,
            draft: Box::new(draft),
        })
    }

    pub(crate) fn observe(
        &mut self,
        round: Round,
        timestamp_ms: u64,
        feeds: Vec<FeedObservation>,
    ) -> Result<(), VaultGone> {
        self.in_flight += 1;
        self.ask(Request::Observe {
            round,
            timestamp_ms,
            feeds,
        })
    }

    pub(crate) fn forget(&mut self, round: Round) -> Result<(), VaultGone> {
        self.ask(Request::Forget(round))
    }

    pub(crate) fn forget_all(&mut self) -> Result<(), VaultGone> {
        self.ask(Request::ForgetAll)
    }

    /// An answer has come.
    pub(crate) fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Requests without an answer yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Ends the thread; the secrets are zeroised.
    pub(crate) fn close(self) {
        drop(self.requests);
        if self.thread.join().is_err() {
            tracing::error!("the vault panicked");
        }
    }

    fn ask(&self, request: Request) -> Result<(), VaultGone> {
        self.requests.send(request).map_err(|_| VaultGone)
    }
}

/// The vault's thread is gone; the node can sign nothing any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the vault has ended")]
pub(crate) struct VaultGone;

fn serve<K: Keys>(
    mut keys: K,
    me: MemberId,
    tag: Digest,
    requests: &Receiver<Request>,
    sealed: &UnboundedSender<Sealed>,
) {
    // Rounds that may have nonces.
    let mut rounds = BTreeSet::new();
    while let Ok(request) = requests.recv() {
        let answer = match request {
            Request::Seal { to, round, draft } => {
                rounds.insert(round);
                let result = seal(&mut keys, me, tag, round, *draft).map(Box::new);
                Sealed { to, round, result }
            }
            Request::Observe {
                round,
                timestamp_ms,
                feeds,
            } => {
                rounds.insert(round);
                let signed = seal_observation(&mut keys, me, tag, round, timestamp_ms, feeds);
                Sealed {
                    to: To::All,
                    round,
                    result: Ok(Box::new(signed)),
                }
            }
            Request::Forget(round) => {
                rounds.remove(&round);
                keys.forget(round);
                continue;
            }
            Request::ForgetAll => {
                std::mem::take(&mut rounds)
                    .into_iter()
                    .for_each(|round| keys.forget(round));
                continue;
            }
        };
        if sealed.send(answer).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use touchstone_consensus::{
        Content, NonceUse,
        keys::{NonceKey, Shares},
    };
    use touchstone_crypto::CoinShare;
    use touchstone_types::{
        Header, MemberSignature, NonceCommitments, SigningSession, Suite, View,
    };

    use super::*;

    /// Says aloud what it is asked; nonces are a set.
    #[derive(Default)]
    struct Symbols {
        nonces: BTreeSet<NonceKey>,
    }

    impl Keys for Symbols {
        fn sign(&mut self, _: &Header) -> MemberSignature {
            MemberSignature([1; 64])
        }

        fn coin_share(&mut self, _: Round, _: View) -> CoinShare {
            CoinShare {
                value: [2; 32],
                proof: [3; 64],
            }
        }

        fn fresh_nonces(&mut self, key: NonceKey) -> Vec<NonceCommitments> {
            self.nonces.insert(key);
            vec![NonceCommitments {
                suite: Suite::Ed25519,
                bytes: vec![4; 64],
            }]
        }

        fn sign_shares(&mut self, key: NonceKey, _: &SigningSession) -> Result<Shares, ShareError> {
            let had = self.nonces.remove(&key);
            had.then(Vec::new).ok_or(ShareError::NoNonce(key))
        }

        fn forget(&mut self, round: Round) {
            self.nonces.retain(|k| k.round != round);
        }
    }

    fn share(round: u64) -> Draft {
        Draft::Share {
            nonce: NonceUse::Session(View(0)),
            view: View(1),
            instance: 0,
            session: Arc::new(SigningSession {
                statement: crate::history::tests::attestation(round).statement,
                signers: Vec::new(),
            }),
        }
    }

    #[test]
    fn requests_are_answered_in_order_and_a_nonce_serves_once() {
        let (mut vault, mut sealed) =
            Vault::start(Symbols::default(), MemberId(0), Digest([9; 32])).expect("thread");
        vault.observe(Round(5), 1_000, Vec::new()).expect("vault");
        vault
            .seal(To::One(MemberId(1)), Round(5), share(5))
            .expect("vault");
        vault
            .seal(To::One(MemberId(1)), Round(5), share(5))
            .expect("vault");
        assert_eq!(vault.in_flight(), 3);
        let observed = sealed
            .blocking_recv()
            .expect("observation")
            .result
            .expect("signed");
        assert!(
            matches!(observed.content, Content::Obs { .. }) && observed.header.round == Round(5)
        );
        assert!(sealed.blocking_recv().expect("share").result.is_ok());
        assert!(matches!(
            sealed.blocking_recv().expect("none").result,
            Err(ShareError::NoNonce(_))
        ));
        vault.close();
        assert!(sealed.blocking_recv().is_none());
    }

    #[test]
    fn forgotten_nonces_sign_nothing() {
        let (mut vault, mut sealed) =
            Vault::start(Symbols::default(), MemberId(0), Digest([9; 32])).expect("thread");
        for round in [5, 6, 7] {
            vault
                .observe(Round(round), 1_000, Vec::new())
                .expect("vault");
            sealed.blocking_recv().expect("observation");
        }
        vault.forget(Round(5)).expect("vault");
        vault.seal(To::All, Round(5), share(5)).expect("vault");
        assert!(sealed.blocking_recv().expect("answer").result.is_err());
        vault.seal(To::All, Round(6), share(6)).expect("vault");
        assert!(sealed.blocking_recv().expect("answer").result.is_ok());
        vault.forget_all().expect("vault");
        vault.seal(To::All, Round(7), share(7)).expect("vault");
        assert!(sealed.blocking_recv().expect("answer").result.is_err());
        vault.close();
    }
}
