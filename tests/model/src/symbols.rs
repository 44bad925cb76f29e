//! Symbolic cryptography whose coin is told how to fall.
//!
//! A signature, a share and a coin share are keyed hashes. Nobody forges any: honest members sign with their own keys, and the
//! Byzantine member's letters are made in [`crate::byzantine`] from its own key and from what was sent. Unlike the network's
//! scheme this one remembers nothing but what the explorer tells it: the leader of each view.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use touchstone_consensus::{
    Election, GroupSignatures, NonceUse, Scheme,
    keys::{Keys, NonceKey, ShareError, Shares},
};
use touchstone_crypto::CoinShare;
use touchstone_types::{
    Committee, Digest, Header, MemberId, MemberSignature, NonceCommitments, Round, SessionShare,
    SigningSession, Statement, Suite, View,
};

const SUITE: Suite = Suite::Ed25519;

fn mac(key: u16, what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    what.hash(&mut hasher);
    hasher.finish()
}

fn spread<const N: usize>(value: u64) -> [u8; N] {
    let mut out = [0; N];
    for (slot, byte) in out.iter_mut().zip(value.to_be_bytes()) {
        *slot = byte;
    }
    out
}

/// A member's signature.
pub(crate) fn sign(header: &Header) -> MemberSignature {
    MemberSignature(spread(mac(header.member.0, header)))
}

/// A member's share of a coin.
pub(crate) fn coin_share(member: MemberId, round: Round, view: View) -> CoinShare {
    CoinShare {
        value: spread(mac(member.0, &("coin", round.0, view.0))),
        proof: spread(mac(member.0, &("proof", round.0, view.0))),
    }
}

/// A member's nonce commitments with this number.
pub(crate) fn commitments(member: MemberId, serial: u64) -> Vec<NonceCommitments> {
    let mut bytes = serial.to_be_bytes().to_vec();
    bytes.extend_from_slice(&mac(member.0, &("nonce", serial)).to_be_bytes());
    bytes.resize(SUITE.commitments_bytes(), 0);
    vec![NonceCommitments {
        suite: SUITE,
        bytes,
    }]
}

fn share(member: MemberId, own: &[NonceCommitments], session: &SigningSession) -> Vec<u8> {
    spread::<32>(mac(member.0, &(own, session))).to_vec()
}

fn group(statement: &Statement) -> Vec<u8> {
    spread::<64>(mac(u16::MAX, &("group", statement.digest()))).to_vec()
}

/// The public side of one member.
pub(crate) struct Symbols {
    committee: Committee,
    /// How many shares make a signature.
    threshold: usize,
    leaders: Mutex<BTreeMap<View, MemberId>>,
}

impl Symbols {
    pub(crate) fn new(committee: Committee, threshold: usize) -> Arc<Self> {
        Arc::new(Self {
            committee,
            threshold,
            leaders: Mutex::default(),
        })
    }

    /// Says how the coin of a view falls.
    pub(crate) fn set_leader(&self, view: View, leader: MemberId) {
        let mut leaders = self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        leaders.insert(view, leader);
    }
}

impl Scheme for Symbols {
    fn verify_members(&self, signed: &[(Header, MemberSignature)]) -> bool {
        signed.iter().all(|(header, given)| *given == sign(header))
    }

    fn verify_coin_share(
        &self,
        round: Round,
        view: View,
        member: MemberId,
        share: &CoinShare,
    ) -> bool {
        *share == coin_share(member, round, view)
    }

    fn elect(
        &self,
        round: Round,
        view: View,
        shares: &[(MemberId, CoinShare)],
    ) -> Option<Election> {
        let leaders = self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        let right: BTreeMap<_, _> = shares
            .iter()
            .filter(|(member, share)| {
                self.committee.contains(*member)
                    && self.verify_coin_share(round, view, *member, share)
            })
            .copied()
            .collect();
        let enough = right.len() >= self.committee.coin_threshold();
        Some(Election {
            leader: *leaders.get(&view).filter(|_| enough)?,
            shares: right
                .into_iter()
                .take(self.committee.coin_threshold())
                .collect(),
        })
    }

    fn verify_nonces(&self, member: MemberId, nonces: &[NonceCommitments]) -> bool {
        let [nonce] = nonces else { return false };
        let serial = nonce.bytes.first_chunk::<8>().copied();
        serial.is_some_and(|s| nonces == commitments(member, u64::from_be_bytes(s)))
    }

    fn verify_group(&self, statement: &Statement, signatures: &[(Suite, Vec<u8>)]) -> bool {
        matches!(signatures, [(SUITE, bytes)] if *bytes == group(statement))
    }

    fn verify_share(
        &self,
        session: &SigningSession,
        member: MemberId,
        given: &SessionShare,
    ) -> bool {
        let Some(signer) = session.signer(member) else {
            return false;
        };
        let right = share(member, &signer.nonces, session);
        matches!(given.shares.as_slice(), [(SUITE, bytes)] if *bytes == right)
    }

    fn aggregate(
        &self,
        session: &SigningSession,
        shares: &[(MemberId, SessionShare)],
    ) -> Result<GroupSignatures, Vec<MemberId>> {
        let right = |member: MemberId| {
            let given = shares.iter().find(|(m, _)| *m == member);
            given.is_some_and(|(m, z)| self.verify_share(session, *m, z))
        };
        let signers = session.signers.iter().map(|s| s.member);
        let culprits: Vec<_> = signers.filter(|m| !right(*m)).collect();
        if culprits.is_empty() && session.signers.len() >= self.threshold {
            Ok(vec![(SUITE, group(&session.statement))])
        } else {
            Err(culprits)
        }
    }
}

/// The secrets of an honest member, which write down all that they are used for.
pub(crate) struct Secrets {
    member: MemberId,
    open: BTreeMap<NonceKey, Vec<NonceCommitments>>,
    /// Digests of the statements that a share was released for.
    pub(crate) shared: Vec<Digest>,
}

impl Secrets {
    pub(crate) fn new(member: MemberId) -> Self {
        Self {
            member,
            open: BTreeMap::new(),
            shared: Vec::new(),
        }
    }
}

impl Keys for Secrets {
    fn sign(&mut self, header: &Header) -> MemberSignature {
        sign(header)
    }

    fn coin_share(&mut self, round: Round, view: View) -> CoinShare {
        coin_share(self.member, round, view)
    }

    fn fresh_nonces(&mut self, key: NonceKey) -> Vec<NonceCommitments> {
        // A number for each purpose, whatever the order in which they come up.
        let serial = match key.purpose {
            NonceUse::Session(view) => u64::from(view.0),
            NonceUse::Retry => 1_000,
            NonceUse::Offer { coordinator, slot } => {
                2_000 + 100 * u64::from(coordinator.0) + u64::from(slot)
            }
        };
        let made = commitments(self.member, serial);
        self.open.insert(key, made.clone());
        made
    }

    fn sign_shares(
        &mut self,
        key: NonceKey,
        session: &SigningSession,
    ) -> Result<Shares, ShareError> {
        let own = self.open.remove(&key).ok_or(ShareError::NoNonce(key))?;
        if session.signer(self.member).is_none_or(|s| s.nonces != own) {
            return Err(ShareError::OtherNonce);
        }
        let statement = session.statement.digest();
        if !self.shared.contains(&statement) {
            self.shared.push(statement);
            self.shared.sort_unstable();
        }
        Ok(vec![(SUITE, share(self.member, &own, session))])
    }

    fn forget(&mut self, round: Round) {
        self.open.retain(|key, _| key.round != round);
    }
}
