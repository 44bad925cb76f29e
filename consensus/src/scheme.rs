//! The public side of the cryptography, as the round needs it: real for the network, symbols for a simulator.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use thiserror::Error;
use touchstone_crypto::{
    AggregateError, CoinInput, CoinPublic, CoinShare, GroupKey, GroupKeyError, IdentityError,
    IdentityPublic, KeyError, PreparedSession, Roster, ShareScheme, SignTarget, SignatureShare,
    SigningPublic,
    sign::{Commitments, SignerSet},
};
use touchstone_types::{
    Committee, Digest, EpochRecord, Header, Manifest, MemberId, MemberSignature, NonceCommitments,
    Round, SessionShare, SessionSigner, SigningSession, Statement, Suite, View,
};

use crate::{message::Signer, seen::Seen};

/// How many coins [`FrostSuite`] remembers; views of more rounds are never alive at once.
const COINS_KEPT: usize = 4_096;
/// How many prepared sessions [`FrostSuite`] remembers: the signer and the one who adds the shares up use the same, within
/// the few rounds that overlap.
const SESSIONS_KEPT: usize = 8;

/// A round's group signatures, one for each suite.
pub type GroupSignatures = Vec<(Suite, Vec<u8>)>;

/// An opened coin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Election {
    /// The elected member.
    pub leader: MemberId,
    /// Shares that open the coin, each of them checked.
    pub shares: Arc<[(MemberId, CoinShare)]>,
}

/// Everything that can be checked or put together without a secret.
pub trait Scheme: Send + Sync {
    /// Whether every header was signed by its member. A set passes exactly when each signature passes alone.
    fn verify_members(&self, signed: &[(Header, MemberSignature)]) -> bool;

    /// The verdict of [`Scheme::verify_members`] on each header alone, in order.
    fn verify_each(&self, signed: &[(Header, MemberSignature)]) -> Vec<bool> {
        let alone = |one| self.verify_members(std::slice::from_ref(one));
        signed.iter().map(alone).collect()
    }

    /// Whether a share of the coin of (round, view) is its member's.
    fn verify_coin_share(
        &self,
        round: Round,
        view: View,
        member: MemberId,
        share: &CoinShare,
    ) -> bool;

    /// The outcome of the coin of (round, view); `None` if these shares, of which no more than the needed ones may be looked at,
    /// do not open it. A coin that was opened before is remembered with the shares that opened it: it is unique, so these ones
    /// need not be looked at again.
    fn elect(&self, round: Round, view: View, shares: &[(MemberId, CoinShare)])
    -> Option<Election>;

    /// Whether a session can be made with these commitments, which are one pair for each suite.
    fn verify_nonces(&self, member: MemberId, nonces: &[NonceCommitments]) -> bool;

    /// Whether the group signed the statement, in every suite of the network.
    fn verify_group(&self, statement: &Statement, signatures: &[(Suite, Vec<u8>)]) -> bool;

    /// Whether a member's shares are right in the session.
    fn verify_share(
        &self,
        session: &SigningSession,
        member: MemberId,
        share: &SessionShare,
    ) -> bool;

    /// Adds up the shares of all signers of a session.
    ///
    /// # Errors
    /// The members whose share is wrong.
    fn aggregate(
        &self,
        session: &SigningSession,
        shares: &[(MemberId, SessionShare)],
    ) -> Result<GroupSignatures, Vec<MemberId>>;
}

