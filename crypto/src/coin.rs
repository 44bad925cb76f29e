//! The common coin: a distributed verifiable random function over ristretto255 (RFC 9496).
//!
//! Cachin, Kursawe and Shoup 2000 (eprint 2000/034), section 4.3: member `i` holds `x_i`, a share of `x` with threshold
//! f+1; its coin share is `g^x_i` with a Chaum-Pedersen proof that the exponent is the one behind its verifying share,
//! where `g` is the hash of (network, epoch, round, view) to the group. Any f+1 valid shares give the same `g^x`, and
//! fewer tell nothing about it. The coin is never derived from FROST signatures, which are not unique.

mod error;

use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use curve25519_dalek::{
    RistrettoPoint, Scalar,
    ristretto::CompressedRistretto,
    traits::{Identity, VartimeMultiscalarMul},
};
use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha512};
use touchstone_types::{
    Committee, Digest, Epoch, EpochRecord, MemberId, NetworkId, Round, View, sha256,
};
use zeroize::{Zeroize, Zeroizing};

pub use error::CoinError;

const INPUT_TAG: &[u8] = b"touchstone/coin/1";
const PROOF_TAG: &[u8] = b"touchstone/coin/dleq/1";
const NONCE_TAG: &[u8] = b"touchstone/coin/nonce/1";
const VALUE_TAG: &[u8] = b"touchstone/coin/value/1";
/// Length of a serialised [`CoinShare`].
pub const COIN_SHARE_BYTES: usize = 96;

/// What one coin is about. Each input has its own coin, and no other input says anything about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CoinInput {
    /// The network.
    pub network: NetworkId,
    /// The epoch.
    pub epoch: Epoch,
    /// The round.
    pub round: Round,
    /// The view whose leader the coin elects.
    pub view: View,
}

/// One member's share of a coin, with the proof that it is the right one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CoinShare {
    /// `g^x_i`, compressed.
    pub value: [u8; 32],
    /// Chaum-Pedersen proof: challenge and response.
    pub proof: [u8; 64],
}

/// The value of a coin: 32 bytes that nobody could predict or bias.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CoinValue(pub [u8; 32]);

/// A member's share of the coin key.
pub struct CoinSecretShare {
    member: MemberId,
    secret: Scalar,
    public: RistrettoPoint,
    /// `public`, compressed.
    verifying: [u8; 32],
}

/// The public side of the coin key, decoded and checked once.
#[derive(Clone, Debug)]
pub struct CoinPublic {
    threshold: usize,
    key: [u8; 32],
    verifying: Vec<[u8; 32]>,
    points: Vec<RistrettoPoint>,
}

impl CoinInput {
    fn bytes(&self) -> [u8; 48] {
        let mut out = [0; 48];
        let parts: [&[u8]; 4] = [
            &self.network.0.0,
            &self.epoch.0.to_be_bytes(),
            &self.round.0.to_be_bytes(),
            &self.view.0.to_be_bytes(),
        ];
        for (slot, byte) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
        }
        out
    }

    /// The generator of this coin: nobody knows its logarithm to any other one.
    fn generator(&self) -> RistrettoPoint {
        let hash = Sha512::new()
            .chain_update(INPUT_TAG)
            .chain_update(self.bytes());
        RistrettoPoint::from_uniform_bytes(&hash.finalize().into())
    }
}

impl CoinShare {
    /// `value (32) | proof (64)`.
    pub fn to_bytes(&self) -> [u8; COIN_SHARE_BYTES] {
        let mut out = [0; COIN_SHARE_BYTES];
        for (slot, byte) in out.iter_mut().zip(self.value.iter().chain(&self.proof)) {
            *slot = *byte;
        }
        out
    }

    /// Reads `value (32) | proof (64)`; none for any other length. Whether the share is valid is another question.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (value, proof) = bytes.split_first_chunk::<32>()?;
        Some(Self {
            value: *value,
            proof: proof.try_into().ok()?,
        })
    }
}

impl fmt::Debug for CoinShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoinShare({})", Digest(self.value))
    }
}

impl CoinValue {
    /// The elected member of `n`. The value is reduced from 128 bits, so the bias is below `n / 2^128`.
    pub fn leader(&self, n: u16) -> MemberId {
        let (high, _) = self.0.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        let index = u128::from_be_bytes(*high).checked_rem(u128::from(n));
        MemberId(index.and_then(|i| u16::try_from(i).ok()).unwrap_or(0))
    }
}

impl CoinSecretShare {
    pub(crate) fn new(member: MemberId, secret: Scalar) -> Self {
        let public = RistrettoPoint::mul_base(&secret);
        Self {
            member,
            secret,
            public,
            verifying: public.compress().0,
        }
    }

