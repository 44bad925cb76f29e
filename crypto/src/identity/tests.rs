use super::*;
use crate::testing::rng;
use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
};
use ed25519_zebra::{Signature, VerificationKey, VerificationKeyBytes, batch};
use proptest::prelude::*;
use rand_core::OsRng;
use sha2::{Digest as _, Sha512};
use std::{format, string::ToString};
use touchstone_types::{Epoch, MemberId, MessageKind, NetworkId, Round, View};

fn header(member: u16) -> Header {
    Header {
        tag: Header::tag(NetworkId(Digest([1; 32])), Epoch(0)),
        kind: MessageKind::Vote,
        round: Round(9),
        view: View(1),
        instance: 2,
        member: MemberId(member),
        body_hash: Digest([4; 32]),
    }
}

fn record() -> EpochRecord {
    EpochRecord {
        epoch: Epoch(0),
        manifest_hash: Digest([1; 32]),
        keys: Vec::new(),
        coin_key: Digest([2; 32]),
        coin_shares: Vec::new(),
        transcript: Digest([3; 32]),
        member_signatures: Vec::new(),
        group_signatures: Vec::new(),
    }
}

/// RFC 8410, sections 10.1 and 10.3.
#[test]
fn pkcs8_and_public_key_are_those_of_rfc_8410() {
    let der = "302e020100300506032b657004220420\
               d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
    let der = hex::decode(der).unwrap();
    let key = IdentityKey::from_secret_bytes(&der[16..]).unwrap();
    assert_eq!(*key.tls_pkcs8(), der);
    let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    assert_eq!(key.public().to_string(), public);
    assert_eq!(public.parse(), Ok(key.public()));
    assert_eq!(*key.to_secret_bytes(), der[16..]);
    assert!(!format!("{key:?}").contains("d4ee72"));
    let error = IdentityKey::from_secret_bytes(&der).unwrap_err();
    assert_eq!(error, IdentityError::Length { got: 48 });
}

#[test]
fn signatures_are_bound_to_key_object_and_kind() {
    let mut rng = rng(1);
    let (a, b) = (
        IdentityKey::generate(&mut rng),
        IdentityKey::generate(&mut rng),
    );
    let signature = a.sign_header(&header(0));
    assert_eq!(verify_header(&a.public(), &header(0), &signature), Ok(()));
    assert!(verify_header(&b.public(), &header(0), &signature).is_err());
    assert!(verify_header(&a.public(), &header(1), &signature).is_err());
    let signature = a.sign_epoch_record(&record());
    assert_eq!(
        verify_epoch_record(&a.public(), &record(), &signature),
        Ok(())
    );
    assert!(verify_dkg(&a.public(), record().digest(), &signature).is_err());
    let other = EpochRecord {
        epoch: Epoch(1),
        ..record()
    };
    assert!(verify_epoch_record(&a.public(), &other, &signature).is_err());
}

#[test]
fn keys_that_anybody_can_sign_for_are_refused() {
    let key = IdentityKey::generate(&mut rng(2)).public();
    let point = curve25519_dalek::edwards::CompressedEdwardsY(*key.as_bytes())
        .decompress()
        .unwrap();
    for torsion in EIGHT_TORSION {
        let small = torsion.compress().to_bytes();
        assert_eq!(IdentityPublic::new(small), Err(IdentityError::Point));
        let mixed = (point + torsion).compress().to_bytes();
        let verdict = IdentityPublic::new(mixed);
        assert_eq!(verdict.is_ok(), mixed == *key.as_bytes());
    }
    assert_eq!("xyz".parse::<IdentityPublic>(), Err(IdentityError::Text));
}

/// One signature made by hand, with small-order parts in R and A, and perhaps spoilt.
#[derive(Clone, Debug)]
struct Entry {
    secret: u64,
    nonce: u64,
    torsion_r: usize,
    torsion_a: usize,
    spoil: Option<usize>,
}

impl Entry {
    fn build(&self, member: u16) -> (IdentityPublic, Header, MemberSignature) {
        let (a, r) = (Scalar::from(self.secret), Scalar::from(self.nonce));
        let base = ED25519_BASEPOINT_POINT;
        let point =
            |s: Scalar, torsion: usize| -> EdwardsPoint { base * s + EIGHT_TORSION[torsion] };
        let public = point(a, self.torsion_a).compress().to_bytes();
        let nonce = point(r, self.torsion_r).compress().to_bytes();
        let header = header(member);
        let hash = Sha512::new()
            .chain_update(nonce)
            .chain_update(public)
            .chain_update(header.to_bytes());
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let s = r + k * a;
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&nonce);
        bytes[32..].copy_from_slice(s.as_bytes());
        if let Some(bit) = self.spoil {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        (IdentityPublic(public), header, MemberSignature(bytes))
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        1..u64::MAX,
        1..u64::MAX,
        0..8usize,
        0..8usize,
        proptest::option::weighted(0.15, 0..512usize),
    )
        .prop_map(|(secret, nonce, torsion_r, torsion_a, spoil)| Entry {
            secret,
            nonce,
            torsion_r,
            torsion_a,
            spoil,
        })
}

