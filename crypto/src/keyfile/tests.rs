use super::*;
use crate::testing::rng;
use proptest::prelude::*;
use std::format;

const PASSWORD: Password<'static> = Password::Secret(b"correct horse");

fn seal(password: Password<'_>) -> Vec<u8> {
    let kind = KeyKind::SigningShare;
    let secret = [0x5e; 32];
    SealedFile::seal_at(
        KdfCost::MIN,
        kind,
        b"member 3",
        &secret,
        password,
        &mut rng(1),
    )
    .unwrap()
}

fn open(bytes: &[u8], password: Password<'_>) -> Result<Vec<u8>, KeyFileError> {
    SealedFile::parse(bytes)?
        .open(KeyKind::SigningShare, password)
        .map(|secret| secret.to_vec())
}

#[test]
fn a_sealed_secret_opens_with_its_password_only() {
    let bytes = seal(PASSWORD);
    assert_eq!(open(&bytes, PASSWORD), Ok([0x5e; 32].to_vec()));
    let wrong = Password::Secret(b"correct hors");
    assert_eq!(open(&bytes, wrong), Err(KeyFileError::Refused));
    assert_eq!(
        open(&bytes, Password::InsecureNone),
        Err(KeyFileError::PasswordNeeded)
    );
    assert_eq!(
        open(&bytes, Password::Secret(b"")),
        Err(KeyFileError::EmptyPassword)
    );
    let file = SealedFile::parse(&bytes).unwrap();
    assert_eq!(file.header(), b"member 3");
    assert_eq!(
        file.open(KeyKind::Identity, PASSWORD).unwrap_err(),
        KeyFileError::Kind {
            got: KeyKind::SigningShare,
            must: KeyKind::Identity
        }
    );
    // The secret does not stand in the file.
    assert!(!bytes.windows(4).any(|w| w == [0x5e; 4]));
}

#[test]
fn header_parameters_and_ciphertext_are_authenticated() {
    let bytes = seal(PASSWORD);
    // kind, passes (from 1 to 3), salt, nonce, header, ciphertext, tag
    for (position, mask) in [
        (16, 1),
        (25, 2),
        (30, 1),
        (46, 1),
        (72, 1),
        (80, 1),
        (bytes.len() - 1, 1),
    ] {
        let mut spoilt = bytes.clone();
        spoilt[position] ^= mask;
        let file = SealedFile::parse(&spoilt).unwrap();
        let verdict = file.open(file.kind(), PASSWORD);
        assert_eq!(
            verdict.unwrap_err(),
            KeyFileError::Refused,
            "byte {position}"
        );
    }
}

#[test]
fn an_unencrypted_file_opens_only_when_that_is_said_aloud() {
    let bytes = seal(Password::InsecureNone);
    assert_eq!(
        open(&bytes, Password::InsecureNone),
        Ok([0x5e; 32].to_vec())
    );
    assert_eq!(open(&bytes, PASSWORD), Err(KeyFileError::NotEncrypted));
    assert!(!SealedFile::parse(&bytes).unwrap().is_encrypted());
    for bit in 0..bytes.len() * 8 {
        let mut spoilt = bytes.clone();
        spoilt[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&spoilt, Password::InsecureNone).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length], Password::InsecureNone).is_err());
    }
}

#[test]
fn costs_outside_the_bounds_are_refused_before_any_work() {
    let mut bytes = seal(PASSWORD);
    bytes[18..22].copy_from_slice(&u32::MAX.to_be_bytes());
    let error = SealedFile::parse(&bytes).unwrap_err();
    assert_eq!(
        format!("{error}"),
        "key file: Argon2id with 4294967295 KiB, 1 passes, 1 lanes is outside \
         8192 KiB, 1 passes, 1 lanes to 524288 KiB, 16 passes, 8 lanes"
    );
    for (memory, passes, lanes) in [(8_191, 1, 1), (8_192, 0, 1), (8_192, 17, 1), (8_192, 1, 9)] {
        assert!(KdfCost::new(memory, passes, lanes).is_err());
    }
    assert_eq!(KdfCost::new(65_536, 3, 1), Ok(KdfCost::DEFAULT));
}

#[test]
fn the_default_cost_is_what_a_file_records() {
    let bytes = SealedFile::seal(KeyKind::Identity, b"", &[1; 32], PASSWORD, &mut rng(2)).unwrap();
    let file = SealedFile::parse(&bytes).unwrap();
    assert_eq!(file.cost, Some(KdfCost::DEFAULT));
    assert_eq!(*file.open(KeyKind::Identity, PASSWORD).unwrap(), [1; 32]);
}

#[test]
fn sizes_are_bounded() {
    let seal = |header: &[u8], secret: &[u8]| {
        let password = Password::InsecureNone;
        SealedFile::seal(KeyKind::Identity, header, secret, password, &mut rng(1))
    };
    let largest = seal(&[0; HEADER_MAX], &[0; SECRET_MAX]).unwrap();
    assert!(largest.len() <= FILE_MAX);
    assert!(SealedFile::parse(&largest).is_ok());
    assert!(seal(&[0; HEADER_MAX + 1], &[]).is_err());
    assert!(seal(&[], &[0; SECRET_MAX + 1]).is_err());
    assert_eq!(
        SealedFile::parse(&[0; FILE_MAX + 1]),
        Err(KeyFileError::TooLong { got: FILE_MAX + 1 })
    );
}

proptest! {
    #[test]
    fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(SealedFile::parse(&bytes).is_err());
        let mut framed = MAGIC.to_vec();
        framed.extend_from_slice(&[1, 0]);
        framed.extend_from_slice(&bytes);
        if let Ok(file) = SealedFile::parse(&framed) {
            prop_assert!(file.open(KeyKind::Identity, Password::InsecureNone).is_err());
        }
    }

    #[test]
    fn what_was_sealed_opens(
        header in proptest::collection::vec(any::<u8>(), 0..100),
        secret in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let password = Password::InsecureNone;
        let bytes = SealedFile::seal(KeyKind::CoinShare, &header, &secret, password, &mut rng(3)).unwrap();
        let file = SealedFile::parse(&bytes).unwrap();
        prop_assert_eq!(file.header(), &header);
        prop_assert_eq!(&*file.open(KeyKind::CoinShare, password).unwrap(), &secret);
    }
}
