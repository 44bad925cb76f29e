//! Keys, distributed key generation, FROST signing, ROAST, the common coin and verification for Touchstone.
//!
//! Everything is a function or a state machine that is called: no file, socket, clock or thread; randomness comes in as an
//! argument. Types of the FROST crates stay inside; what goes in and out is bytes and the newtypes below.
//!
//! # The surface
//!
//! | module | what | main calls |
//! |---|---|---|
//! | [`verified`] | "did someone check this?" as a type | `Unverified::new(t)`, `.peek()`, `.verify(&ctx)? -> Verified<T>`; implement [`Check`] (and [`CheckMany`] for batches) |
//! | [`group`] | the group's signature, strict rules; `no_std` | `GroupKey::new(suite, bytes)?`, `.verify_statement(&s, sig)?`, `.verify_epoch_record(&r, sig)?` |
//! | [`identity`] | members' keys and signatures, ZIP-215 rules | `IdentityKey::generate(&mut rng)`, `.sign_header(&h)`, `.sign_epoch_record(&r)`, `.tls_pkcs8()`; `IdentityPublic::new(bytes)?`, `verify_header`, `verify_headers_batch`, `verify_headers_find`; `Roster::new(keys)`, `.verify_headers(&signed)` |
//! | [`coin`] | the common coin | `CoinSecretShare::share(&input, &mut rng)`, `CoinPublic::from_record(committee, &r)?`, `.verify_share(member, &input, &share)?`, `.combine(&shares)? -> CoinValue`, `.leader(n)` |
//! | [`dkg`] | key generation among all members | `Dkg::new(setup, identity, &mut rng)? -> (Dkg, envelopes)`, `.handle(envelope)? -> envelopes`, `.take_output() -> Option<DkgOutput>` |
//! | [`sign`] | FROST | `SigningPublic::new(committee, &keys)?`, `NonceStore::fresh(&share, &mut rng) -> (NonceId, NonceCommitments)`, `.take(id) -> Nonces`, `PreparedSession::new(&public, &[(member, bytes)], &target)?`, `.sign(&share, nonces)?`, `.verify_share(member, &share)?`, `.aggregate(&shares)?` |
//! | [`roast`] | the ROAST coordinator, over any [`ShareScheme`] | `Roast::new(scheme, threshold)`, `.ready(member, commitments)`, `.share(session, member, share, next)` -> `RoastOutput`s |
//! | [`evidence`] | who is proved guilty of what | `EvidenceJudge::new(network, &manifest, &record)?`, `.judge(&evidence)? -> Guilt` |
//! | [`keyfile`] | sealed key files, as bytes | `SealedFile::seal(kind, header, secret, password, &mut rng)?`, `SealedFile::parse(bytes)?.open(password)?` |
//!
//! Without the default feature `sign` only [`verified`] and [`group`] are built, for `no_std` targets.
#![no_std]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "sign")]
pub mod coin;
#[cfg(feature = "sign")]
pub mod dkg;
#[cfg(feature = "sign")]
pub mod evidence;
pub mod group;
#[cfg(feature = "sign")]
pub mod identity;
#[cfg(feature = "sign")]
pub mod keyfile;
#[cfg(feature = "sign")]
pub mod roast;
#[cfg(feature = "sign")]
pub mod sign;
#[cfg(feature = "sign")]
mod suite;
#[cfg(all(test, feature = "sign"))]
mod testing;
pub mod verified;

pub use group::{GroupKey, GroupKeyError, GroupSignatureError};
pub use verified::{Check, CheckMany, Unverified, Verdict, Verified};

#[cfg(feature = "sign")]
pub use self::{
    coin::{CoinError, CoinInput, CoinPublic, CoinSecretShare, CoinShare, CoinValue},
    dkg::{Dkg, DkgEnvelope, DkgError, DkgFault, DkgOutput, DkgPublic, DkgSetup},
    evidence::{EvidenceJudge, EvidenceRefusal, Guilt, Offence, ShareFault, verify_evidence},
    identity::{
        BatchError, IdentityError, IdentityKey, IdentityPublic, InvalidSignature, Roster,
        verify_epoch_record, verify_header, verify_headers_batch, verify_headers_find,
    },
    keyfile::{KdfCost, KeyFileError, KeyKind, Password, SealedFile},
    roast::{Blame, Roast, RoastOutput, SessionId, ShareScheme},
    sign::{
        AggregateError, Commitments, FrostScheme, GroupSignature, KeyError, NonceId, NonceStore,
        Nonces, PreparedSession, SignError, SignTarget, SignatureShare, SignerSet, SigningPublic,
        SigningShare, aggregate, sign, verify_share,
    },
};
