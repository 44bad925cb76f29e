use super::*;
use crate::{
    GroupKeyError,
    testing::{Keys, keys, rng, statement},
};
use rand_chacha::ChaCha20Rng;
use std::format;
use touchstone_types::{Epoch, SuiteKeys};

mod reference;
mod vectors;

/// Fresh nonces of some members, and the signer set of their commitments.
fn commit(keys: &Keys, members: &[usize], rng: &mut ChaCha20Rng) -> (Vec<Nonces>, SignerSet) {
    let mut nonces = Vec::new();
    let mut entries = Vec::new();
    for i in members {
        let share = &keys.outputs[*i].keys[0];
        let mut store = NonceStore::new(rng);
        let (id, commitments) = store.fresh(share, rng);
        nonces.push(store.take(id).unwrap());
        entries.push((share.member(), commitments.bytes));
    }
    (nonces, SignerSet::decode(Suite::Ed25519, &entries).unwrap())
}

/// One share of each of some members.
fn sign_all(
    keys: &Keys,
    members: &[usize],
    target: &SignTarget<'_>,
    rng: &mut ChaCha20Rng,
) -> (SignerSet, Vec<(MemberId, SignatureShare)>) {
    let (nonces, set) = commit(keys, members, rng);
    let shares = members
        .iter()
        .zip(nonces)
        .map(|(i, nonces)| {
            let share = &keys.outputs[*i].keys[0];
            (share.member(), sign(share, nonces, &set, target).unwrap())
        })
        .collect();
    (set, shares)
}

#[test]
fn any_quorum_signs_statements_and_records() {
    let keys = keys(4, 1);
    let mut rng = rng(2);
    let statement = statement(1);
    let record = keys.outputs[0].public.clone();
    let record = record.into_record(Epoch(0), Digest([5; 32]));
    for members in [&[0, 1, 2][..], &[1, 2, 3], &[3, 0, 2], &[0, 1, 2, 3]] {
        let target = SignTarget::Statement(&statement);
        let (set, shares) = sign_all(&keys, members, &target, &mut rng);
        for (member, share) in &shares {
            let verdict = verify_share(&keys.public, *member, &set, share, &target);
            assert_eq!(verdict, Ok(()));
        }
        let signature = aggregate(&keys.public, &set, &shares, &target).unwrap();
        let key = keys.public.group_key();
        assert_eq!(
            key.verify_statement(&statement, signature.as_bytes()),
            Ok(())
        );
        assert!(
            key.verify_epoch_record(&record, signature.as_bytes())
                .is_err()
        );
    }
    let target = SignTarget::EpochRecord(&record);
    let (set, shares) = sign_all(&keys, &[0, 1, 3], &target, &mut rng);
    let signature = aggregate(&keys.public, &set, &shares, &target).unwrap();
    let key = keys.public.group_key();
    assert_eq!(
        key.verify_epoch_record(&record, signature.as_bytes()),
        Ok(())
    );
    assert!(
        key.verify_statement(&statement, signature.as_bytes())
            .is_err()
    );
}

