//! Encryption of the shares: Diffie-Hellman on ristretto255 under keys made for one session, SHA-256 as key derivation,
//! ChaCha20-Poly1305 (RFC 8439).
//!
//! A key encrypts one message only (it is derived for one sender and one receiver of one session), hence the constant nonce.

use alloc::vec::Vec;

use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRngCore;
use touchstone_types::{Digest, MemberId, sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::coin::decode;

/// One member's end of all its channels of a session.
pub(super) struct Channel {
    session: Digest,
    me: MemberId,
    secret: Scalar,
    public: [u8; 32],
}

/// Whether the bytes can be a member's key: a group element other than the identity.
pub(super) fn is_key(bytes: &[u8; 32]) -> bool {
    decode(bytes).is_some()
}

impl Channel {
    pub(super) fn new(session: Digest, me: MemberId, rng: &mut impl CryptoRngCore) -> Self {
        let secret = Scalar::random(rng);
        Self {
            session,
            me,
            public: RistrettoPoint::mul_base(&secret).compress().0,
            secret,
        }
    }

    pub(super) fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Encrypts the one message to `to`, whose key is `key`.
    pub(super) fn seal(&self, to: MemberId, key: &[u8; 32], plain: &[u8]) -> Option<Vec<u8>> {
        let aad = self.associated(self.me, to);
        let payload = Payload {
            msg: plain,
            aad: &aad,
        };
        let shared = self.derive(key, &aad, (&self.public, key))?;
        ChaCha20Poly1305::new(Key::from_slice(shared.as_ref()))
            .encrypt(&Nonce::default(), payload)
            .ok()
    }

    /// Decrypts the one message from `from`, whose key is `key`.
    pub(super) fn open(
        &self,
        from: MemberId,
        key: &[u8; 32],
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let aad = self.associated(from, self.me);
        let payload = Payload {
            msg: sealed,
            aad: &aad,
        };
        let shared = self.derive(key, &aad, (key, &self.public))?;
        ChaCha20Poly1305::new(Key::from_slice(shared.as_ref()))
            .decrypt(&Nonce::default(), payload)
            .ok()
            .map(Zeroizing::new)
    }

    /// `session | from | to`.
    fn associated(&self, from: MemberId, to: MemberId) -> Vec<u8> {
        let mut bytes = self.session.0.to_vec();
        bytes.extend_from_slice(&from.0.to_be_bytes());
        bytes.extend_from_slice(&to.0.to_be_bytes());
        bytes
    }

    fn derive(
        &self,
        peer: &[u8; 32],
        aad: &[u8],
        (sender, receiver): (&[u8; 32], &[u8; 32]),
    ) -> Option<Zeroizing<[u8; 32]>> {
        let mut point = decode(peer)? * self.secret;
        let shared = Zeroizing::new(point.compress().0);
        point.zeroize();
        let tag = b"touchstone/dkg/share/1";
        let key = sha256(&[tag, aad, sender, receiver, shared.as_ref()]);
        Some(Zeroizing::new(key.0))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}
