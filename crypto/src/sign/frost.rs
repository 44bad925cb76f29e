//! The arithmetic of one signing session (RFC 9591, sections 4 and 5), over any [`Curve`].
#![expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic of a finite field and group cannot overflow"
)]

use alloc::vec::Vec;

use rand_core::CryptoRngCore;
use touchstone_types::MemberId;
use zeroize::Zeroizing;

use super::{
    curve::{Curve, Secret},
    lagrange::{abscissa, coefficients},
};

/// A pair of commitments, hiding and binding, as it came and decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<C: Curve> {
    bytes: (C::Bytes, C::Bytes),
    points: (C::Point, C::Point),
}

impl<C: Curve> Pair<C> {
    /// Decodes `hiding | binding`; both must be canonical and not the identity.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (hiding, binding) = bytes.split_at_checked(bytes.len() / 2)?;
        let bytes = (
            C::Bytes::try_from(hiding).ok()?,
            C::Bytes::try_from(binding).ok()?,
        );
        let points = (C::decode(&bytes.0)?, C::decode(&bytes.1)?);
        Some(Self { bytes, points })
    }
}

impl<C: Curve> PartialEq for Pair<C> {
    fn eq(&self, other: &Self) -> bool {
        // Encodings are canonical.
        self.bytes == other.bytes
    }
}

impl<C: Curve> Eq for Pair<C> {}

/// A pair of nonces and what was published of it.
pub(super) struct NoncePair<C: Curve> {
    hiding: Secret<C>,
    binding: Secret<C>,
    commitments: (C::Bytes, C::Bytes),
}

impl<C: Curve> NoncePair<C> {
    /// Round one (RFC 9591, section 5.1): each nonce is a hash of 32 random bytes and the secret share.
    pub(super) fn generate(secret: &Secret<C>, rng: &mut impl CryptoRngCore) -> Self {
        let (hiding, first) = Self::nonce(secret, rng);
        let (binding, second) = Self::nonce(secret, rng);
        Self {
            hiding,
            binding,
            commitments: (first, second),
        }
    }

    fn nonce(secret: &Secret<C>, rng: &mut impl CryptoRngCore) -> (Secret<C>, C::Bytes) {
        let mut random = Zeroizing::new([0; 32]);
        rng.fill_bytes(random.as_mut());
        let encoded = Zeroizing::new(C::encode_scalar(secret.expose()));
        let nonce = Secret::new(C::h3(&[random.as_ref(), encoded.as_ref()]));
        let commitment = C::encode(&C::mul_base(nonce.expose()));
        (nonce, commitment)
    }

    /// `hiding | binding`.
    pub(super) fn commitments(&self) -> Vec<u8> {
        let (hiding, binding) = &self.commitments;
        [hiding.as_ref(), binding.as_ref()].concat()
    }
}

/// One signer's part in a session.
#[derive(Debug)]
struct Signer<C: Curve> {
    member: MemberId,
    commitments: Pair<C>,
    /// The binding factor `rho_i`.
    binding_factor: C::Scalar,
    /// `lambda_i * c`: the Lagrange coefficient times the challenge.
    weight: C::Scalar,
}

/// What the shares of one session have in common, computed once.
#[derive(Debug)]
pub(super) struct Session<C: Curve> {
    /// In ascending order of member.
    signers: Vec<Signer<C>>,
    /// The group commitment R.
    point: C::Point,
    /// The same, compressed.
    commitment: C::Bytes,
}

impl<C: Curve> Session<C> {
    /// The session of these signers, which must be in ascending order and distinct, over `message`.
    ///
    /// None if the group commitment is the identity, which happens by chance only, or a signer is named twice.
    pub(super) fn new(
        group_key: &C::Bytes,
        signers: &[(MemberId, Pair<C>)],
        message: &[u8],
    ) -> Option<Self> {
        let binding_factors = binding_factors(group_key, signers, message);
        let mut hiding = C::identity();
        let mut binding = Vec::with_capacity(signers.len());
        for (_, pair) in signers {
            hiding = hiding + pair.points.0;
            binding.push(pair.points.1);
        }
        let point = hiding + C::multiscalar_mul(&binding_factors, &binding);
        if point == C::identity() {
            return None;
        }
        let commitment = C::encode(&point);
        let challenge = C::h2(&[commitment.as_ref(), group_key.as_ref(), message]);
        let xs: Vec<u32> = signers.iter().map(|(m, _)| abscissa(*m)).collect();
        let signers = signers
            .iter()
            .zip(binding_factors)
            .zip(coefficients::<C>(&xs, 0)?)
            .map(|(((member, pair), binding_factor), lambda)| Signer {
                member: *member,
                commitments: *pair,
                binding_factor,
                weight: lambda * challenge,
            })
            .collect();
        Some(Self {
            signers,
            point,
            commitment,
        })
    }

    fn signer(&self, member: MemberId) -> Option<&Signer<C>> {
        let at = self.signers.binary_search_by_key(&member, |s| s.member);
        self.signers.get(at.ok()?)
    }

    /// Round two (section 5.2): `d + e * rho + lambda * s * c`. None if the session does not hold the commitments of these
    /// nonces for this member.
    pub(super) fn sign(
        &self,
        member: MemberId,
        secret: &Secret<C>,
        nonces: &NoncePair<C>,
    ) -> Option<[u8; 32]> {
        let signer = self
            .signer(member)
            .filter(|s| s.commitments.bytes == nonces.commitments)?;
        let z = *nonces.hiding.expose()
            + *nonces.binding.expose() * signer.binding_factor
            + signer.weight * *secret.expose();
        Some(C::encode_scalar(&z))
    }

    /// Whether `z * B == D + rho * E + lambda * c * Y` (section 5.4), where `key` is the member's verifying share `Y`.
    pub(super) fn verify(&self, member: MemberId, key: &C::Point, share: &[u8; 32]) -> bool {
        let Some((signer, z)) = self.signer(member).zip(C::decode_scalar(share)) else {
            return false;
        };
        let (hiding, binding) = &signer.commitments.points;
        C::share_equation(
            &z,
            hiding,
            (&signer.binding_factor, binding),
            (&signer.weight, key),
        )
    }

    /// The signature of `R` and the sum of `z_i` (section 5.3), not yet verified; none if a share is no scalar.
    pub(super) fn sum<'a>(&self, shares: impl Iterator<Item = &'a [u8; 32]>) -> Option<Vec<u8>> {
        let mut sum = C::integer(0);
        for share in shares {
            sum = sum + C::decode_scalar(share)?;
        }
        let z = C::encode_scalar(&sum);
        C::signature(&self.point, &self.commitment, &z)
    }
}

/// The binding factors (section 4.4), in the order of the signers.
fn binding_factors<C: Curve>(
    group_key: &C::Bytes,
    signers: &[(MemberId, Pair<C>)],
    message: &[u8],
) -> Vec<C::Scalar> {
    let identifier = |m: MemberId| C::encode_scalar(&C::integer(abscissa(m).into()));
    let mut list = Vec::new();
    for (member, pair) in signers {
        list.extend_from_slice(&identifier(*member));
        list.extend_from_slice(pair.bytes.0.as_ref());
        list.extend_from_slice(pair.bytes.1.as_ref());
    }
    let (message, list) = (C::h4(message), C::h5(&list));
    let common = [group_key.as_ref(), message.as_ref(), list.as_ref()];
    let h1 = C::h1(&common);
    signers.iter().map(|(m, _)| h1(&identifier(*m))).collect()
}

#[cfg(test)]
mod tests;
