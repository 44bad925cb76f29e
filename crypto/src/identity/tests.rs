use super::*;
use crate::testing::rng;
use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
};
use proptest::prelude::*;
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The rule of ZIP-215: a batch is right exactly when each of its signatures is, small-order parts or not.
    #[test]
    fn a_batch_passes_exactly_when_each_single_does(entries in proptest::collection::vec(entry(), 0..9)) {
        let built: Vec<_> = (0u16..).zip(&entries).map(|(i, e)| e.build(i)).collect();
        let failing: Vec<usize> = built
            .iter()
            .enumerate()
            .filter(|(_, (k, h, s))| verify_header(k, h, s).is_err())
            .map(|(i, _)| i)
            .collect();
        for (i, entry) in entries.iter().enumerate() {
            // Unspoilt signatures pass whatever their small-order parts are; a spoilt one never does.
            prop_assert_eq!(failing.contains(&i), entry.spoil.is_some());
        }
        let expected = if failing.is_empty() { Ok(()) } else { Err(BatchError { failing }) };
        prop_assert_eq!(verify_headers_batch(&built), expected);
        // The batch equation itself, not only the list made after it failed.
        let mut batch = batch::Verifier::new();
        for (key, header, signature) in &built {
            let key = VerificationKeyBytes::from(key.0);
            batch.queue((key, Signature::from_bytes(&signature.0), &header.to_bytes()));
        }
        prop_assert_eq!(batch.verify(OsRng).is_ok(), entries.iter().all(|e| e.spoil.is_none()));
    }
}
