//! The other side of the comparison: the same sessions run by frost-core, bit for bit.

use super::*;
use crate::{
    group::secp256k1,
    sign::curve::{Curve, Ed25519, Secp256k1},
    suite::{self, FrostSuite, Secp256k1Keccak256},
    testing::statement,
};
use alloc::collections::BTreeMap;
use curve25519_dalek::edwards::CompressedEdwardsY;
use frost_core::{
    Ciphersuite, Group as _, Identifier, SigningPackage,
    keys::{IdentifierList, KeyPackage, PublicKeyPackage, generate_with_dealer},
    round1, round2,
};
use frost_ed25519::Ed25519Sha512;
use proptest::prelude::*;
use std::{collections::BTreeSet, string::String};
use touchstone_types::Committee;

/// A suite of frost-core, and where ours differs from it.
trait Reference: FrostSuite {
    /// The signature as we let it travel.
    fn travels(signature: Vec<u8>) -> Vec<u8>;

    /// Whether we decode a point that frost-core refuses: one that is not in the group of prime order.
    fn decodes_without_order(point: &[u8]) -> bool;
}

impl Reference for Ed25519Sha512 {
    fn travels(signature: Vec<u8>) -> Vec<u8> {
        signature
    }

    fn decodes_without_order(point: &[u8]) -> bool {
        let point = CompressedEdwardsY(point.try_into().unwrap()).decompress();
        point.is_some_and(|point| !point.is_torsion_free())
    }
}

impl Reference for Secp256k1Keccak256 {
    fn travels(signature: Vec<u8>) -> Vec<u8> {
        let (commitment, z) = signature.split_at(33);
        let commitment = secp256k1::decode(commitment.try_into().unwrap()).unwrap();
        [&secp256k1::coordinates(&commitment).unwrap(), z].concat()
    }

    fn decodes_without_order(_: &[u8]) -> bool {
        false
    }
}

/// One committee's keys in both forms.
struct Both<C: Reference> {
    public: SigningPublic,
    shares: Vec<SigningShare>,
    reference: PublicKeyPackage<C>,
    packages: Vec<KeyPackage<C>>,
}

fn deal<C: Reference>(committee: Committee, rng: &mut ChaCha20Rng) -> Both<C> {
    let threshold = u16::try_from(committee.signing_threshold()).unwrap();
    let (secrets, reference) =
        generate_with_dealer(committee.n(), threshold, IdentifierList::Default, rng).unwrap();
    let packages: Vec<KeyPackage<C>> = secrets
        .into_values()
        .map(|secret| secret.try_into().unwrap())
        .collect();
    let keys = SuiteKeys {
        suite: C::SUITE,
        group_key: reference.verifying_key().serialize().unwrap(),
        verifying_shares: packages
            .iter()
            .map(|p| p.verifying_share().serialize().unwrap())
            .collect(),
    };
    let public = SigningPublic::new(committee, &keys).unwrap();
    let shares = committee.members().zip(&packages).map(|(member, package)| {
        let secret = package.signing_share().serialize();
        SigningShare::from_secret_bytes(&secret, member, &public).unwrap()
    });
    Both {
        shares: shares.collect(),
        public,
        reference,
        packages,
    }
}

fn identifier<C: Reference>(member: MemberId) -> Identifier<C> {
    suite::identifier(member).unwrap()
}

fn decode<C: Reference>(
    bytes: &[u8],
) -> Result<round1::SigningCommitments<C>, frost_core::Error<C>> {
    let (hiding, binding) = bytes.split_at(C::SUITE.element_bytes());
    Ok(round1::SigningCommitments::new(
        round1::NonceCommitment::deserialize(hiding)?,
        round1::NonceCommitment::deserialize(binding)?,
    ))
}

/// A session of both kinds over one statement.
struct Twin<'a, C: Reference> {
    keys: &'a Both<C>,
    session: PreparedSession,
    package: SigningPackage<C>,
}