    /// Whose share it is.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// The 32 secret bytes, for a sealed key file.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.secret.as_bytes().to_vec())
    }

    /// Reads a share from a key file and checks that it is the one behind the member's verifying share.
    ///
    /// # Errors
    /// [`CoinError::Secret`] if it is not, [`CoinError::Member`] if there is no such member.
    pub fn from_secret_bytes(
        bytes: &[u8],
        member: MemberId,
        public: &CoinPublic,
    ) -> Result<Self, CoinError> {
        let must = public.point(member)?;
        let array =
            Zeroizing::new(<[u8; 32]>::try_from(bytes).map_err(|_| CoinError::Secret(member))?);
        let secret = Option::<Scalar>::from(Scalar::from_canonical_bytes(*array))
            .ok_or(CoinError::Secret(member))?;
        let share = Self::new(member, secret);
        if share.public == must {
            Ok(share)
        } else {
            Err(CoinError::Secret(member))
        }
    }

    /// The member's share of the coin of `input`.
    ///
    /// The value is a function of key and input alone. The proof's nonce is hedged: a hash of the secret, the input and
    /// fresh randomness, so that neither a broken generator nor a repeated call gives the secret away.
    pub fn share(&self, input: &CoinInput, rng: &mut impl CryptoRngCore) -> CoinShare {
        let generator = input.generator();
        let value = (generator * self.secret).compress().0;
        let mut fresh = Zeroizing::new([0; 32]);
        rng.fill_bytes(fresh.as_mut());
        let mut wide: [u8; 64] = Sha512::new()
            .chain_update(NONCE_TAG)
            .chain_update(self.secret.as_bytes())
            .chain_update(fresh.as_ref())
            .chain_update(input.bytes())
            .finalize()
            .into();
        let mut nonce = Scalar::from_bytes_mod_order_wide(&wide);
        wide.zeroize();
        let proof = Statement {
            member: self.member,
            input,
            public: &self.verifying,
            value: &value,
        };
        let challenge = proof.challenge(&RistrettoPoint::mul_base(&nonce), &(generator * nonce));
        let response = nonce + challenge * self.secret;
        nonce.zeroize();
        let mut bytes = [0; 64];
        let parts = challenge.as_bytes().iter().chain(response.as_bytes());
        for (slot, byte) in bytes.iter_mut().zip(parts) {
            *slot = *byte;
        }
        CoinShare {
            value,
            proof: bytes,
        }
    }
}

impl Drop for CoinSecretShare {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for CoinSecretShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoinSecretShare")
            .field("member", &self.member)
            .field("secret", &"<redacted>")
            .finish()
    }
}

impl CoinPublic {
    /// Decodes a coin key and its verifying shares (in member order), and checks that they belong together.
    ///
    /// # Errors
    /// Bytes that are no group elements, a wrong number of shares, or shares of another key or threshold.
    pub fn new(
        committee: Committee,
        key: [u8; 32],
        verifying: Vec<[u8; 32]>,
    ) -> Result<Self, CoinError> {
        let must = usize::from(committee.n());
        if verifying.len() != must {
            return Err(CoinError::Size {
                got: verifying.len(),
                must,
            });
        }
        let key_point = decode(&key).ok_or(CoinError::Key)?;
        let points = committee
            .members()
            .zip(&verifying)
            .map(|(member, bytes)| decode(bytes).ok_or(CoinError::VerifyingShare(member)))
            .collect::<Result<Vec<_>, _>>()?;
        let threshold = committee.coin_threshold();
        let basis: Vec<(MemberId, RistrettoPoint)> = committee
            .members()
            .zip(points.iter().copied())
            .take(threshold)
            .collect();
        let rest = committee.members().zip(&points).skip(threshold);
        let fits = interpolate(&basis, Scalar::ZERO) == key_point
            && rest
                .into_iter()
                .all(|(member, point)| interpolate(&basis, abscissa(member)) == *point);
        if !fits {
            return Err(CoinError::Inconsistent { threshold });
        }
        Ok(Self {
            threshold,
            key,
            verifying,
            points,
        })
    }

    /// The coin key of an epoch record.
    ///
    /// # Errors
    /// As for [`CoinPublic::new`].
    pub fn from_record(committee: Committee, record: &EpochRecord) -> Result<Self, CoinError> {
        let verifying = record.coin_shares.iter().map(|d| d.0).collect();
        Self::new(committee, record.coin_key.0, verifying)
    }

    /// f + 1: how many shares open a coin.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The coin key, compressed.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Each member's verifying share, compressed, in member order.
    pub fn verifying(&self) -> &[[u8; 32]] {
        &self.verifying
    }

    /// Checks one member's share.
    ///
    /// # Errors
    /// [`CoinError::Share`] if it is not the member's share of this coin, [`CoinError::Member`] if there is no such member.
    pub fn verify_share(
        &self,
        member: MemberId,
        input: &CoinInput,
        share: &CoinShare,
    ) -> Result<(), CoinError> {
        self.verify_with(member, input, &input.generator(), share)
    }

    /// The verdict of [`CoinPublic::verify_share`] on each of many shares of one coin, in order; the coin's generator is
    /// computed once. The proofs themselves cannot be added up, as they hold a challenge instead of commitments.
    pub fn verify_shares(&self, input: &CoinInput, shares: &[(MemberId, CoinShare)]) -> Vec<bool> {
        let generator = input.generator();
        let right = |(member, share): &(MemberId, CoinShare)| {
            self.verify_with(*member, input, &generator, share).is_ok()
        };
        shares.iter().map(right).collect()
    }

