//! Nonces: fresh from the system's randomness, in memory only, used once.
//!
//! FROST gives the key share away to anybody who sees two shares made with one pair of nonces, so a pair leaves the store by
//! value, cannot be cloned or written down, and is consumed by signing. The store is dropped with the process; a new one has
//! a new random name, so that peers can tell that the commitments of the old one are void. Never snapshot a running signer.

use alloc::collections::BTreeMap;
use core::fmt;

use rand_core::CryptoRngCore;
use touchstone_types::{NonceCommitments, Suite};

use super::{
    SigningShare,
    curve::{Ed25519, Secp256k1},
    frost::NoncePair,
    keys::ShareKind,
};

/// The most pairs that one store holds. When a further one is made, the oldest is destroyed.
pub const NONCES_MAX: usize = 4_096;

/// Names a pair of nonces: the store's random name and a slot that counts up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NonceId {
    /// The store's name, random at every start.
    pub store: [u8; 16],
    /// The pair's number in the store.
    pub slot: u64,
}

impl fmt::Debug for NonceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.store {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "/{}", self.slot)
    }
}

/// One pair of nonces, to be used once.
pub struct Nonces(NonceKind);

pub(super) enum NonceKind {
    Ed25519(NoncePair<Ed25519>),
    Secp256k1(NoncePair<Secp256k1>),
}

impl Nonces {
    pub(super) fn kind(&self) -> &NonceKind {
        &self.0
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        match self.0 {
            NonceKind::Ed25519(_) => Suite::Ed25519,
            NonceKind::Secp256k1(_) => Suite::Secp256k1Keccak,
        }
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(<redacted>)")
    }
}

/// The pairs that were committed to and not used yet.
pub struct NonceStore {
    name: [u8; 16],
    next: u64,
    capacity: usize,
    pairs: BTreeMap<u64, Nonces>,
}

impl NonceStore {
    /// An empty store with a fresh random name, holding at most [`NONCES_MAX`] pairs.
    pub fn new(rng: &mut impl CryptoRngCore) -> Self {
        Self::with_capacity(NONCES_MAX, rng)
    }

    /// An empty store that holds at most `capacity` pairs, from 1 to [`NONCES_MAX`] (clamped).
    pub fn with_capacity(capacity: usize, rng: &mut impl CryptoRngCore) -> Self {
        let mut name = [0; 16];
        rng.fill_bytes(&mut name);
        Self {
            name,
            next: 0,
            capacity: capacity.clamp(1, NONCES_MAX),
            pairs: BTreeMap::new(),
        }
    }

    /// Makes a pair and its commitments (RFC 9591, section 5.1: randomness hashed with the secret share).
    ///
    /// A full store destroys its oldest pair: whoever still wants a share under it gets none.
    pub fn fresh(
        &mut self,
        share: &SigningShare,
        rng: &mut impl CryptoRngCore,
    ) -> (NonceId, NonceCommitments) {
        let (nonces, bytes) = match share.kind() {
            ShareKind::Ed25519(secret) => {
                let pair = NoncePair::generate(secret, rng);
                let bytes = pair.commitments();
                (Nonces(NonceKind::Ed25519(pair)), bytes)
            }
            ShareKind::Secp256k1(secret) => {
                let pair = NoncePair::generate(secret, rng);
                let bytes = pair.commitments();
                (Nonces(NonceKind::Secp256k1(pair)), bytes)
            }
        };
        while self.pairs.len() >= self.capacity {
            self.pairs.pop_first();
        }
        let slot = self.next;
        self.next = slot.saturating_add(1);
        self.pairs.insert(slot, nonces);
        let id = NonceId {
            store: self.name,
            slot,
        };
        let commitments = NonceCommitments {
            suite: share.suite(),
            bytes,
        };
        (id, commitments)
    }

    /// Takes a pair out, for its one use. None if it was taken before, destroyed, or belongs to another store.
    pub fn take(&mut self, id: NonceId) -> Option<Nonces> {
        (id.store == self.name)
            .then(|| self.pairs.remove(&id.slot))
            .flatten()
    }

    /// Destroys a pair that will not be used.
    pub fn discard(&mut self, id: NonceId) {
        drop(self.take(id));
    }

    /// Destroys every pair and takes a new name: to be called when the machine may have been resumed from a snapshot.
    pub fn reset(&mut self, rng: &mut impl CryptoRngCore) {
        *self = Self::with_capacity(self.capacity, rng);
    }

    /// How many pairs are held.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether no pair is held.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl fmt::Debug for NonceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceStore")
            .field("len", &self.pairs.len())
            .field("pairs", &"<redacted>")
            .finish()
    }
}
