//! FROST as a [`ShareScheme`], for the ROAST coordinator.

use alloc::vec::Vec;

use touchstone_types::{Digest, MemberId};

use super::{
    Commitments, GroupSignature, PreparedSession, SignError, SignTarget, SignatureShare, SignerSet,
    SigningPublic,
};
use crate::roast::ShareScheme;

/// Verification and aggregation of FROST shares over one object.
#[derive(Clone, Debug)]
pub struct FrostScheme {
    public: SigningPublic,
    digest: Digest,
}

impl FrostScheme {
    /// The scheme of signatures over `target`.
    pub fn new(public: SigningPublic, target: &SignTarget<'_>) -> Self {
        Self {
            public,
            digest: target.digest(),
        }
    }

    fn session(&self, signers: &[(MemberId, Commitments)]) -> Result<PreparedSession, SignError> {
        let set = SignerSet::from_decoded(self.public.suite(), signers)?;
        PreparedSession::with_digest(&self.public, &set, self.digest)
    }
}

impl ShareScheme for FrostScheme {
    type Commitments = Commitments;
    type Share = SignatureShare;
    type Signature = GroupSignature;

    fn verify_share(
        &self,
        signers: &[(MemberId, Commitments)],
        member: MemberId,
        share: &SignatureShare,
    ) -> bool {
        self.session(signers)
            .is_ok_and(|session| session.verify_share(member, share).is_ok())
    }

    fn aggregate(
        &self,
        signers: &[(MemberId, Commitments)],
        shares: &[(MemberId, SignatureShare)],
    ) -> Result<GroupSignature, Vec<MemberId>> {
        let session = self.session(signers).map_err(|_| Vec::new())?;
        session
            .aggregate(shares)
            .map_err(|error| error.culprits().to_vec())
    }
}
