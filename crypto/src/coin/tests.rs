use super::*;
use crate::testing::{committee, keys, rng};
use std::{collections::BTreeSet, format};

fn input(round: u64, view: u32) -> CoinInput {
    CoinInput {
        network: NetworkId(Digest([1; 32])),
        epoch: Epoch(0),
        round: Round(round),
        view: View(view),
    }
}

/// A coin key dealt from fixed numbers.
fn dealt(n: usize) -> (Vec<CoinSecretShare>, CoinPublic) {
    let committee = committee(n);
    let coefficients: Vec<Scalar> = (1..=committee.coin_threshold())
        .map(|i| Scalar::from(u64::try_from(i).unwrap() * 0x1234_5678_9abc))
        .collect();
    let shares: Vec<CoinSecretShare> = committee
        .members()
        .map(|m| {
            let x = abscissa(m);
            let value = coefficients
                .iter()
                .rev()
                .fold(Scalar::ZERO, |s, c| s * x + c);
            CoinSecretShare::new(m, value)
        })
        .collect();
    let verifying = shares.iter().map(|s| s.public.compress().0).collect();
    let key = RistrettoPoint::mul_base(&coefficients[0]).compress().0;
    (shares, CoinPublic::new(committee, key, verifying).unwrap())
}

#[test]
fn any_threshold_of_shares_gives_the_same_coin() {
    let (secrets, public) = dealt(7);
    let mut rng = rng(1);
    let shares: Vec<_> = secrets
        .iter()
        .map(|s| (s.member(), s.share(&input(5, 1), &mut rng)))
        .collect();
    for (member, share) in &shares {
        assert_eq!(public.verify_share(*member, &input(5, 1), share), Ok(()));
    }
    let mut some_wrong = shares.clone();
    some_wrong[2].0 = MemberId(3);
    some_wrong[4].0 = MemberId(7);
    some_wrong[5].1.proof[40] ^= 1;
    assert_eq!(
        public.verify_shares(&input(5, 1), &some_wrong),
        [true, true, false, true, false, false, true]
    );
    assert_eq!(public.verify_shares(&input(6, 1), &shares), [false; 7]);
    let mut values = BTreeSet::new();
    for (i, a) in shares.iter().enumerate() {
        for (j, b) in shares.iter().enumerate().skip(i + 1) {
            for c in shares.iter().skip(j + 1) {
                // The order makes no difference, and neither does a repeated share.
                values.insert(public.combine(&[*c, *a, *b, *a]).unwrap());
            }
            assert_eq!(
                public.combine(&[*a, *b, *a]),
                Err(CoinError::TooFew {
                    got: 2,
                    threshold: 3
                })
            );
        }
    }
    assert_eq!(values.len(), 1);
    // All of them, too.
    values.insert(public.combine(&shares).unwrap());
    assert_eq!(values.len(), 1);
}

#[test]
fn the_value_is_pinned() {
    let (secrets, public) = dealt(4);
    let shares: Vec<_> = secrets
        .iter()
        .map(|s| (s.member(), s.share(&input(5, 1), &mut rng(1))))
        .collect();
    let coin = public.combine(&shares).unwrap();
    assert_eq!(hex::encode(coin.0), PINNED);
    // By the definition, from the secret itself.
    let power = input(5, 1).generator() * Scalar::from(0x1234_5678_9abc_u64);
    let value = sha256(&[VALUE_TAG, power.compress().as_bytes()]);
    assert_eq!(coin.0, value.0);
}

#[test]
fn every_part_of_the_input_changes_the_coin() {
    let (secrets, public) = dealt(4);
    let mut inputs = Vec::from([input(5, 1), input(6, 1), input(5, 2)]);
    let mut other = input(5, 1);
    other.epoch = Epoch(1);
    inputs.push(other);
    let mut other = input(5, 1);
    other.network = NetworkId(Digest([9; 32]));
    inputs.push(other);
    let coins: BTreeSet<CoinValue> = inputs
        .iter()
        .map(|i| {
            let shares: Vec<_> = secrets
                .iter()
                .map(|s| (s.member(), s.share(i, &mut rng(1))))
                .collect();
            public.combine(&shares).unwrap()
        })
        .collect();
    assert_eq!(coins.len(), inputs.len());
}

#[test]
fn a_share_is_valid_for_its_member_and_input_only() {
    let (secrets, public) = dealt(4);
    let mut rng = rng(1);
    let share = secrets[1].share(&input(5, 1), &mut rng);
    let bad = |m| Err(CoinError::Share(MemberId(m)));
    assert_eq!(
        public.verify_share(MemberId(1), &input(5, 1), &share),
        Ok(())
    );
    assert_eq!(
        public.verify_share(MemberId(2), &input(5, 1), &share),
        bad(2)
    );
    assert_eq!(
        public.verify_share(MemberId(1), &input(5, 2), &share),
        bad(1)
    );
    assert_eq!(
        public.verify_share(MemberId(4), &input(5, 1), &share),
        Err(CoinError::Member(MemberId(4)))
    );
    let bytes = share.to_bytes();
    assert_eq!(CoinShare::from_bytes(&bytes), Some(share));
    assert_eq!(CoinShare::from_bytes(&bytes[1..]), None);
    for bit in 0..bytes.len() * 8 {
        let mut spoilt = bytes;
        spoilt[bit / 8] ^= 1 << (bit % 8);
        let spoilt = CoinShare::from_bytes(&spoilt).unwrap();
        assert_eq!(
            public.verify_share(MemberId(1), &input(5, 1), &spoilt),
            bad(1),
            "bit {bit}"
        );
    }
    // A share under another key, with an honest proof for that key.
    let stranger = CoinSecretShare::new(MemberId(1), Scalar::from(99u8));
    let share = stranger.share(&input(5, 1), &mut rng);
    assert_eq!(
        public.verify_share(MemberId(1), &input(5, 1), &share),
        bad(1)
    );
    // The proof is hedged, the value is not random.
    let again = secrets[1].share(&input(5, 1), &mut rng);
    let once_more = secrets[1].share(&input(5, 1), &mut rng);
    assert_eq!(again.value, once_more.value);
    assert_ne!(again.proof, once_more.proof);
}

