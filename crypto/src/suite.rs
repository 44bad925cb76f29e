//! What the generic code needs of a FROST ciphersuite beyond `frost_core::Ciphersuite`, and small helpers on both.
//!
//! A second curve is added by an `impl FrostSuite` here, and one arm in each `match` over the enums of `sign` and `dkg`.

use alloc::{collections::BTreeMap, vec::Vec};

use frost_core::{
    Ciphersuite, Error, Field, Group, Identifier, Scalar, VerifyingKey,
    keys::{PublicKeyPackage, VerifyingShare},
    round1::{NonceCommitment, SigningCommitments},
};
use frost_ed25519::Ed25519Sha512;
use touchstone_types::{Committee, MemberId, Suite};

/// A ciphersuite of a network.
pub(crate) trait FrostSuite: Ciphersuite {
    /// Its name among the network's suites.
    const SUITE: Suite;
}

impl FrostSuite for Ed25519Sha512 {
    const SUITE: Suite = Suite::Ed25519;
}

/// FROST's identifier of a member: its index plus one.
pub(crate) fn identifier<C: FrostSuite>(member: MemberId) -> Result<Identifier<C>, Error<C>> {
    let number = member.0.checked_add(1).ok_or(Error::MalformedIdentifier)?;
    Identifier::try_from(number)
}

/// The member behind an identifier, if it is one of the committee's.
pub(crate) fn member<C: FrostSuite>(committee: Committee, id: &Identifier<C>) -> Option<MemberId> {
    committee
        .members()
        .find(|m| identifier::<C>(*m).is_ok_and(|i| i == *id))
}

/// `hiding | binding`, each serialised as RFC 9591 says.
pub(crate) fn decode_commitments<C: FrostSuite>(
    bytes: &[u8],
) -> Result<SigningCommitments<C>, Error<C>> {
    let (hiding, binding) = bytes
        .split_at_checked(C::SUITE.element_bytes())
        .ok_or(Error::DeserializationError)?;
    Ok(SigningCommitments::new(
        NonceCommitment::deserialize(hiding)?,
        NonceCommitment::deserialize(binding)?,
    ))
}

/// The inverse of [`decode_commitments`].
pub(crate) fn encode_commitments<C: FrostSuite>(
    commitments: &SigningCommitments<C>,
) -> Result<Vec<u8>, Error<C>> {
    let mut bytes = commitments.hiding().serialize()?;
    bytes.extend(commitments.binding().serialize()?);
    Ok(bytes)
}

/// Decodes a group key with its verifying shares (in member order), and checks that all of them lie on one polynomial of
/// degree t - 1.
pub(crate) fn decode_public<C: FrostSuite>(
    committee: Committee,
    group_key: &[u8],
    shares: &[Vec<u8>],
) -> Result<PublicKeyPackage<C>, PublicError> {
    let key = VerifyingKey::<C>::deserialize(group_key).map_err(|_| PublicError::Key)?;
    let mut verifying = BTreeMap::new();
    let mut points = Vec::with_capacity(shares.len());
    for (member, bytes) in committee.members().zip(shares) {
        let bad = PublicError::Share(member);
        let id = identifier::<C>(member).map_err(|_| bad)?;
        let share = VerifyingShare::deserialize(bytes).map_err(|_| bad)?;
        verifying.insert(id, share);
        points.push((x::<C>(member), element::<C>(bytes).ok_or(bad)?));
    }
    let threshold = committee.signing_threshold();
    let basis: Vec<_> = points.iter().take(threshold).copied().collect();
    let zero = <<C::Group as Group>::Field as Field>::zero();
    let key_point = element::<C>(group_key).ok_or(PublicError::Key)?;
    let fits = interpolate::<C>(&basis, zero) == Some(key_point)
        && points
            .iter()
            .skip(threshold)
            .all(|(x, point)| interpolate::<C>(&basis, *x) == Some(*point));
    if !fits {
        return Err(PublicError::Inconsistent);
    }
    let threshold = u16::try_from(threshold).map_err(|_| PublicError::Inconsistent)?;
    Ok(PublicKeyPackage::new(verifying, key, Some(threshold)))
}

/// Why [`decode_public`] refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PublicError {
    Key,
    Share(MemberId),
    Inconsistent,
}

type Element<C> = <<C as Ciphersuite>::Group as Group>::Element;

fn element<C: FrostSuite>(bytes: &[u8]) -> Option<Element<C>> {
    let array = <C::Group as Group>::Serialization::try_from(bytes).ok()?;
    <C::Group as Group>::deserialize(&array).ok()
}

/// The field element `member + 1`.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "field and group arithmetic cannot overflow"
)]
fn x<C: FrostSuite>(member: MemberId) -> Scalar<C> {
    let one = <<C::Group as Group>::Field as Field>::one();
    (0..member.0).fold(one, |sum, _| sum + one)
}

/// Lagrange interpolation in the exponent at `at`; none if two abscissas are the same.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "field and group arithmetic cannot overflow"
)]
fn interpolate<C: FrostSuite>(
    points: &[(Scalar<C>, Element<C>)],
    at: Scalar<C>,
) -> Option<Element<C>> {
    let one = <<C::Group as Group>::Field as Field>::one();
    let mut sum = <C::Group as Group>::identity();
    for (i, (xi, point)) in points.iter().enumerate() {
        let others = points.iter().enumerate().filter(|(j, _)| *j != i);
        let (numerator, denominator) = others.fold((one, one), |(n, d), (_, (xj, _))| {
            (n * (at - *xj), d * (*xi - *xj))
        });
        let inverse = <<C::Group as Group>::Field as Field>::invert(&denominator).ok()?;
        sum = sum + *point * (numerator * inverse);
    }
    Some(sum)
}
