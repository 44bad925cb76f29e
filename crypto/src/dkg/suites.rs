//! One suite's part: FROST's key generation (eprint 2020/852, figure 1) behind an interface without its types.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use frost_core::{
    Error, Identifier, Signature,
    keys::{
        SigningShare, VerifiableSecretSharingCommitment,
        dkg::{part1, part2, part3, round1, round2},
    },
};
use frost_ed25519::Ed25519Sha512;
use rand_core::CryptoRngCore;
use touchstone_types::{Committee, MemberId, Suite, SuiteKeys};
use zeroize::Zeroizing;

use super::{DkgError, DkgFault, DkgSetupError};
use crate::suite::{self, FrostSuite, Secp256k1Keccak256};

/// One suite's side of a run, in the order in which the calls come.
pub(super) trait SuiteRun: Send {
    fn suite(&self) -> Suite;

    /// The own package; every member's has this length.
    fn package(&self) -> &[u8];

    /// Decodes a member's package; the own one, too.
    fn receive(&mut self, from: MemberId, package: &[u8]) -> Result<(), ()>;

    /// Checks every proof of knowledge, and computes the shares for the others.
    fn deal(&mut self) -> Result<(), SuiteError>;

    fn share_for(&self, to: MemberId) -> Option<Zeroizing<Vec<u8>>>;

    fn share_bytes(&self) -> usize;

    /// Decodes a member's share.
    fn accept(&mut self, from: MemberId, share: &[u8]) -> Result<(), ()>;

    /// Checks every share, and gives the own secret and the public keys.
    fn finish(&mut self) -> Result<(Zeroizing<Vec<u8>>, SuiteKeys), SuiteError>;
}

/// Why a suite's part failed: through whom, if through somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SuiteError {
    culprit: Option<MemberId>,
}

impl SuiteError {
    pub(super) fn into_dkg(self, fault: DkgFault) -> DkgError {
        match self.culprit {
            Some(culprit) => DkgError::fault(culprit, fault),
            None => DkgError::Degenerate,
        }
    }
}

/// Draws the secret polynomial of a suite.
pub(super) fn start(
    suite: Suite,
    committee: Committee,
    me: MemberId,
    rng: &mut impl CryptoRngCore,
) -> Result<Box<dyn SuiteRun>, DkgSetupError> {
    match suite {
        Suite::Ed25519 => boxed::<Ed25519Sha512>(committee, me, rng),
        Suite::Secp256k1Keccak => boxed::<Secp256k1Keccak256>(committee, me, rng),
    }
}

fn boxed<C: FrostSuite>(
    committee: Committee,
    me: MemberId,
    rng: &mut impl CryptoRngCore,
) -> Result<Box<dyn SuiteRun>, DkgSetupError> {
    match Run::<C>::start(committee, me, rng) {
        Ok(run) => Ok(Box::new(run)),
        Err(_) => Err(DkgSetupError::Degenerate),
    }
}

struct Run<C: FrostSuite> {
    committee: Committee,
    me: MemberId,
    package: Vec<u8>,
    drawn: Option<round1::SecretPackage<C>>,
    dealt: Option<round2::SecretPackage<C>>,
    packages: BTreeMap<Identifier<C>, round1::Package<C>>,
    outgoing: BTreeMap<Identifier<C>, round2::Package<C>>,
    incoming: BTreeMap<Identifier<C>, round2::Package<C>>,
}

impl<C: FrostSuite> Run<C> {
    fn start(
        committee: Committee,
        me: MemberId,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, Error<C>> {
        let threshold =
            u16::try_from(committee.signing_threshold()).map_err(|_| Error::InvalidMinSigners)?;
        let id = suite::identifier::<C>(me)?;
        let (drawn, own) = part1(id, committee.n(), threshold, &mut *rng)?;
        let mut package = own.commitment().serialize_whole()?;
        package.extend(own.proof_of_knowledge().serialize()?);
        Ok(Self {
            committee,
            me,
            package,
            drawn: Some(drawn),
            dealt: None,
            packages: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
        })
    }

    fn decode(&self, package: &[u8]) -> Result<round1::Package<C>, Error<C>> {
        let commitment_bytes = self
            .committee
            .signing_threshold()
            .saturating_mul(C::SUITE.element_bytes());
        let (commitment, proof) = package
            .split_at_checked(commitment_bytes)
            .ok_or(Error::DeserializationError)?;
        Ok(round1::Package::new(
            VerifiableSecretSharingCommitment::deserialize_whole(commitment)?,
            Signature::deserialize(proof)?,
        ))
    }

    /// The first member that FROST names.
    fn error(&self, error: &Error<C>) -> SuiteError {
        let named = error.culprits();
        SuiteError {
            culprit: named
                .iter()
                .find_map(|id| suite::member(self.committee, id)),
        }
    }
}

const NOBODY: SuiteError = SuiteError { culprit: None };

impl<C: FrostSuite> SuiteRun for Run<C> {
    fn suite(&self) -> Suite {
        C::SUITE
    }

    fn package(&self) -> &[u8] {
        &self.package
    }

    fn receive(&mut self, from: MemberId, package: &[u8]) -> Result<(), ()> {
        let decoded = self.decode(package).map_err(|_| ())?;
        if from != self.me {
            let id = suite::identifier::<C>(from).map_err(|_| ())?;
            self.packages.insert(id, decoded);
        }
        Ok(())
    }

    fn deal(&mut self) -> Result<(), SuiteError> {
        let drawn = self.drawn.take().ok_or(NOBODY)?;
        let (dealt, outgoing) = part2(drawn, &self.packages).map_err(|e| self.error(&e))?;
        self.dealt = Some(dealt);
        self.outgoing = outgoing;
        Ok(())
    }

    fn share_for(&self, to: MemberId) -> Option<Zeroizing<Vec<u8>>> {
        let id = suite::identifier::<C>(to).ok()?;
        let package = self.outgoing.get(&id)?;
        Some(Zeroizing::new(package.signing_share().serialize()))
    }

    fn share_bytes(&self) -> usize {
        // Scalars of both suites have 32 bytes.
        32
    }

    fn accept(&mut self, from: MemberId, share: &[u8]) -> Result<(), ()> {
        let id = suite::identifier::<C>(from).map_err(|_| ())?;
        let share = SigningShare::deserialize(share).map_err(|_| ())?;
        self.incoming.insert(id, round2::Package::new(share));
        Ok(())
    }

    fn finish(&mut self) -> Result<(Zeroizing<Vec<u8>>, SuiteKeys), SuiteError> {
        let dealt = self.dealt.take().ok_or(NOBODY)?;
        let (key, public) =
            part3(&dealt, &self.packages, &self.incoming).map_err(|e| self.error(&e))?;
        let verifying_shares = public
            .verifying_shares()
            .values()
            .map(|share| share.serialize())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| NOBODY)?;
        let keys = SuiteKeys {
            suite: C::SUITE,
            group_key: public.verifying_key().serialize().map_err(|_| NOBODY)?,
            verifying_shares,
        };
        Ok((Zeroizing::new(key.signing_share().serialize()), keys))
    }
}