#[test]
fn every_liar_is_named_and_nobody_else() {
    let keys = keys(7, 2);
    let mut rng = rng(3);
    let statement = statement(1);
    let target = SignTarget::Statement(&statement);
    let (set, good) = sign_all(&keys, &[0, 1, 2, 4, 6], &target, &mut rng);
    let (_, other) = sign_all(&keys, &[0, 1, 2, 4, 6], &target, &mut rng);
    let undecodable = SignatureShare([0xff; 32]);
    for (wrong, replacement) in [
        (&[1][..], None),
        (&[0, 4], None),
        (&[2], Some(undecodable)),
        (&[2, 4], Some(undecodable)),
        (&[0, 1, 2, 3, 4], None),
    ] {
        let mut bad = good.clone();
        for i in wrong {
            bad[*i].1 = other[*i].1;
        }
        if let Some(replacement) = replacement {
            bad[wrong[0]].1 = replacement;
        }
        let culprits: Vec<MemberId> = wrong.iter().map(|i| bad[*i].0).collect();
        let error = aggregate(&keys.public, &set, &bad, &target).unwrap_err();
        assert_eq!(error.culprits(), culprits, "{wrong:?}");
        for (i, (member, share)) in bad.iter().enumerate() {
            let verdict = verify_share(&keys.public, *member, &set, share, &target);
            let lied = Err(SignError::Share { member: *member });
            assert_eq!(verdict, if wrong.contains(&i) { lied } else { Ok(()) });
        }
    }
    // A right share for another statement is a wrong one.
    let another = crate::testing::statement(2);
    let another = SignTarget::Statement(&another);
    assert!(verify_share(&keys.public, good[0].0, &set, &good[0].1, &another).is_err());
    // The shares must be one of each signer.
    for bad in [&good[1..], &[good[0]; 5][..]] {
        assert_eq!(
            aggregate(&keys.public, &set, bad, &target),
            Err(AggregateError::Signers)
        );
    }
}

#[test]
fn a_share_is_made_only_with_the_own_nonces_in_a_fitting_set() {
    let keys = keys(4, 3);
    let mut rng = rng(4);
    let statement = statement(1);
    let target = SignTarget::Statement(&statement);
    let share = &keys.outputs[0].keys[0];
    let mut attempt = |members: &[usize], own: usize| {
        let (mut nonces, set) = commit(&keys, members, &mut rng);
        sign(share, nonces.swap_remove(own), &set, &target).map(|_| ())
    };
    assert_eq!(attempt(&[0, 1, 2], 0), Ok(()));
    assert_eq!(attempt(&[0, 1, 2], 1), Err(SignError::WrongNonces));
    assert_eq!(
        attempt(&[1, 2, 3], 0),
        Err(SignError::Unknown {
            member: MemberId(0)
        })
    );
    assert_eq!(
        attempt(&[0, 1], 0),
        Err(SignError::TooFew {
            got: 2,
            threshold: 3
        })
    );
}

#[test]
fn signer_sets_are_checked() {
    let keys = keys(4, 4);
    let mut rng = rng(5);
    let share = &keys.outputs[0].keys[0];
    let (_, good) = NonceStore::new(&mut rng).fresh(share, &mut rng);
    let decode = |suite, entries: &[(MemberId, Vec<u8>)]| {
        SignerSet::decode(suite, entries).map(|set| set.members().to_vec())
    };
    let entry = |m: u16, bytes: &[u8]| (MemberId(m), bytes.to_vec());
    let ed25519 = Suite::Ed25519;
    assert_eq!(
        decode(ed25519, &[entry(3, &good.bytes), entry(1, &good.bytes)]),
        Ok([MemberId(1), MemberId(3)].to_vec())
    );
    assert_eq!(
        decode(ed25519, &[entry(1, &good.bytes), entry(1, &good.bytes)]),
        Err(SignError::Twice {
            member: MemberId(1)
        })
    );
    let mut identity = good.bytes.clone();
    identity[..32].fill(0);
    identity[0] = 1;
    for bad in [
        &good.bytes[1..],
        &[],
        &[0xff; 64],
        &identity,
        &[&good.bytes[..], &[0]].concat(),
    ] {
        assert_eq!(
            decode(ed25519, &[entry(2, bad)]),
            Err(SignError::Commitments {
                member: MemberId(2)
            })
        );
    }
    // A stranger in the set.
    let statement = statement(1);
    let target = SignTarget::Statement(&statement);
    let entries: Vec<_> = [0, 1, 9].map(|m| entry(m, &good.bytes)).into();
    let set = SignerSet::decode(ed25519, &entries).unwrap();
    let stranger = SignError::Unknown {
        member: MemberId(9),
    };
    assert_eq!(
        aggregate(&keys.public, &set, &[], &target),
        Err(AggregateError::Set(stranger))
    );
}

