//! FROST as a [`ShareScheme`], for the ROAST coordinator.

use alloc::vec::Vec;

use touchstone_types::{Digest, MemberId};

use super::{
    Commitments, GroupSignature, SignError, SignTarget, SignatureShare, SignerSet, SigningPublic,
    aggregate_digest, verify_share_digest,
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

    fn set(&self, signers: &[(MemberId, Commitments)]) -> Result<SignerSet, SignError> {
        SignerSet::from_decoded(self.public.suite(), signers)
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
        self.set(signers).is_ok_and(|set| {
            verify_share_digest(&self.public, member, &set, share, self.digest).is_ok()
        })
    }

    fn aggregate(
        &self,
        signers: &[(MemberId, Commitments)],
        shares: &[(MemberId, SignatureShare)],
    ) -> Result<GroupSignature, Vec<MemberId>> {
        let set = self.set(signers).map_err(|_| Vec::new())?;
        aggregate_digest(&self.public, &set, shares, self.digest)
            .map_err(|error| error.culprits().to_vec())
    }
}