/// Why the keys of an epoch cannot be used.
#[derive(Debug, Error)]
pub enum SchemeError {
    /// A member's identity is no key.
    #[error("identity of member {member}: {error}")]
    Identity {
        /// The member.
        member: u16,
        /// Why.
        error: IdentityError,
    },
    /// The group key is no key.
    #[error("group key: {0}")]
    GroupKey(#[from] GroupKeyError),
    /// A verifying share is no key.
    #[error("verifying shares: {0}")]
    Shares(#[from] KeyError),
    /// The coin's keys are no keys.
    #[error("coin keys: {0}")]
    Coin(#[from] touchstone_crypto::CoinError),
    /// The committee is impossible.
    #[error(transparent)]
    Committee(#[from] touchstone_types::CommitteeError),
}

/// The real thing: Ed25519 identities, FROST group keys, the ristretto255 coin.
pub struct FrostSuite {
    committee: Committee,
    roster: Roster,
    seen: Mutex<Seen>,
    keys: Vec<SuitePublic>,
    coin: CoinPublic,
    coin_input: CoinInput,
    coins: Mutex<BTreeMap<(Round, View), Election>>,
    /// The commitments of each member that were decoded last: who proposes a session looks at them before it prepares it.
    commitments: Mutex<BTreeMap<(Suite, MemberId), Decoded>>,
    sessions: Mutex<VecDeque<(Digest, Arc<[PreparedSession]>)>>,
}

/// Nonce commitments as they travelled, and decoded.
struct Decoded {
    bytes: Vec<u8>,
    commitments: Commitments,
}

struct SuitePublic {
    group: GroupKey,
    signing: SigningPublic,
}

impl FrostSuite {
    /// The keys of an epoch.
    ///
    /// # Errors
    /// A key that is none.
    pub fn new(
        network: touchstone_types::NetworkId,
        manifest: &Manifest,
        record: &EpochRecord,
    ) -> Result<Self, SchemeError> {
        let committee = manifest.committee()?;
        let identities = manifest.members.iter().map(|m| {
            IdentityPublic::new(m.identity.0).map_err(|error| SchemeError::Identity {
                member: m.id.0,
                error,
            })
        });
        let keys = record.keys.iter().map(|k| {
            Ok(SuitePublic {
                group: GroupKey::new(k.suite, &k.group_key)?,
                signing: SigningPublic::new(committee, k)?,
            })
        });
        Ok(Self {
            committee,
            seen: Mutex::default(),
            roster: Roster::new(identities.collect::<Result<Vec<_>, _>>()?),
            keys: keys.collect::<Result<_, SchemeError>>()?,
            coin: CoinPublic::from_record(committee, record)?,
            coin_input: CoinInput {
                network,
                epoch: manifest.epoch,
                round: Round(0),
                view: View(0),
            },
            coins: Mutex::new(BTreeMap::new()),
            commitments: Mutex::new(BTreeMap::new()),
            sessions: Mutex::new(VecDeque::new()),
        })
    }

    fn input(&self, round: Round, view: View) -> CoinInput {
        CoinInput {
            round,
            view,
            ..self.coin_input
        }
    }

    /// A session made ready for signing and checking, one entry for each suite; none if its commitments do not decode.
    pub(crate) fn prepare(&self, session: &SigningSession) -> Option<Arc<[PreparedSession]>> {
        let digest = session.digest();
        // A poisoned lock holds a cache that is still true: a digest names one session.
        let cache = || self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = cache().iter().find(|(d, _)| *d == digest) {
            return Some(Arc::clone(known));
        }
        let target = SignTarget::Statement(&session.statement);
        let of_suite = |key: &SuitePublic| {
            let suite = key.group.suite();
            let entries = session.signers.iter().map(|s| {
                let nonce = s.nonces.iter().find(|n| n.suite == suite)?;
                Some((s.member, self.decode(s.member, nonce)?))
            });
            let entries = entries.collect::<Option<Vec<_>>>()?;
            let signers = SignerSet::from_decoded(suite, &entries).ok()?;
            PreparedSession::from_set(&key.signing, &signers, &target).ok()
        };
        let prepared = self.keys.iter().map(of_suite).collect::<Option<Vec<_>>>()?;
        let prepared: Arc<[PreparedSession]> = prepared.into();
        let mut cache = cache();
        cache.push_back((digest, Arc::clone(&prepared)));
        if cache.len() > SESSIONS_KEPT {
            cache.pop_front();
        }
        Some(prepared)
    }

    /// Nonce commitments of a member of the committee, decoded.
    fn decode(&self, member: MemberId, nonce: &NonceCommitments) -> Option<Commitments> {
        if !self.committee.contains(member) {
            return None;
        }
        // A poisoned lock holds a map that is still true: bytes decode to one thing.
        let cache = || {
            let cache = self.commitments.lock();
            cache.unwrap_or_else(PoisonError::into_inner)
        };
        let place = (nonce.suite, member);
        if let Some(known) = cache().get(&place).filter(|d| d.bytes == nonce.bytes) {
            return Some(known.commitments);
        }
        let commitments = Commitments::decode(nonce.suite, member, &nonce.bytes).ok()?;
        let bytes = nonce.bytes.clone();
        cache().insert(place, Decoded { bytes, commitments });
        Some(commitments)
    }

    fn share(suite: Suite, share: &SessionShare) -> Option<SignatureShare> {
        Some(SignatureShare(share.of(suite)?.try_into().ok()?))
    }
}

impl Scheme for FrostSuite {
    fn verify_members(&self, signed: &[(Header, MemberSignature)]) -> bool {
        self.verify_each(signed).into_iter().all(|right| right)
    }

    fn verify_each(&self, signed: &[(Header, MemberSignature)]) -> Vec<bool> {
        // A poisoned lock holds a set that is still true: a signature stays right.
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdicts: Vec<bool> = {
            let seen = seen();
            signed.iter().map(|one| seen.contains(one)).collect()
        };
        let new = signed.iter().zip(&verdicts).filter(|(_, known)| !**known);
        let new: Vec<_> = new.map(|(one, _)| *one).collect();
        let judged = self.roster.verify_headers(&new);
        let mut seen = seen();
        let open = verdicts.iter_mut().filter(|verdict| !**verdict);
        for ((verdict, right), one) in open.zip(judged).zip(new) {
            if right {
                *verdict = true;
                seen.insert(one);
            }
        }
        verdicts
    }

    fn verify_coin_share(
        &self,
        round: Round,
        view: View,
        member: MemberId,
        share: &CoinShare,
    ) -> bool {
        self.coin
            .verify_share(member, &self.input(round, view), share)
            .is_ok()
    }

    fn elect(
        &self,
        round: Round,
        view: View,
        shares: &[(MemberId, CoinShare)],
    ) -> Option<Election> {
        // A poisoned lock holds a map that is still true: coins are unique.
        let coins = || self.coins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = coins().get(&(round, view)) {
            return Some(known.clone());
        }
        // Shares are dear to check, and whoever shows a coin has checked as many as it takes: the first wrong one ends it.
        let shares = shares.get(..self.committee.coin_threshold())?;
        let right = |(member, share): &(MemberId, CoinShare)| {
            self.verify_coin_share(round, view, *member, share)
        };
        if !shares.iter().all(right) {
            return None;
        }
        let leader = self.coin.combine(shares).ok()?.leader(self.committee.n());
        let election = Election {
            leader,
            shares: shares.into(),
        };
        let mut coins = coins();
        coins.insert((round, view), election.clone());
        while coins.len() > COINS_KEPT {
            coins.pop_first();
        }
        Some(election)
    }

    fn verify_nonces(&self, member: MemberId, nonces: &[NonceCommitments]) -> bool {
        nonces
            .iter()
            .map(|n| n.suite)
            .eq(self.keys.iter().map(|k| k.group.suite()))
            && nonces.iter().all(|n| self.decode(member, n).is_some())
    }

    fn verify_group(&self, statement: &Statement, signatures: &[(Suite, Vec<u8>)]) -> bool {
        signatures.len() == self.keys.len()
            && self
                .keys
                .iter()
                .zip(signatures)
                .all(|(key, (suite, signature))| {
                    key.group.suite() == *suite
                        && key.group.verify_statement(statement, signature).is_ok()
                })
    }

    fn verify_share(
        &self,
        session: &SigningSession,
        member: MemberId,
        share: &SessionShare,
    ) -> bool {
        let Some(prepared) = self.prepare(session) else {
            return false;
        };
        share.shares.len() == self.keys.len()
            && self.keys.iter().zip(&*prepared).all(|(key, session)| {
                let share = Self::share(key.group.suite(), share);
                share.is_some_and(|share| session.verify_share(member, &share).is_ok())
            })
    }

    fn aggregate(
        &self,
        session: &SigningSession,
        shares: &[(MemberId, SessionShare)],
    ) -> Result<GroupSignatures, Vec<MemberId>> {
        let prepared = self.prepare(session).ok_or_else(Vec::new)?;
        let mut out = Vec::new();
        for (key, session) in self.keys.iter().zip(&*prepared) {
            let suite = key.group.suite();
            let malformed = shares
                .iter()
                .filter(|(_, s)| Self::share(suite, s).is_none());
            let malformed: Vec<_> = malformed.map(|(m, _)| *m).collect();
            if !malformed.is_empty() {
                return Err(malformed);
            }
            let shares: Vec<_> = shares
                .iter()
                .filter_map(|(m, s)| Some((*m, Self::share(suite, s)?)))
                .collect();
            let signature = session
                .aggregate(&shares)
                .map_err(|e: AggregateError| e.culprits().to_vec())?;
            out.push((suite, signature.into_bytes()));
        }
        Ok(out)
    }
}

/// One round's statement over a [`Scheme`], as the ROAST coordinator wants it.
pub(crate) struct StatementShares {
    pub(crate) scheme: Arc<dyn Scheme>,
    pub(crate) statement: Statement,
}

impl StatementShares {
    /// The session of these signers.
    pub(crate) fn session(&self, signers: &[(MemberId, Offer)]) -> SigningSession {
        session_of(self.statement, signers.iter().map(|(m, o)| (*m, &o.nonces)))
    }
}

/// A session over a statement.
pub(crate) fn session_of<'a>(
    statement: Statement,
    signers: impl Iterator<Item = (MemberId, &'a Vec<NonceCommitments>)>,
) -> SigningSession {
    let signers = signers.map(|(member, nonces)| SessionSigner {
        member,
        nonces: nonces.clone(),
    });
    SigningSession {
        statement,
        signers: signers.collect(),
    }
}

/// A signer's offer: which of its nonces, and their commitments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Offer {
    pub(crate) slot: u32,
    pub(crate) nonces: Vec<NonceCommitments>,
}

/// The signers of a session in the form of the request.
pub(crate) fn signers_of(signers: &[(MemberId, Offer)]) -> Vec<Signer> {
    signers
        .iter()
        .map(|(member, offer)| Signer {
            member: *member,
            slot: offer.slot,
            nonces: offer.nonces.clone(),
        })
        .collect()
}

impl ShareScheme for StatementShares {
    type Commitments = Offer;
    type Share = SessionShare;
    type Signature = GroupSignatures;

    fn verify_share(
        &self,
        signers: &[(MemberId, Offer)],
        member: MemberId,
        share: &SessionShare,
    ) -> bool {
        self.scheme
            .verify_share(&self.session(signers), member, share)
    }

    fn aggregate(
        &self,
        signers: &[(MemberId, Offer)],
        shares: &[(MemberId, SessionShare)],
    ) -> Result<GroupSignatures, Vec<MemberId>> {
        self.scheme.aggregate(&self.session(signers), shares)
    }
}
