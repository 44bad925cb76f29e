//! Who an end of a link is: an Ed25519 key, carried in a self-signed certificate that serves as nothing but its envelope.

use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey};
use thiserror::Error;

/// A raw Ed25519 public key (RFC 8032), as the manifest pins it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The only DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410, section 4): algorithm 1.3.101.112 without
/// parameters, then a bit string of 32 bytes.
const ED25519_SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The Ed25519 key of a certificate; nothing else in the certificate is looked at.
///
/// # Errors
/// Bytes that are not an X.509 certificate, or one of another kind of key.
pub(crate) fn certificate_key(
    certificate: &CertificateDer<'_>,
) -> Result<PublicKey, rustls::Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    spki_key(parsed.subject_public_key_info().as_ref()).ok_or_else(|| {
        rustls::Error::General("the certificate's key is not an Ed25519 key".to_owned())
    })
}

fn spki_key(spki: &[u8]) -> Option<PublicKey> {
    let key = spki.strip_prefix(&ED25519_SPKI_PREFIX)?;
    key.try_into().ok().map(PublicKey)
}

/// Why a private key cannot be an identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The bytes are not an Ed25519 private key.
    #[error("the identity key is not an Ed25519 private key in PKCS#8 DER form (RFC 8410): {0}")]
    Key(rustls::Error),
    /// The certificate around it could not be made.
    #[error("the identity's certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// An end's own Ed25519 key and its self-signed certificate.
///
/// The private half lives in the TLS library's key object from here on; it cannot be read back.
pub struct TlsIdentity {
    certified: Arc<CertifiedKey>,
    public: PublicKey,
}

impl TlsIdentity {
    /// The identity of an Ed25519 private key in PKCS#8 DER form (RFC 8410), with or without the public half.
    ///
    /// # Errors
    /// [`IdentityError`], if the bytes are another thing.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, IdentityError> {
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).map_err(IdentityError::Key)?;
        let public = key
            .public_key()
            .and_then(|spki| spki_key(spki.as_ref()))
            .ok_or_else(|| {
                IdentityError::Key(rustls::Error::General("no public key".to_owned()))
            })?;
        let certificate = rcgen::CertificateParams::new(vec![SERVER_NAME.to_owned()])?
            .self_signed(&CertificateSigner { key: &*key, public })?;
        let chain = vec![certificate.der().clone()];
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(chain, key)),
            public,
        })
    }

    /// A fresh identity for one process's lifetime: an observer needs a key, but no node asks which.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`], where the system gives no randomness.
    pub fn ephemeral() -> Result<Self, IdentityError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        Self::from_pkcs8(key.serialized_der())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("public", &self.public)
            .field("private", &"<redacted>")
            .finish()
    }
}

/// The name that clients ask for and nobody checks: keys, not names, say who is there.
pub(crate) const SERVER_NAME: &str = "touchstone";

/// Lets the certificate be signed by the one key object, without a second copy of the secret.
struct CertificateSigner<'a> {
    key: &'a dyn SigningKey,
    public: PublicKey,
}

impl rcgen::PublicKeyData for CertificateSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for CertificateSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key
            .choose_scheme(&[SignatureScheme::ED25519])
            .and_then(|signer| signer.sign(message).ok())
            .ok_or(rcgen::Error::RemoteKeyError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_certificate_carries_the_key() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let identity = TlsIdentity::from_pkcs8(key.serialized_der()).unwrap();
        assert_eq!(identity.public.0.as_slice(), key.public_key_raw());
        let certificate = identity.certified.end_entity_cert().unwrap();
        assert_eq!(certificate_key(certificate).unwrap(), identity.public);
    }

    /// The example of RFC 8410, section 10.3: a private key without its public half, and the key of section 10.1.
    #[test]
    fn a_private_key_alone_is_enough() {
        let pkcs8 = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20, 0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1,
            0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97,
            0xa8, 0x8f, 0x44, 0x75, 0x58, 0x42,
        ];
        assert_eq!(
            TlsIdentity::from_pkcs8(&pkcs8)
                .unwrap()
                .public()
                .to_string(),
            "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
        );
    }

    #[test]
    fn another_kind_of_key_is_refused() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        assert!(TlsIdentity::from_pkcs8(key.serialized_der()).is_err());
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let error = certificate_key(certificate.der()).unwrap_err();
        assert!(error.to_string().contains("not an Ed25519 key"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?}", TlsIdentity::ephemeral().unwrap());
        assert!(text.contains("<redacted>"), "{text}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = certificate_key(&CertificateDer::from(bytes));
        }

        /// A damaged certificate either fails to parse or yields some key; it never yields the right key with another SPKI.
        #[test]
        fn a_changed_key_is_another_key(at in 0usize..32, flip in 1u8..) {
            let identity = TlsIdentity::ephemeral().unwrap();
            let mut der = identity.certified.end_entity_cert().unwrap().as_ref().to_vec();
            let start = der.windows(12).position(|w| w == ED25519_SPKI_PREFIX).unwrap() + 12;
            der[start + at] ^= flip;
            prop_assert_ne!(certificate_key(&CertificateDer::from(der)).unwrap(), identity.public);
        }
    }
}
