//! Symbolic cryptography: the same messages with keyed hashes in place of signatures.
//!
//! A secret sits in its member's [`SymbolicKeys`] and in the [`Symbols`] that check; programs that play faulty members get
//! the keys of their own member only, so nobody's signature, coin share or signature share can be forged. It is as
//! unforgeable as 64 bits against an attacker that does not try to break hashes, and a hundred times as fast as the real one.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use touchstone_consensus::{
    Election, GroupSignatures, Scheme,
    keys::{Keys, NonceKey, ShareError, Shares},
};
use touchstone_crypto::CoinShare;
use touchstone_types::{
    Committee, Header, MemberId, MemberSignature, NonceCommitments, Round, SessionShare,
    SigningSession, Statement, Suite, View,
};

const SUITE: Suite = Suite::Ed25519;

fn mac(key: u64, what: &impl Hash) -> u64 {
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

/// Everybody's secrets, to check against.
pub(super) struct Secrets {
    seed: u64,
    committee: Committee,
}

impl Secrets {
    pub(super) fn new(seed: u64, committee: Committee) -> Arc<Self> {
        Arc::new(Self { seed, committee })
    }

    fn member(&self, member: MemberId) -> u64 {
        mac(self.seed, &("member", member.0))
    }

    fn group(&self, statement: &Statement) -> Vec<u8> {
        spread::<64>(mac(self.seed, &("group", statement.digest()))).to_vec()
    }

    /// The outcome of a coin. The scheduler asks for it once enough shares are on their way.
    pub(super) fn leader(&self, round: Round, view: View) -> MemberId {
        let n = u64::from(self.committee.n());
        let index = mac(self.seed, &("leader", round.0, view.0)) % n;
        MemberId(u16::try_from(index).unwrap_or_default())
    }
}

fn coin_share(key: u64, round: Round, view: View) -> CoinShare {
    CoinShare {
        value: spread(mac(key, &("coin", round.0, view.0))),
        proof: spread(mac(key, &("proof", round.0, view.0))),
    }
}

fn commitments(key: u64, serial: u64) -> NonceCommitments {
    let mut bytes = serial.to_be_bytes().to_vec();
    bytes.extend_from_slice(&mac(key, &("nonce", serial)).to_be_bytes());
    bytes.resize(SUITE.commitments_bytes(), 0);
    NonceCommitments {
        suite: SUITE,
        bytes,
    }
}

fn share(key: u64, own: &[NonceCommitments], session: &SigningSession) -> Vec<u8> {
    spread::<32>(mac(key, &(own, session))).to_vec()
}

/// The public side of one member. Each member has its own, because what it remembers of coins is its own.
pub(super) struct Symbols {
    secrets: Arc<Secrets>,
    /// How many shares make a signature.
    threshold: usize,
    coins: Mutex<BTreeMap<(Round, View), Election>>,
}

impl Symbols {
    pub(super) fn new(secrets: Arc<Secrets>, threshold: usize) -> Self {
        Self {
            secrets,
            threshold,
            coins: Mutex::default(),
        }
    }
}

impl Scheme for Symbols {
    fn verify_members(&self, signed: &[(Header, MemberSignature)]) -> bool {
        signed.iter().all(|(header, signature)| {
            let key = self.secrets.member(header.member);
            signature.0 == spread(mac(key, header))
        })
    }

    fn verify_coin_share(
        &self,
        round: Round,
        view: View,
        member: MemberId,
        share: &CoinShare,
    ) -> bool {
        *share == coin_share(self.secrets.member(member), round, view)
    }

    fn elect(
        &self,
        round: Round,
        view: View,
        shares: &[(MemberId, CoinShare)],
    ) -> Option<Election> {
        let coins = || self.coins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = coins().get(&(round, view)) {
            return Some(known.clone());
        }
        let committee = self.secrets.committee;
        let mut seen = BTreeSet::new();
        let right = |(member, share): &&(MemberId, CoinShare)| {
            committee.contains(*member)
                && self.verify_coin_share(round, view, *member, share)
                && seen.insert(*member)
        };
        let shares: Vec<_> = shares
            .iter()
            .filter(right)
            .take(committee.coin_threshold())
            .copied()
            .collect();
        if shares.len() < committee.coin_threshold() {
            return None;
        }
        let election = Election {
            leader: self.secrets.leader(round, view),
            shares: shares.into(),
        };
        coins().insert((round, view), election.clone());
        Some(election)
    }

    fn verify_nonces(&self, member: MemberId, nonces: &[NonceCommitments]) -> bool {
        let [nonce] = nonces else { return false };
        let Some(serial) = nonce.bytes.first_chunk::<8>() else {
            return false;
        };
        *nonce == commitments(self.secrets.member(member), u64::from_be_bytes(*serial))
    }

    fn verify_group(&self, statement: &Statement, signatures: &[(Suite, Vec<u8>)]) -> bool {
        matches!(signatures, [(SUITE, bytes)] if *bytes == self.secrets.group(statement))
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
        let right = share(self.secrets.member(member), &signer.nonces, session);
        matches!(given.shares.as_slice(), [(SUITE, bytes)] if *bytes == right)
    }

    fn aggregate(
        &self,
        session: &SigningSession,
        shares: &[(MemberId, SessionShare)],
    ) -> Result<GroupSignatures, Vec<MemberId>> {
        let given = |member| shares.iter().find(|(m, _)| *m == member);
        let wrong = |member: &MemberId| {
            given(*member).is_none_or(|(m, z)| !self.verify_share(session, *m, z))
        };
        let signers = session.signers.iter().map(|s| s.member);
        let culprits: Vec<_> = signers.filter(wrong).collect();
        if culprits.is_empty() && session.signers.len() >= self.threshold {
            Ok(vec![(SUITE, self.secrets.group(&session.statement))])
        } else {
            Err(culprits)
        }
    }
}

/// The secrets of one member, for one life of its process.
pub(super) struct SymbolicKeys {
    key: u64,
    serial: u64,
    open: BTreeMap<NonceKey, Vec<NonceCommitments>>,
}

impl SymbolicKeys {
    /// Keys that never use a nonce of an earlier life.
    pub(super) fn new(secrets: &Secrets, member: MemberId, life: u32) -> Self {
        Self {
            key: secrets.member(member),
            serial: u64::from(life) << 32,
            open: BTreeMap::new(),
        }
    }
}

impl Keys for SymbolicKeys {
    fn sign(&mut self, header: &Header) -> MemberSignature {
        MemberSignature(spread(mac(self.key, header)))
    }

    fn coin_share(&mut self, round: Round, view: View) -> CoinShare {
        coin_share(self.key, round, view)
    }

    fn fresh_nonces(&mut self, key: NonceKey) -> Vec<NonceCommitments> {
        self.serial += 1;
        let made = vec![commitments(self.key, self.serial)];
        self.open.insert(key, made.clone());
        made
    }

    fn sign_shares(
        &mut self,
        key: NonceKey,
        session: &SigningSession,
    ) -> Result<Shares, ShareError> {
        let own = self.open.remove(&key).ok_or(ShareError::NoNonce(key))?;
        if session.signers.iter().filter(|s| s.nonces == own).count() != 1 {
            return Err(ShareError::OtherNonce);
        }
        Ok(vec![(SUITE, share(self.key, &own, session))])
    }

    fn forget(&mut self, round: Round) {
        self.open.retain(|key, _| key.round != round);
    }
}
