//! The libraries one by one, against the Rust code that they must agree with.

use std::sync::OnceLock;

use k256::{
    ProjectivePoint, Scalar,
    elliptic_curve::{PrimeField as _, ops::Reduce, sec1::ToEncodedPoint as _},
};
use proptest::{prelude::*, sample::Index};
use revm::primitives::{Address, keccak256};
use touchstone_crypto::GroupKey;
use touchstone_solidity_tests::{Arg, Artifact, Chain, Committee4, leaves, statement_over};
use touchstone_types::{Digest, FeedName, NetworkId, Statement, Suite, merkle};

const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const FIELD: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";

/// A deployed harness with its key.
struct Harness {
    chain: Chain,
    address: Address,
    artifact: Artifact,
    key: GroupKey,
}

impl Harness {
    fn new(key: &[u8]) -> Self {
        let mut chain = Chain::new(0);
        let address = chain.deploy("LibraryHarness", &[Arg::Bytes(key.to_vec())]);
        let artifact = Artifact::read("LibraryHarness");
        let key = GroupKey::new(Suite::Secp256k1Keccak, key).expect("a key");
        Self {
            chain,
            address,
            artifact,
            key,
        }
    }

    fn call(&self, function: &str, args: &[Arg]) -> [u8; 32] {
        let data = [self.artifact.selector(function).to_vec(), Arg::encode(args)].concat();
        self.chain.call(self.address, &data).words().word(0)
    }

    /// The contract's verdict, which must be the Rust code's as well.
    fn verdict(&self, statement: &Statement, signature: &[u8]) -> bool {
        let word = |at: usize| Arg::Word(signature[at..at + 32].try_into().expect("32 bytes"));
        let args = [Arg::Word(statement.digest().0), word(0), word(32), word(64)];
        let contract = self.call("verify", &args)[31] == 1;
        let rust = self.key.verify_statement(statement, signature).is_ok();
        assert_eq!(contract, rust, "{}", hex::encode(signature));
        contract
    }
}

fn statement(round: u64) -> Statement {
    statement_over(
        NetworkId(Digest([3; 32])),
        round,
        1_790_000_000_000,
        &leaves(3, 1_790_000_000_000),
    )
}

fn committee() -> &'static (Committee4, Harness) {
    static COMMITTEE: OnceLock<(Committee4, Harness)> = OnceLock::new();
    COMMITTEE.get_or_init(|| {
        let committee = Committee4::generate(11);
        let harness = Harness::new(&committee.group_key());
        (committee, harness)
    })
}

fn scalar(seed: &[u8]) -> Scalar {
    <Scalar as Reduce<k256::U256>>::reduce_bytes(&keccak256(seed).0.into())
}

/// `x | y`.
fn coordinates(point: &ProjectivePoint) -> [u8; 64] {
    point.to_affine().to_encoded_point(false).as_bytes()[1..]
        .try_into()
        .expect("64 bytes")
}

#[test]
fn a_threshold_signature_passes_and_every_flipped_bit_of_it_fails() {
    let (committee, harness) = committee();
    let statement = statement(1);
    let signature = committee.sign(&statement);
    assert!(harness.verdict(&statement, &signature));
    for bit in 0..768 {
        let mut bad = signature.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(!harness.verdict(&statement, &bad), "bit {bit}");
    }
    let mut next = statement;
    next.round.0 += 1;
    assert!(!harness.verdict(&next, &signature));
}

/// Keys and nonces of both parities, and the challenge of the contract: a signature that is made with it holds for the Rust code
/// only if both compute the same one.
#[test]
fn the_challenge_is_the_one_of_the_rust_code_for_points_of_both_parities() {
    let mut parities = [[0; 2]; 2];
    for seed in 0_u8..40 {
        let (secret, nonce) = (scalar(&[seed, 1]), scalar(&[seed, 2]));
        let (key, commitment) = (
            ProjectivePoint::GENERATOR * secret,
            ProjectivePoint::GENERATOR * nonce,
        );
        let key = key.to_affine().to_encoded_point(true);
        let harness = Harness::new(key.as_bytes());
        let (statement, r) = (statement(u64::from(seed) + 1), coordinates(&commitment));
        let [x, y] = [&r[..32], &r[32..]].map(|c| Arg::Word(c.try_into().expect("32 bytes")));
        let c = harness.call("challenge", &[Arg::Word(statement.digest().0), x, y]);
        let c = Option::<Scalar>::from(Scalar::from_repr(c.into())).expect("below the order");
        let signature = [&r[..], &(nonce + c * secret).to_bytes()].concat();
        assert!(harness.verdict(&statement, &signature), "seed {seed}");
        let minus = [&r[..], &(-(nonce + c * secret)).to_bytes()].concat();
        assert!(!harness.verdict(&statement, &minus));
        parities[usize::from(key.as_bytes()[0] & 1)][usize::from(r[63] & 1)] += 1;
    }
    assert!(parities.iter().flatten().all(|n| *n > 2), "{parities:?}");
}

