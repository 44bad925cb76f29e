//! The secret side: from a draft to a signed message. This is what a node's vault does; the core never sees it.

use std::{collections::BTreeMap, sync::Arc};

use rand_core::{CryptoRngCore, OsRng};
use thiserror::Error;
use touchstone_crypto::{
    CoinInput, CoinSecretShare, CoinShare, IdentityKey, NonceId, NonceStore, SigningShare,
};
use touchstone_types::{
    Digest, FeedObservation, Header, MemberId, MemberSignature, NonceCommitments, Observation,
    Round, SessionShare, SigningSession, Suite, View, sha256,
};

use crate::{
    message::{Content, Signed},
    scheme::FrostSuite,
    step::{Draft, NonceUse},
};

/// A member's shares of the group signature, one for each suite.
pub type Shares = Vec<(Suite, Vec<u8>)>;

/// Which nonce of the member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NonceKey {
    /// The round.
    pub round: Round,
    /// What it is for.
    pub purpose: NonceUse,
}

/// Why a share was not made.
#[derive(Debug, Error)]
pub enum ShareError {
    /// The nonce was used, forgotten, or never made.
    #[error("no such nonce: {0:?}")]
    NoNonce(NonceKey),
    /// The session lists other commitments of this member than those of the nonce.
    #[error("the session lists other nonce commitments than this member's")]
    OtherNonce,
    /// The session lists commitments that do not decode.
    #[error("the session lists nonce commitments that are none")]
    NoSession,
    /// FROST refuses.
    #[error(transparent)]
    Frost(#[from] touchstone_crypto::SignError),
}

/// The secrets of one member: real ones, or a simulator's symbols.
pub trait Keys {
    /// Signs a header with the member's identity.
    fn sign(&mut self, header: &Header) -> MemberSignature;
    /// The member's share of the coin of (round, view).
    fn coin_share(&mut self, round: Round, view: View) -> CoinShare;
    /// Makes a fresh nonce for each suite, in memory only.
    fn fresh_nonces(&mut self, key: NonceKey) -> Vec<NonceCommitments>;
    /// Makes the member's shares with that nonce, which is gone whatever the outcome.
    ///
    /// # Errors
    /// There is no such nonce, or it is not the one that the session lists.
    fn sign_shares(
        &mut self,
        key: NonceKey,
        session: &SigningSession,
    ) -> Result<Shares, ShareError>;
    /// Forgets the nonces of a round.
    fn forget(&mut self, round: Round);
}

/// Completes and signs a draft.
///
/// # Errors
/// Only a SHARE can fail; see [`ShareError`].
pub fn seal<K: Keys + ?Sized>(
    keys: &mut K,
    me: MemberId,
    tag: Digest,
    round: Round,
    draft: Draft,
) -> Result<Signed, ShareError> {
    let key = |purpose| NonceKey { round, purpose };
    let (view, instance, content) = match draft {
        Draft::Complete {
            view,
            instance,
            content,
        } => (view, instance, content),
        Draft::Coin { view } => (view, 0, Content::Coin(keys.coin_share(round, view))),
        Draft::Standing { view, mut content } => {
            if let Content::Timeout { standing, .. } | Content::Status { standing, .. } =
                &mut content
            {
                standing.nonces = keys.fresh_nonces(key(NonceUse::Session(view.next())));
            }
            (view, 0, content)
        }
        Draft::Commit { value, session } => {
            let share = session.and_then(|session| {
                let used = key(NonceUse::Session(View(0)));
                let shares = keys.sign_shares(used, &session).ok()?;
                let session = session.digest();
                Some(SessionShare { session, shares })
            });
            let nonces = keys.fresh_nonces(key(NonceUse::Retry));
            let content = Content::Commit {
                value,
                nonces,
                share,
            };
            (View(0), 0, content)
        }
        Draft::Ready { coordinator, slot } => {
            let nonces = keys.fresh_nonces(key(NonceUse::Offer { coordinator, slot }));
            (View(slot), coordinator.0, Content::Ready(nonces))
        }
        Draft::Share {
            nonce,
            view,
            instance,
            session,
        } => {
            let shares = keys.sign_shares(key(nonce), &session)?;
            let session = session.digest();
            (
                view,
                instance,
                Content::Share(SessionShare { session, shares }),
            )
        }
    };
    Ok(finish(keys, me, tag, round, view, instance, content))
}

/// Makes and signs the member's observation of a round, with a fresh nonce for the session of view 0.
pub fn seal_observation<K: Keys + ?Sized>(
    keys: &mut K,
    me: MemberId,
    tag: Digest,
    round: Round,
    timestamp_ms: u64,
    feeds: Vec<FeedObservation>,
) -> Signed {
    let nonces = keys.fresh_nonces(NonceKey {
        round,
        purpose: NonceUse::Session(View(0)),
    });
    let observation = Observation {
        timestamp_ms,
        feeds,
        nonces,
    };
    let content = Content::Obs {
        body: observation.to_bytes().into(),
        observation: observation.into(),
    };
    finish(keys, me, tag, round, View(0), 0, content)
}

fn finish<K: Keys + ?Sized>(
    keys: &mut K,
    me: MemberId,
    tag: Digest,
    round: Round,
    view: View,
    instance: u16,
    content: Content,
) -> Signed {
    let header = Header {
        tag,
        kind: content.kind(),
        round,
        view,
        instance,
        member: me,
        body_hash: sha256(&[&content.body()]),
    };
    Signed {
        header,
        signature: keys.sign(&header),
        content,
    }
}

/// Real secrets.
pub struct MemberKeys<G: CryptoRngCore = OsRng> {
    public: Arc<FrostSuite>,
    identity: Arc<IdentityKey>,
    shares: Vec<SigningShare>,
    coin: CoinSecretShare,
    coin_input: CoinInput,
    nonces: NonceStore,
    open: BTreeMap<NonceKey, Vec<(NonceId, NonceCommitments)>>,
    rng: G,
}

impl<G: CryptoRngCore> MemberKeys<G> {
    /// The secrets of one member in one epoch. Outside of tests the generator is the operating system's.
    pub fn new(
        public: Arc<FrostSuite>,
        identity: Arc<IdentityKey>,
        shares: Vec<SigningShare>,
        coin: CoinSecretShare,
        network: touchstone_types::NetworkId,
        epoch: touchstone_types::Epoch,
        mut rng: G,
    ) -> Self {
        Self {
            public,
            identity,
            shares,
            coin,
            coin_input: CoinInput {
                network,
                epoch,
                round: Round(0),
                view: View(0),
            },
            nonces: NonceStore::new(&mut rng),
            open: BTreeMap::new(),
            rng,
        }
    }
}

impl<G: CryptoRngCore> Keys for MemberKeys<G> {
    fn sign(&mut self, header: &Header) -> MemberSignature {
        self.identity.sign_header(header)
    }