/// The verdict of ed25519-zebra, which is the reference for ZIP-215.
fn zebra((key, header, signature): &(IdentityPublic, Header, MemberSignature)) -> bool {
    VerificationKey::try_from(key.0)
        .and_then(|key| key.verify(&Signature::from_bytes(&signature.0), &header.to_bytes()))
        .is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The rule of ZIP-215: a batch is right exactly when each of its signatures is, small-order parts or not.
    #[test]
    fn a_batch_passes_exactly_when_each_single_does(entries in proptest::collection::vec(entry(), 0..9)) {
        let built: Vec<_> = (0u16..).zip(&entries).map(|(i, e)| e.build(i)).collect();
        let singles: Vec<bool> = built.iter().map(|(k, h, s)| verify_header(k, h, s).is_ok()).collect();
        let reference: Vec<bool> = built.iter().map(zebra).collect();
        prop_assert_eq!(&singles, &reference);
        // Unspoilt signatures pass whatever their small-order parts are; a spoilt one never does.
        let unspoilt: Vec<bool> = entries.iter().map(|e| e.spoil.is_none()).collect();
        prop_assert_eq!(&singles, &unspoilt);
        prop_assert_eq!(&verify_headers_find(&built), &singles);
        let roster = Roster::new(built.iter().map(|(key, _, _)| *key));
        let signed: Vec<_> = built.iter().map(|(_, h, s)| (*h, *s)).collect();
        prop_assert_eq!(&roster.verify_headers(&signed), &singles);
        let failing: Vec<usize> = (0..singles.len()).filter(|i| !singles[*i]).collect();
        let expected = if failing.is_empty() { Ok(()) } else { Err(BatchError { failing }) };
        prop_assert_eq!(verify_headers_batch(&built), expected);
        let mut batch = batch::Verifier::new();
        for (key, header, signature) in &built {
            let key = VerificationKeyBytes::from(key.0);
            batch.queue((key, Signature::from_bytes(&signature.0), &header.to_bytes()));
        }
        prop_assert_eq!(batch.verify(OsRng).is_ok(), singles.iter().all(|right| *right));
    }

    /// More than are added up at once, several of one key, and wrong ones in any places.
    #[test]
    fn every_wrong_signature_is_found_and_no_other(
        seed in any::<u64>(),
        len in 0..230usize,
        wrong in proptest::collection::btree_set(0..230usize, 0..6),
    ) {
        let mut rng = rng(seed);
        let keys: Vec<IdentityKey> = (0..40).map(|_| IdentityKey::generate(&mut rng)).collect();
        let entries: Vec<_> = (0..len)
            .map(|i| {
                let header = header(u16::try_from(i).unwrap());
                let key = &keys[i % keys.len()];
                let mut signature = key.sign_header(&header);
                if wrong.contains(&i) {
                    // In R, in s, or of somebody else.
                    match i % 3 {
                        0 => signature.0[i % 32] ^= 4,
                        1 => signature.0[32 + i % 31] ^= 4,
                        _ => signature = keys[(i + 1) % keys.len()].sign_header(&header),
                    }
                }
                (key.public(), header, signature)
            })
            .collect();
        let expected: Vec<bool> = (0..len).map(|i| !wrong.contains(&i)).collect();
        prop_assert_eq!(verify_headers_find(&entries), expected);
    }
}

#[test]
fn a_roster_checks_with_the_key_of_the_member_that_is_named() {
    let mut rng = rng(5);
    let keys: Vec<IdentityKey> = (0..3).map(|_| IdentityKey::generate(&mut rng)).collect();
    let roster = Roster::new(keys.iter().map(IdentityKey::public));
    assert_eq!(roster.len(), 3);
    assert_eq!(roster.key(MemberId(2)), Some(&keys[2].public()));
    assert_eq!(roster.key(MemberId(3)), None);
    let by = |key: usize, named: u16| (header(named), keys[key].sign_header(&header(named)));
    let signed = [by(0, 0), by(1, 0), by(2, 2), by(2, 3), by(1, 1)];
    let expected = [true, false, true, false, true];
    assert_eq!(roster.verify_headers(&signed), expected);
    for ((header, signature), right) in signed.iter().zip(expected) {
        assert_eq!(roster.verify_header(header, signature).is_ok(), right);
    }
    assert!(roster.verify_headers(&[]).is_empty());
    assert!(Roster::new([]).is_empty());
}

/// ZIP-215 takes every encoding of R that decodes; the table of the proposal is that of small-order points.
#[test]
fn every_encoding_of_r_counts_as_for_zebra() {
    let secret = Scalar::from(7_u64);
    let key = EdwardsPoint::mul_base(&secret);
    let public = IdentityPublic::new(key.compress().to_bytes()).unwrap();
    let mut encodings = EIGHT_TORSION.map(|t| t.compress().to_bytes()).to_vec();
    for low in 0xe0..=0xff {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            encodings.push(bytes);
        }
    }
    let mut minus_zero = [0; 32];
    (minus_zero[0], minus_zero[31]) = (1, 0x80);
    encodings.push(minus_zero);
    let mut right = 0;
    for r in encodings {
        let header = header(1);
        let hash = Sha512::new()
            .chain_update(r)
            .chain_update(public.as_bytes())
            .chain_update(header.to_bytes());
        let s = Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * secret;
        for s in [s, s + Scalar::ONE] {
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(&r);
            bytes[32..].copy_from_slice(s.as_bytes());
            let entry = (public, header, MemberSignature(bytes));
            let verdict = verify_header(&entry.0, &entry.1, &entry.2).is_ok();
            assert_eq!(verdict, zebra(&entry), "{}", hex::encode(r));
            assert_eq!(verify_headers_find(&[entry; 3]), [verdict; 3]);
            right += u32::from(verdict);
        }
    }
    // All fourteen encodings of points of small order; ten of them are among these more than once or are canonical.
    assert!(right >= 12, "{right}");
    // s not below the order.
    let good = IdentityKey::generate(&mut rng(4));
    let mut signature = good.sign_header(&header(1));
    signature.0[63] |= 0xf0;
    assert!(verify_header(&good.public(), &header(1), &signature).is_err());
}
