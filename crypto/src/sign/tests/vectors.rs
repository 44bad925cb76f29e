//! Published vectors of FROST(Ed25519, SHA-512), run through the arithmetic behind the nonce store and `PreparedSession`.
//! Their message ("test") is neither a statement nor a record, and their committee none of ours, hence not through the
//! public calls.

use super::*;
use crate::sign::{
    curve::{Curve, Ed25519, Secret},
    frost::{NoncePair, Pair, Session},
};
use alloc::collections::VecDeque;
use rand_core::{CryptoRng, RngCore};

/// The keys are the same in both vectors: signers 1 and 3 of 3, threshold 2.
const GROUP_KEY: &str = "15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673";
const SHARES: [&str; 3] = [
    "929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509",
    "a91e66e012e4364ac9aaa405fcafd370402d9859f7b6685c07eed76bf409e80d",
    "d3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02",
];
const MESSAGE: &[u8] = b"test";

struct Signer {
    member: u16,
    /// Hiding, then binding.
    randomness: [&'static str; 2],
    commitments: [&'static str; 2],
    signature_share: &'static str,
}

/// RFC 9591, appendix E.1.
const RFC_9591: [Signer; 2] = [
    Signer {
        member: 0,
        randomness: [
            "0fd2e39e111cdc266f6c0f4d0fd45c947761f1f5d3cb583dfcb9bbaf8d4c9fec",
            "69cd85f631d5f7f2721ed5e40519b1366f340a87c2f6856363dbdcda348a7501",
        ],
        commitments: [
            "b5aa8ab305882a6fc69cbee9327e5a45e54c08af61ae77cb8207be3d2ce13de3",
            "67e98ab55aa310c3120418e5050c9cf76cf387cb20ac9e4b6fdb6f82a469f932",
        ],
        signature_share: "001719ab5a53ee1a12095cd088fd149702c0720ce5fd2f29dbecf24b7281b603",
    },
    Signer {
        member: 2,
        randomness: [
            "86d64a260059e495d0fb4fcc17ea3da7452391baa494d4b00321098ed2a0062f",
            "13e6b25afb2eba51716a9a7d44130c0dbae0004a9ef8d7b5550c8a0e07c61775",
        ],
        commitments: [
            "cfbdb165bd8aad6eb79deb8d287bcc0ab6658ae57fdcc98ed12c0669e90aec91",
            "7487bc41a6e712eea2f2af24681b58b1cf1da278ea11fe4e8b78398965f13552",
        ],
        signature_share: "bd86125de990acc5e1f13781d8e32c03a9bbd4c53539bbc106058bfd14326007",
    },
];
const RFC_9591_SIGNATURE: &str = "36282629c383bb820a88b71cae937d41f2f2adfcc3d02e55507e2fb9e2dd3cbe\
                                  bd9d2b0844e49ae0f3fa935161e1419aab7b47d21a37ebeae1f17d4987b3160b";

/// The vector of the frost-ed25519 repository (`tests/helpers/vectors.json`): the same keys, other nonces.
const FROST_ED25519: [Signer; 2] = [
    Signer {
        member: 0,
        randomness: [
            "06894e04ee4aceec8619d5f6a0a180e2f47194d2ac306cba586b555e7c48d765",
            "40d6f879ff22e22409f7d808fed81f37118e7d3e4af71c0f44c60207553bcbce",
        ],
        commitments: [
            "9b116f12589591a7e23fe8048059ab10ab48e67739e7a2fb3890f61a7999478c",
            "c39b66b7dfccb122da24f13587f9a08c4347cae70046ca15169adf90ba65854d",
        ],
        signature_share: "60997f0142e43e8005027fe5ab7447dac00d22c2d7ddd9571a02613ba7d81c08",
    },
    Signer {
        member: 2,
        randomness: [
            "fa5d950626782aade9e33fa781376d4888c2d1de7c37518bc248eb818ed0cdde",
            "7459a4d14ded0e365b085271be8dc6600d5b88f3978a2174297ffa32001a5afc",
        ],
        commitments: [
            "e679a2a971748ccfaabead4dbe8ac1def61275c186c79d471e1e45091ad1e687",
            "b2a942478453fabb6bd3181c56ba657413447b4136e1daea2484d396d1a516b3",
        ],
        signature_share: "79390e78bc59699c7af831f8f5fb478ec871a85f561a8641b5670ac4443f720f",
    },
];
const FROST_ED25519_SIGNATURE: &str = "154fb694ee7fcb37bf2381d94488c2a84b03b3352ad085feca81ad26d45852b7\
                                       ecfe971ce4da95c4a95db93ac376b053897fca212ef85f99cf696bffeb178f07";

/// Gives out the bytes of a vector.
struct Prescribed(VecDeque<u8>);

impl RngCore for Prescribed {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for slot in dest {
            *slot = self.0.pop_front().unwrap();
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Prescribed {}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn secret(index: u16) -> Secret<Ed25519> {
    let share = bytes(SHARES[usize::from(index)]).try_into().unwrap();
    Secret::new(Ed25519::decode_scalar(&share).unwrap())
}

fn run(signers: &[Signer], signature: &str) {
    let group_key: [u8; 32] = bytes(GROUP_KEY).try_into().unwrap();
    let mut nonces = Vec::new();
    let mut pairs = Vec::new();
    for signer in signers {
        let mut rng = Prescribed(signer.randomness.iter().flat_map(|t| bytes(t)).collect());
        let pair = NoncePair::generate(&secret(signer.member), &mut rng);
        assert!(rng.0.is_empty());
        let commitments = pair.commitments();
        assert_eq!(hex::encode(&commitments), signer.commitments.concat());
        let decoded = Pair::<Ed25519>::decode(&commitments).unwrap();
        pairs.push((MemberId(signer.member), decoded));
        nonces.push(pair);
    }
    let session = Session::new(&group_key, &pairs, MESSAGE).unwrap();
    let mut shares = Vec::new();
    for (signer, nonces) in signers.iter().zip(&nonces) {
        let (member, secret) = (MemberId(signer.member), secret(signer.member));
        let made = session.sign(member, &secret, nonces).unwrap();
        assert_eq!(hex::encode(made), signer.signature_share);
        let verifying = Ed25519::mul_base(secret.expose());
        assert!(session.verify(member, &verifying, &made));
        shares.push(made);
    }
    let made = session.sum(shares.iter()).unwrap();
    assert_eq!(hex::encode(&made), signature);
    let key = ed25519_dalek::VerifyingKey::from_bytes(&group_key).unwrap();
    let made = ed25519_dalek::Signature::from_slice(&made).unwrap();
    assert!(key.verify_strict(MESSAGE, &made).is_ok());
}

#[test]
fn rfc_9591_appendix_e_1() {
    run(&RFC_9591, RFC_9591_SIGNATURE);
}

#[test]
fn frost_ed25519_repository() {
    run(&FROST_ED25519, FROST_ED25519_SIGNATURE);
}