    fn verify_with(
        &self,
        member: MemberId,
        input: &CoinInput,
        generator: &RistrettoPoint,
        share: &CoinShare,
    ) -> Result<(), CoinError> {
        let public = self.point(member)?;
        let compressed = self
            .verifying
            .get(member.index())
            .ok_or(CoinError::Member(member))?;
        let bad = CoinError::Share(member);
        let value = decode(&share.value).ok_or(bad)?;
        let (challenge, response) = share.proof.split_first_chunk::<32>().ok_or(bad)?;
        let challenge = canonical(challenge).ok_or(bad)?;
        let response = canonical(response).ok_or(bad)?;
        let at_base =
            RistrettoPoint::vartime_double_scalar_mul_basepoint(&-challenge, &public, &response);
        let at_generator =
            RistrettoPoint::vartime_multiscalar_mul([response, -challenge], [*generator, value]);
        let proof = Statement {
            member,
            input,
            public: compressed,
            value: &share.value,
        };
        if proof.challenge(&at_base, &at_generator) == challenge {
            Ok(())
        } else {
            Err(bad)
        }
    }

    /// The coin from valid shares of at least f + 1 distinct members; which ones makes no difference.
    ///
    /// Only shares that passed [`CoinPublic::verify_share`] for one input may be given: a wrong share makes a wrong coin.
    ///
    /// # Errors
    /// Too few distinct members, an unknown member, or bytes that are no group element.
    pub fn combine(&self, shares: &[(MemberId, CoinShare)]) -> Result<CoinValue, CoinError> {
        let distinct: BTreeMap<MemberId, &CoinShare> = shares
            .iter()
            .map(|(member, share)| (*member, share))
            .collect();
        if distinct.len() < self.threshold {
            return Err(CoinError::TooFew {
                got: distinct.len(),
                threshold: self.threshold,
            });
        }
        let points = distinct
            .into_iter()
            .take(self.threshold)
            .map(|(member, share)| {
                self.point(member)?;
                let point = decode(&share.value).ok_or(CoinError::Share(member))?;
                Ok((member, point))
            })
            .collect::<Result<Vec<_>, CoinError>>()?;
        let power = interpolate(&points, Scalar::ZERO).compress();
        Ok(CoinValue(sha256(&[VALUE_TAG, power.as_bytes()]).0))
    }

    fn point(&self, member: MemberId) -> Result<RistrettoPoint, CoinError> {
        self.points
            .get(member.index())
            .copied()
            .ok_or(CoinError::Member(member))
    }
}

/// What a Chaum-Pedersen proof is about; all of it goes into the challenge.
struct Statement<'a> {
    member: MemberId,
    input: &'a CoinInput,
    public: &'a [u8; 32],
    value: &'a [u8; 32],
}

impl Statement<'_> {
    fn challenge(&self, at_base: &RistrettoPoint, at_generator: &RistrettoPoint) -> Scalar {
        let hash = Sha512::new()
            .chain_update(PROOF_TAG)
            .chain_update(self.member.0.to_be_bytes())
            .chain_update(self.input.bytes())
            .chain_update(self.public)
            .chain_update(self.value)
            .chain_update(at_base.compress().as_bytes())
            .chain_update(at_generator.compress().as_bytes());
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    }
}

/// Where the sharing polynomial is evaluated for a member: its index plus one, as 0 is the secret's place.
pub(crate) fn abscissa(member: MemberId) -> Scalar {
    Scalar::from(u32::from(member.0).saturating_add(1))
}

/// A group element other than the identity.
pub(crate) fn decode(bytes: &[u8; 32]) -> Option<RistrettoPoint> {
    CompressedRistretto(*bytes)
        .decompress()
        .filter(|point| *point != RistrettoPoint::identity())
}

fn canonical(bytes: &[u8]) -> Option<Scalar> {
    let array = <[u8; 32]>::try_from(bytes).ok()?;
    Scalar::from_canonical_bytes(array).into()
}

/// Lagrange interpolation in the exponent: the value at `at` of the polynomial through the points of distinct members.
fn interpolate(points: &[(MemberId, RistrettoPoint)], at: Scalar) -> RistrettoPoint {
    let xs: Vec<Scalar> = points.iter().map(|(member, _)| abscissa(*member)).collect();
    let mut denominators: Vec<Scalar> = xs
        .iter()
        .map(|x| xs.iter().filter(|o| *o != x).map(|o| x - o).product())
        .collect();
    Scalar::batch_invert(&mut denominators);
    let coefficients = xs.iter().zip(&denominators).map(|(x, inverse)| {
        let numerator: Scalar = xs.iter().filter(|o| *o != x).map(|o| at - o).product();
        numerator * inverse
    });
    RistrettoPoint::vartime_multiscalar_mul(coefficients, points.iter().map(|(_, point)| point))
}

#[cfg(test)]
mod tests;