#[test]
fn nonces_leave_the_store_once() {
    let keys = keys(4, 5);
    let mut rng = rng(6);
    let share = &keys.outputs[0].keys[0];
    let mut store = NonceStore::with_capacity(3, &mut rng);
    let ids: Vec<NonceId> = (0..4).map(|_| store.fresh(share, &mut rng).0).collect();
    assert_eq!(store.len(), 3);
    assert!(store.take(ids[0]).is_none(), "the oldest made room");
    assert!(store.take(ids[1]).is_some());
    assert!(store.take(ids[1]).is_none());
    store.discard(ids[2]);
    assert!(store.take(ids[2]).is_none());
    let mut other = NonceStore::new(&mut rng);
    assert!(other.take(ids[3]).is_none(), "another store's");
    store.reset(&mut rng);
    assert!(store.is_empty());
    let (id, _) = store.fresh(share, &mut rng);
    assert_ne!(id.store, ids[3].store);
    assert!(format!("{store:?}").contains("<redacted>"));
    assert_eq!(
        format!("{:?}", store.take(id).unwrap()),
        "Nonces(<redacted>)"
    );
}

#[test]
fn a_key_file_must_hold_the_members_own_share() {
    let keys = keys(4, 6);
    let own = &keys.outputs[1].keys[0];
    let bytes = own.to_secret_bytes();
    let load = |bytes: &[u8], m| {
        SigningShare::from_secret_bytes(bytes, MemberId(m), &keys.public).map(|s| s.member())
    };
    let suite = Suite::Ed25519;
    let refused = |m| {
        let member = MemberId(m);
        Err(KeyError::Secret { suite, member })
    };
    assert_eq!(load(&bytes, 1), Ok(MemberId(1)));
    assert_eq!(load(&bytes, 2), refused(2));
    assert_eq!(load(&bytes[1..], 1), refused(1));
    assert_eq!(load(&[0xff; 32], 1), refused(1));
    assert_eq!(load(&[0; 32], 1), refused(1));
    let member = MemberId(4);
    assert_eq!(load(&bytes, 4), Err(KeyError::Member { suite, member }));
    let debug = format!("{own:?}");
    assert!(debug.contains("<redacted>") && !debug.contains(&hex::encode(&bytes[..4])));
}

#[test]
fn public_keys_that_do_not_belong_together_are_refused() {
    let keys = keys(7, 7);
    let good = keys.outputs[0].public.keys[0].clone();
    let new = |keys: &SuiteKeys| SigningPublic::new(crate::testing::committee(7), keys).map(|_| ());
    assert_eq!(new(&good), Ok(()));
    let suite = Suite::Ed25519;
    for i in 0..7 {
        let mut bad = good.clone();
        bad.verifying_shares[i] = good.group_key.clone();
        let threshold = 5;
        assert_eq!(new(&bad), Err(KeyError::Inconsistent { suite, threshold }));
        bad.verifying_shares[i] = [0xff; 32].to_vec();
        let member = MemberId(u16::try_from(i).unwrap());
        assert_eq!(new(&bad), Err(KeyError::VerifyingShare { suite, member }));
    }
    let mut bad = good.clone();
    bad.group_key = good.verifying_shares[0].clone();
    assert_eq!(
        new(&bad),
        Err(KeyError::Inconsistent {
            suite,
            threshold: 5
        })
    );
    let mut bad = good.clone();
    bad.verifying_shares.pop();
    let (got, must) = (6, 7);
    assert_eq!(new(&bad), Err(KeyError::Size { suite, got, must }));
    let mut bad = good;
    bad.suite = Suite::Secp256k1Keccak;
    let length = GroupKeyError::Length {
        suite: bad.suite,
        got: 32,
    };
    assert_eq!(new(&bad), Err(KeyError::Group(length)));
}
