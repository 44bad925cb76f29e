//! The secret side: from a draft to a signed message. This is what a node's vault does; the core never sees it.

use std::{collections::BTreeMap, sync::Arc};

use rand_core::{CryptoRngCore, OsRng};
use thiserror::Error;
use touchstone_crypto::{
    CoinInput, CoinSecretShare, CoinShare, IdentityKey, NonceId, NonceStore, SignTarget, SignerSet,
    SigningShare, sign,
};
use touchstone_types::{
    Digest, FeedObservation, Header, MemberId, MemberSignature, NonceCommitments, Observation,
    Round, Statement, View, sha256,
};

use crate::{
    message::{Content, Shares, Signed, Signer},
    step::Draft,
};

/// Which nonce: of an observation (no coordinator, slot 0), or offered to a coordinator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NonceKey {
    /// The round.
    pub round: Round,
    /// The coordinator that it was offered to; none for the nonce of the observation.
    pub coordinator: Option<MemberId>,
    /// The number of the offer; 0 for the nonce of the observation.
    pub slot: u32,
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
        signers: &[Signer],
        statement: &Statement,
    ) -> Result<Shares, ShareError>;
    /// Forgets the nonces of a round.
    fn forget(&mut self, round: Round);
}

/// Completes and signs a draft.
///
/// # Errors
/// Only a share can fail; see [`ShareError`].
pub fn seal<K: Keys + ?Sized>(
    keys: &mut K,
    me: MemberId,
    tag: Digest,
    round: Round,
    draft: Draft,
) -> Result<Signed, ShareError> {
    let (view, instance, content) = match draft {
        Draft::Complete {
            view,
            instance,
            content,
        } => (view, instance, content),
        Draft::Coin { view } => (view, 0, Content::Coin(keys.coin_share(round, view))),
        Draft::Ready { coordinator, slot } => {
            let nonces = keys.fresh_nonces(NonceKey {
                round,
                coordinator: Some(coordinator),
                slot,
            });
            (View(slot), coordinator.0, Content::Ready(nonces))
        }
        Draft::Share {
            coordinator,
            session,
            slot,
            signers,
            request,
            statement,
        } => {
            let key = NonceKey {
                round,
                coordinator: (slot > 0).then_some(coordinator),
                slot,
            };
            let shares = keys.sign_shares(key, &signers, &statement)?;
            let content = Content::Share { request, shares };
            (View(session), coordinator.0, content)
        }
    };
    Ok(finish(keys, me, tag, round, view, instance, content))
}

/// Makes and signs the member's observation of a round, with a fresh nonce for the round's first signing session.
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
        coordinator: None,
        slot: 0,
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
        identity: Arc<IdentityKey>,
        shares: Vec<SigningShare>,
        coin: CoinSecretShare,
        network: touchstone_types::NetworkId,
        epoch: touchstone_types::Epoch,
        mut rng: G,
    ) -> Self {
        Self {
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
        signers: &[Signer],
        statement: &Statement,
    ) -> Result<Shares, ShareError> {
        let open = self.open.remove(&key).ok_or(ShareError::NoNonce(key))?;
        let mut out = Vec::new();
        for (share, (id, commitments)) in self.shares.iter().zip(open) {
            let nonces = self.nonces.take(id).ok_or(ShareError::NoNonce(key))?;
            let mine = |s: &&Signer| s.nonces.contains(&commitments);
            if signers.iter().filter(mine).count() != 1 {
                return Err(ShareError::OtherNonce);
            }
            let suite = commitments.suite;
            let entries: Vec<_> = signers
                .iter()
                .filter_map(|s| {
                    let nonce = s.nonces.iter().find(|n| n.suite == suite)?;
                    Some((s.member, &nonce.bytes))
                })
                .collect();
            let set = SignerSet::decode(suite, &entries)?;
            let made = sign(share, nonces, &set, &SignTarget::Statement(statement))?;
            out.push((suite, made.0.to_vec()));
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
