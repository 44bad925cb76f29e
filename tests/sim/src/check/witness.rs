//! What honest members do with their keys.

use touchstone_consensus::keys::{Keys, NonceKey, ShareError, Shares};
use touchstone_crypto::CoinShare;
use touchstone_types::{
    Header, MemberId, MemberSignature, NonceCommitments, Round, SigningSession, View,
};

use super::SharedLedger;

/// Keys of an honest member, with a witness to all that they are used for.
pub(in super::super) struct Witnessed {
    pub(in super::super) inner: Box<dyn Keys>,
    pub(in super::super) me: MemberId,
    pub(in super::super) ledger: SharedLedger,
}

impl Keys for Witnessed {
    fn sign(&mut self, header: &Header) -> MemberSignature {
        self.ledger.borrow_mut().signed(header);
        self.inner.sign(header)
    }

    fn coin_share(&mut self, round: Round, view: View) -> CoinShare {
        self.inner.coin_share(round, view)
    }

    fn fresh_nonces(&mut self, key: NonceKey) -> Vec<NonceCommitments> {
        self.inner.fresh_nonces(key)
    }

    fn sign_shares(
        &mut self,
        key: NonceKey,
        session: &SigningSession,
    ) -> Result<Shares, ShareError> {
        self.ledger
            .borrow_mut()
            .uses(self.me, key, session.digest());
        let made = self.inner.sign_shares(key, session);
        if made.is_ok() {
            self.ledger
                .borrow_mut()
                .released(self.me, &session.statement);
        }
        made
    }

    fn forget(&mut self, round: Round) {
        self.inner.forget(round);
    }
}