    fn coin_share(&mut self, round: Round, view: View) -> CoinShare {
        let input = CoinInput {
            round,
            view,
            ..self.coin_input
        };
        self.coin.share(&input, &mut self.rng)
    }

    fn fresh_nonces(&mut self, key: NonceKey) -> Vec<NonceCommitments> {
        let made: Vec<_> = self
            .shares
            .iter()
            .map(|share| self.nonces.fresh(share, &mut self.rng))
            .collect();
        let commitments = made.iter().map(|(_, c)| c.clone()).collect();
        self.open.insert(key, made);
        commitments
    }

    fn sign_shares(
        &mut self,
        key: NonceKey,
        session: &SigningSession,
    ) -> Result<Shares, ShareError> {
        let open = self.open.remove(&key).ok_or(ShareError::NoNonce(key))?;
        let prepared = self.public.prepare(session);
        let prepared = prepared.ok_or(ShareError::NoSession)?;
        let mut out = Vec::new();
        for ((share, (id, commitments)), session_of_suite) in
            self.shares.iter().zip(open).zip(&*prepared)
        {
            let nonces = self.nonces.take(id).ok_or(ShareError::NoNonce(key))?;
            let mine = session.signer(share.member());
            if !mine.is_some_and(|s| s.nonces.contains(&commitments)) {
                return Err(ShareError::OtherNonce);
            }
            let made = session_of_suite.sign(share, nonces)?;
            out.push((commitments.suite, made.0.to_vec()));
        }
        Ok(out)
    }

    fn forget(&mut self, round: Round) {
        let gone: Vec<_> = self
            .open
            .keys()
            .filter(|k| k.round == round)
            .copied()
            .collect();
        for key in gone {
            for (id, _) in self.open.remove(&key).unwrap_or_default() {
                self.nonces.discard(id);
            }
        }
    }
}