/// About half of all x coordinates below the order belong to no point.
#[test]
fn keys_are_judged_as_in_rust() {
    let artifact = Artifact::read("LibraryHarness");
    let mut verdicts = [0; 2];
    for seed in 0_u8..60 {
        let mut key = [2 + seed % 2; 33];
        key[1..].copy_from_slice(&keccak256([seed]).0);
        if seed < 20 {
            key[1..32].fill(0);
            key[32] = seed;
        }
        let deployed = Chain::new(0).try_deploy(&artifact, &[Arg::Bytes(key.to_vec())]);
        let rust = GroupKey::new(Suite::Secp256k1Keccak, &key).is_ok();
        assert_eq!(deployed.is_ok(), rust, "{}", hex::encode(key));
        verdicts[usize::from(rust)] += 1;
    }
    assert!(verdicts.iter().all(|n| *n > 15), "{verdicts:?}");
}

/// Numbers at the edges of field and order, and the coordinates and responses of good signatures.
fn edge() -> impl Strategy<Value = [u8; 32]> {
    let bytes = |text: &str| {
        <[u8; 32]>::try_from(hex::decode(text).expect("hexadecimal")).expect("32 bytes")
    };
    let around = |middle: [u8; 32]| {
        (-2_i16..3).prop_map(move |step| {
            let mut out = middle;
            out[31] = u8::try_from(i16::from(middle[31]) + step).expect("no carry");
            out
        })
    };
    let small = any::<u8>().prop_map(|b| {
        let mut out = [0; 32];
        out[31] = b;
        out
    });
    prop_oneof![
        around(bytes(ORDER)),
        around(bytes(FIELD)),
        small,
        any::<[u8; 32]>(),
        Just([0xff; 32])
    ]
}

/// Bytes that are nearly a name.
fn near_name() -> impl Strategy<Value = [u8; 32]> {
    let letter = prop_oneof![
        8 => prop::sample::select(b"ABYZ0189.".to_vec()),
        1 => prop::sample::select(vec![0, b'-', b'/', b',', b':', b'@', b'[', b'a', 0x7f, 0x80, 0xad, 0xff]),
    ];
    let part = || prop::collection::vec(letter.clone(), 0..18);
    (
        part(),
        part(),
        prop::option::weighted(0.2, (any::<Index>(), any::<u8>())),
    )
        .prop_map(|(base, quote, change)| {
            let mut name = [base, b"-".to_vec(), quote].concat();
            name.resize(32, 0);
            let mut out: [u8; 32] = name[..32].try_into().expect("32 bytes");
            if let Some((at, byte)) = change {
                out[at.index(32)] = byte;
            }
            out
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn signatures_of_odd_numbers_are_judged_as_in_rust(
        round in 1_u64..4,
        parts in prop::array::uniform3(prop::option::of(edge())),
        swap in prop::option::of((0_usize..3, 0_usize..3)),
    ) {
        let (committee, harness) = committee();
        let statement = statement(round);
        let mut signature = committee.sign(&statement);
        for (i, part) in parts.iter().enumerate() {
            if let Some(part) = part {
                signature[i * 32..][..32].copy_from_slice(part);
            }
        }
        if let Some((a, b)) = swap {
            let moved: Vec<u8> = signature[a * 32..][..32].to_vec();
            signature[b * 32..][..32].copy_from_slice(&moved);
        }
        let untouched = parts.iter().all(Option::is_none) && swap.is_none_or(|(a, b)| a == b);
        prop_assert_eq!(harness.verdict(&statement, &signature), untouched);
    }

    #[test]
    fn names_are_judged_as_in_rust(name in near_name()) {
        let contract = committee().1.call("isFeedName", &[Arg::Word(name)])[31] == 1;
        prop_assert_eq!(contract, FeedName::from_bytes(name).is_ok(), "{}", hex::encode(name));
    }

    #[test]
    fn names_with_any_byte_are_judged_as_in_rust(byte: u8, at in 0_usize..32, name in "[A-Z0-9.]{1,15}-[A-Z0-9.]{1,15}") {
        let mut name = FeedName::new(&name).expect("a name").to_bytes();
        prop_assert_eq!(committee().1.call("isFeedName", &[Arg::Word(name)])[31], 1);
        name[at] = byte;
        let contract = committee().1.call("isFeedName", &[Arg::Word(name)])[31] == 1;
        prop_assert_eq!(contract, FeedName::from_bytes(name).is_ok(), "{}", hex::encode(name));
    }

    #[test]
    fn paths_are_as_long_as_in_rust(size in 1_u64..=65_535, pick: Index) {
        let sizes = [size, size.next_power_of_two().min(65_535), size % 40 + 1];
        for size in sizes {
            let index = pick.index(usize::try_from(size).expect("small")) as u64;
            let got = committee().1.call("pathLength", &[Arg::uint(index), Arg::uint(size - 1)]);
            let rust = merkle::path_len(index, size).expect("in range");
            prop_assert_eq!(got, <[u8; 32]>::try_from(Arg::encode(&[Arg::uint(rust as u64)])).expect("a word"));
        }
    }
}