impl<'a, C: Reference> Twin<'a, C> {
    fn new(keys: &'a Both<C>, entries: &[(MemberId, Vec<u8>)], statement: &Statement) -> Self {
        let target = SignTarget::Statement(statement);
        let decoded: BTreeMap<_, _> = entries
            .iter()
            .map(|(member, bytes)| (identifier(*member), decode(bytes).unwrap()))
            .collect();
        Self {
            keys,
            session: PreparedSession::new(&keys.public, entries, &target).unwrap(),
            package: SigningPackage::new(decoded, &target.digest().0),
        }
    }

    /// Both verdicts on a share, which must be the same.
    fn verify(&self, member: MemberId, share: &SignatureShare) -> bool {
        let verdict = self.session.verify_share(member, share);
        assert!(matches!(verdict, Ok(()) | Err(SignError::Share { .. })));
        let reference = round2::SignatureShare::deserialize(&share.0).is_ok_and(|share| {
            let id = identifier(member);
            frost_core::verify_signature_share(
                id,
                &self.keys.reference.verifying_shares()[&id],
                &share,
                &self.package,
                self.keys.reference.verifying_key(),
            )
            .is_ok()
        });
        assert_eq!(verdict.is_ok(), reference);
        reference
    }

    /// Both sums of shares that decode, which must be the same signature or name the same liars.
    fn aggregate(&self, shares: &[(MemberId, SignatureShare)]) -> Result<Vec<u8>, Vec<MemberId>> {
        let decoded: BTreeMap<_, _> = shares
            .iter()
            .map(|(m, s)| {
                let share = round2::SignatureShare::deserialize(&s.0).unwrap();
                (identifier(*m), share)
            })
            .collect();
        let all = frost_core::CheaterDetection::AllCheaters;
        let reference =
            frost_core::aggregate_custom(&self.package, &decoded, &self.keys.reference, all)
                .map(|signature| C::travels(signature.serialize().unwrap()))
                .map_err(|error| {
                    let named: BTreeSet<_> = error.culprits().into_iter().collect();
                    let members = shares.iter().map(|(m, _)| *m);
                    let mut named: Vec<_> = members
                        .filter(|m| named.contains(&identifier(*m)))
                        .collect();
                    named.sort_unstable();
                    named
                });
        let got = self
            .session
            .aggregate(shares)
            .map(GroupSignature::into_bytes)
            .map_err(|error| error.culprits().to_vec());
        assert_eq!(got, reference);
        got
    }
}

/// What happens in one comparison.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    n: usize,
    f: u16,
    signers: Vec<bool>,
    /// Which signers' shares are spoilt, and at which bit.
    spoilt: Vec<(usize, usize)>,
    /// Which signer's commitments are spoilt, and at which bit.
    commitment: (usize, usize),
}

fn plan() -> impl Strategy<Value = Plan> {
    (3..=13usize)
        .prop_flat_map(|n| {
            let f = Committee::max_faults(u16::try_from(n).unwrap());
            (Just(n), 0..=f)
        })
        .prop_flat_map(|(n, f)| {
            (
                any::<u64>(),
                proptest::collection::vec(any::<bool>(), n),
                proptest::collection::vec((0..n, 0..256usize), 0..4),
                (0..n, 0..512usize),
            )
                .prop_map(move |(seed, signers, spoilt, commitment)| Plan {
                    seed,
                    n,
                    f,
                    signers,
                    spoilt,
                    commitment,
                })
        })
}

/// The members that sign: those that the plan picks, and the last ones up to the threshold.
fn signers(plan: &Plan, committee: Committee) -> Vec<MemberId> {
    let mut picked: Vec<bool> = plan.signers.clone();
    for i in (0..plan.n).rev() {
        if picked.iter().filter(|p| **p).count() < committee.signing_threshold() {
            picked[i] = true;
        }
    }
    let members = committee.members().zip(picked);
    members.filter(|(_, p)| *p).map(|(m, _)| m).collect()
}

/// Something of each signer.
type Of<T> = Vec<(MemberId, T)>;