/// The member itself cannot pass off another value: the proof ties the exponent of the value to that of its key.
#[test]
fn a_member_cannot_choose_its_share() {
    let (secrets, public) = dealt(4);
    let own = &secrets[1];
    let generator = input(5, 1).generator();
    let nonce = Scalar::from(77u8);
    for chosen in [
        generator,
        generator * Scalar::from(5u8),
        generator * -own.secret,
    ] {
        let value = chosen.compress().0;
        let statement = Statement {
            member: MemberId(1),
            input: &input(5, 1),
            public: &own.public.compress().0,
            value: &value,
        };
        let at_base = RistrettoPoint::mul_base(&nonce);
        let challenge = statement.challenge(&at_base, &(generator * nonce));
        let response = nonce + challenge * own.secret;
        let mut proof = [0; 64];
        proof[..32].copy_from_slice(challenge.as_bytes());
        proof[32..].copy_from_slice(response.as_bytes());
        let share = CoinShare { value, proof };
        assert_eq!(
            public.verify_share(MemberId(1), &input(5, 1), &share),
            Err(CoinError::Share(MemberId(1)))
        );
    }
}

#[test]
fn keys_that_do_not_belong_together_are_refused() {
    let (secrets, public) = dealt(7);
    let committee = committee(7);
    let verifying = public.verifying().to_vec();
    let new = |key, verifying| CoinPublic::new(committee, key, verifying).map(|_| ());
    let inconsistent = Err(CoinError::Inconsistent { threshold: 3 });
    for i in 0..7 {
        let mut swapped = verifying.clone();
        swapped[i] = public.key();
        assert_eq!(new(public.key(), swapped), inconsistent, "share {i}");
    }
    assert_eq!(new(verifying[0], verifying.clone()), inconsistent);
    assert_eq!(new([0; 32], verifying.clone()), Err(CoinError::Key));
    let mut spoilt = verifying.clone();
    spoilt[3] = [0xff; 32];
    assert_eq!(
        new(public.key(), spoilt),
        Err(CoinError::VerifyingShare(MemberId(3)))
    );
    assert_eq!(
        new(public.key(), verifying[..6].to_vec()),
        Err(CoinError::Size { got: 6, must: 7 })
    );
    // A member's secret loads as that member's and as nobody else's.
    let bytes = secrets[2].to_secret_bytes();
    let load = |m| CoinSecretShare::from_secret_bytes(&bytes, MemberId(m), &public).map(|_| ());
    assert_eq!(load(2), Ok(()));
    assert_eq!(load(1), Err(CoinError::Secret(MemberId(1))));
    assert_eq!(load(7), Err(CoinError::Member(MemberId(7))));
    let short = CoinSecretShare::from_secret_bytes(&bytes[1..], MemberId(2), &public);
    assert_eq!(short.map(|_| ()), Err(CoinError::Secret(MemberId(2))));
    assert!(format!("{:?}", secrets[2]).contains("<redacted>"));
}

#[test]
fn leaders_are_spread_evenly() {
    let (secrets, public) = dealt(4);
    let mut counts = [0u32; 4];
    for round in 0..400 {
        let input = input(round, 1);
        let shares: Vec<_> = secrets
            .iter()
            .take(2)
            .map(|s| (s.member(), s.share(&input, &mut rng(1))))
            .collect();
        counts[public.combine(&shares).unwrap().leader(4).index()] += 1;
    }
    // Mean 100, standard deviation 8.7.
    assert!(counts.iter().all(|c| (60..=140).contains(c)), "{counts:?}");
    let mut value = [0; 32];
    value[15] = 13;
    assert_eq!(CoinValue(value).leader(7), MemberId(6));
    assert_eq!(CoinValue([0xff; 32]).leader(0), MemberId(0));
}

#[test]
fn the_generated_key_makes_coins() {
    let keys = keys(4, 3);
    let input = input(1, 1);
    let shares: Vec<_> = keys
        .outputs
        .iter()
        .map(|o| (o.coin.member(), o.coin.share(&input, &mut rng(1))))
        .collect();
    for (member, share) in &shares {
        assert_eq!(keys.coin.verify_share(*member, &input, share), Ok(()));
    }
    assert_eq!(
        keys.coin.combine(&shares[..2]),
        keys.coin.combine(&shares[2..])
    );
}

/// A changed value would split a network whose members run different versions.
const PINNED: &str = "e548ab4beef1e7e30f9a0ae902c976771de4bf864b2043e06a338f6b2734f4c5";
