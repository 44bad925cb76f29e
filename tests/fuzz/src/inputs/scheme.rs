//! Cryptography without secrets: what is right begins with a zero byte, so that bytes decide what is right.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
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

/// The only suite.
pub(super) const SUITE: Suite = Suite::Ed25519;

fn mark(right: bool) -> u8 {
    u8::from(!right)
}

/// A member's signature.
pub(super) fn signature(right: bool) -> MemberSignature {
    MemberSignature([mark(right); 64])
}

/// A share of a coin.
pub(super) fn coin_share(right: bool) -> CoinShare {
    CoinShare {
        value: [mark(right); 32],
        proof: [0; 64],
    }
}

/// A pair of commitments with a number.
pub(super) fn commitments(right: bool, number: u64) -> NonceCommitments {
    let mut bytes = vec![mark(right)];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.resize(SUITE.commitments_bytes(), 0);
    NonceCommitments {
        suite: SUITE,
        bytes,
    }
}

/// A share of a signature.
pub(super) fn shares(right: bool) -> Shares {
    vec![(SUITE, vec![mark(right); 32])]
}

/// A group signature.
pub(super) fn group(right: bool) -> GroupSignatures {
    vec![(SUITE, vec![mark(right); SUITE.signature_bytes()])]
}

/// The public side.
pub(super) struct Marks {
    pub(super) committee: Committee,
    pub(super) coins: Mutex<BTreeMap<(Round, View), Election>>,
}

fn right_share((_, share): &(MemberId, SessionShare)) -> bool {
    share.shares == shares(true)
}

impl Scheme for Marks {
    fn verify_members(&self, signed: &[(Header, MemberSignature)]) -> bool {
        signed.iter().all(|(_, s)| s.0.starts_with(&[0]))
    }

    fn verify_coin_share(&self, _: Round, _: View, member: MemberId, share: &CoinShare) -> bool {
        self.committee.contains(member) && *share == coin_share(true)
    }

    fn elect(&self, round: Round, view: View, given: &[(MemberId, CoinShare)]) -> Option<Election> {
        let mut coins = self.coins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = coins.get(&(round, view)) {
            return Some(known.clone());
        }
        let right = given
            .iter()
            .filter(|(m, s)| self.verify_coin_share(round, view, *m, s));
        let distinct: BTreeMap<_, _> = right.copied().collect();
        if distinct.len() < self.committee.coin_threshold() {
            return None;
        }
        let number = round.0.wrapping_mul(5).wrapping_add(u64::from(view.0) * 7)
            % u64::from(self.committee.n());
        let election = Election {
            leader: MemberId(u16::try_from(number).unwrap_or_default()),
            shares: distinct
                .into_iter()
                .take(self.committee.coin_threshold())
                .collect(),
        };
        coins.insert((round, view), election.clone());
        Some(election)
    }

    fn verify_nonces(&self, _: MemberId, nonces: &[NonceCommitments]) -> bool {
        matches!(nonces, [n] if n.bytes.starts_with(&[0]))
    }

    fn verify_group(&self, _: &Statement, signatures: &[(Suite, Vec<u8>)]) -> bool {
        signatures == group(true)
    }

    fn verify_share(
        &self,
        session: &SigningSession,
        member: MemberId,
        share: &SessionShare,
    ) -> bool {
        session.signer(member).is_some() && share.shares == shares(true)
    }

    fn aggregate(
        &self,
        session: &SigningSession,
        given: &[(MemberId, SessionShare)],
    ) -> Result<GroupSignatures, Vec<MemberId>> {
        let right = |member: &MemberId| given.iter().any(|s| s.0 == *member && right_share(s));
        let signers = session.signers.iter().map(|s| s.member);
        let culprits: Vec<_> = signers.filter(|m| !right(m)).collect();
        if culprits.is_empty() {
            Ok(group(true))
        } else {
            Err(culprits)
        }
    }
}

/// The vault of the member under test: its nonces are real in that each is used once.
#[derive(Default)]
pub(super) struct Vault {
    serial: u64,
    open: BTreeMap<NonceKey, NonceCommitments>,
}

impl Keys for Vault {
    fn sign(&mut self, _: &Header) -> MemberSignature {
        signature(true)
    }

    fn coin_share(&mut self, _: Round, _: View) -> CoinShare {
        coin_share(true)
    }

    fn fresh_nonces(&mut self, key: NonceKey) -> Vec<NonceCommitments> {
        self.serial += 1;
        let made = commitments(true, 1 << 32 | self.serial);
        let before = self.open.insert(key, made.clone());
        assert!(before.is_none(), "a nonce was made twice: {key:?}");
        vec![made]
    }

    fn sign_shares(
        &mut self,
        key: NonceKey,
        session: &SigningSession,
    ) -> Result<Shares, ShareError> {
        let own = self.open.remove(&key).ok_or(ShareError::NoNonce(key))?;
        if !session.signers.iter().any(|s| s.nonces.contains(&own)) {
            return Err(ShareError::OtherNonce);
        }
        Ok(shares(true))
    }

    fn forget(&mut self, round: Round) {
        self.open.retain(|key, _| key.round != round);
    }
}