/// Runs a session both ways; gives its entries and shares.
fn compare<C: Reference>(
    keys: &Both<C>,
    members: &[MemberId],
    rng: &mut ChaCha20Rng,
) -> (Of<Vec<u8>>, Of<SignatureShare>) {
    let statement = statement(1);
    let mut store = NonceStore::new(rng);
    let mut entries = Vec::new();
    let mut nonces = Vec::new();
    for member in members {
        // The same randomness gives the same nonces.
        let mut twin = rng.clone();
        let (id, commitments) = store.fresh(&keys.shares[member.index()], rng);
        let package = &keys.packages[member.index()];
        let (secret, reference) = round1::commit(package.signing_share(), &mut twin);
        assert_eq!(decode(&commitments.bytes).unwrap(), reference);
        entries.push((*member, commitments.bytes));
        nonces.push((store.take(id).unwrap(), secret));
    }
    let twin = Twin::new(keys, &entries, &statement);
    let mut shares = Vec::new();
    for (member, (own, reference)) in members.iter().zip(nonces) {
        let made = twin
            .session
            .sign(&keys.shares[member.index()], own)
            .unwrap();
        let package = &keys.packages[member.index()];
        let expected = round2::sign(&twin.package, &reference, package).unwrap();
        assert_eq!(made.0.to_vec(), expected.serialize());
        assert!(twin.verify(*member, &made));
        shares.push((*member, made));
    }
    let signature = twin.aggregate(&shares).unwrap();
    let key = keys.public.group_key();
    assert_eq!(key.verify_statement(&statement, &signature), Ok(()));
    (entries, shares)
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// What became of sessions with spoilt commitments.
fn spoil_commitments<C: Reference>(
    keys: &Both<C>,
    plan: &Plan,
    mut entries: Vec<(MemberId, Vec<u8>)>,
    shares: &[(MemberId, SignatureShare)],
) {
    let statement = statement(1);
    let target = SignTarget::Statement(&statement);
    let (at, bit) = (plan.commitment.0 % entries.len(), plan.commitment.1);
    flip(&mut entries[at].1, bit);
    let member = entries[at].0;
    let element = C::SUITE.element_bytes();
    let point = entries[at].1[bit / 8 / element * element..][..element].to_vec();
    let prepared = PreparedSession::new(&keys.public, &entries, &target);
    if C::decodes_without_order(&point) {
        // What frost-core refuses to decode, the author's share is refused for.
        assert!(decode::<C>(&entries[at].1).is_err());
        let share = &shares[at].1;
        let verdict = prepared.unwrap().verify_share(member, share);
        assert_eq!(verdict, Err(SignError::Share { member }));
    } else if decode::<C>(&entries[at].1).is_err() {
        assert_eq!(prepared.unwrap_err(), SignError::Commitments { member });
    } else {
        // A share depends on everybody's commitments: no old one is right, for either side.
        let twin = Twin::new(keys, &entries, &statement);
        for (member, share) in shares {
            assert!(!twin.verify(*member, share));
        }
        let everybody: Vec<_> = shares.iter().map(|(m, _)| *m).collect();
        assert_eq!(twin.aggregate(shares), Err(everybody));
    }
}

/// A session both ways, with shares and commitments spoilt.
fn differ<C: Reference>(plan: &Plan) {
    let mut rng = rng(plan.seed);
    let committee = Committee::new(plan.n, plan.f).unwrap();
    let keys = deal::<C>(committee, &mut rng);
    let members = signers(plan, committee);
    let (entries, shares) = compare(&keys, &members, &mut rng);

    let twin = Twin::new(&keys, &entries, &statement(1));
    let mut bad = shares.clone();
    for (who, bit) in &plan.spoilt {
        let len = bad.len();
        flip(&mut bad[who % len].1.0, *bit);
    }
    let wrong: Vec<MemberId> = bad
        .iter()
        .filter(|(member, share)| !twin.verify(*member, share))
        .map(|(member, _)| *member)
        .collect();
    let changed = bad.iter().zip(&shares).filter(|(b, s)| b != s);
    assert_eq!(wrong, changed.map(|(b, _)| b.0).collect::<Vec<_>>());
    let decodes = |s: &SignatureShare| round2::SignatureShare::<C>::deserialize(&s.0).is_ok();
    if bad.iter().all(|(_, s)| decodes(s)) {
        let verdict = twin.aggregate(&bad).map(|_| ());
        assert_eq!(verdict, if wrong.is_empty() { Ok(()) } else { Err(wrong) });
    }
    spoil_commitments(&keys, plan, entries, &shares);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn sessions_are_those_of_frost_core_bit_for_bit(plan in plan()) {
        differ::<Ed25519Sha512>(&plan);
        differ::<Secp256k1Keccak256>(&plan);
    }
}

#[test]
fn large_committees_sign_bit_for_bit_as_frost_core() {
    large::<Ed25519Sha512>(&[(31, 10), (100, 33), (128, 42)]);
    large::<Secp256k1Keccak256>(&[(31, 10), (100, 33)]);
}

fn large<C: Reference>(sizes: &[(usize, u16)]) {
    let mut rng = rng(31);
    for (n, f) in sizes {
        let committee = Committee::new(*n, *f).unwrap();
        let keys = deal::<C>(committee, &mut rng);
        // Not the first ones, for large abscissas.
        let last = committee.members().rev();
        let mut members: Vec<MemberId> = last.take(committee.signing_threshold()).collect();
        members.sort_unstable();
        compare(&keys, &members, &mut rng);
    }
}

#[test]
fn a_share_of_another_key_does_not_sign() {
    let mut rng = rng(8);
    let committee = Committee::new(4, 1).unwrap();
    let keys = deal::<Ed25519Sha512>(committee, &mut rng);
    let others = deal::<Ed25519Sha512>(committee, &mut rng);
    let statement = statement(1);
    let mut store = NonceStore::new(&mut rng);
    let mut entries = Vec::new();
    let mut ids = Vec::new();
    for share in &others.shares[..3] {
        let (id, commitments) = store.fresh(share, &mut rng);
        ids.push(id);
        entries.push((share.member(), commitments.bytes));
    }
    let target = SignTarget::Statement(&statement);
    let session = PreparedSession::new(&keys.public, &entries, &target).unwrap();
    let nonces = store.take(ids[0]).unwrap();
    let refused = session.sign(&others.shares[0], nonces);
    assert_eq!(refused, Err(SignError::OtherKey));
    // Of another suite: neither the share nor the commitments are taken.
    let others = deal::<Secp256k1Keccak256>(committee, &mut rng);
    let refused = session.sign(&others.shares[0], store.take(ids[1]).unwrap());
    assert_eq!(refused, Err(SignError::OtherKey));
    let set = SignerSet::decode(Suite::Ed25519, &entries).unwrap();
    let prepared = PreparedSession::from_set(&others.public, &set, &target);
    assert_eq!(prepared.unwrap_err(), SignError::OtherKey);
}

#[test]
fn hashes_and_generator_are_those_of_the_ciphersuites() {
    same_hashes::<Ed25519, Ed25519Sha512>("FROST-ED25519-SHA512-v1");
    same_hashes::<Secp256k1, Secp256k1Keccak256>("FROST-secp256k1-KECCAK256-v1");
}

fn same_hashes<O, C>(id: &str)
where
    O: Curve<Scalar = frost_core::Scalar<C>, Point = frost_core::Element<C>>,
    C: Reference,
{
    let (message, other) = (b"a message", b"and another");
    let both = [&message[..], other].concat();
    assert!(O::h1(&[message])(other) == C::H1(&both));
    assert!(O::h2(&[message, other]) == C::H2(&both));
    assert!(O::h3(&[message, other]) == C::H3(&both));
    assert_eq!(O::h4(&both).as_ref(), C::H4(&both).as_ref());
    assert_eq!(O::h5(&both).as_ref(), C::H5(&both).as_ref());
    assert_eq!(String::from(C::ID), id);
    let base = <C as Ciphersuite>::Group::generator();
    assert!(O::mul_base(&O::integer(1)) == base);
}
