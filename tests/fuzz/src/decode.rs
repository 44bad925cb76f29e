//! Every decoder of bytes that come from outside.
//!
//! Three properties: it does not panic; what it reads is written again as the very same bytes (for JSON: the canonical form
//! of what was read is read as the same thing); and it asks for no more memory than its input pays for.

use touchstone_consensus::Message;
use touchstone_crypto::dkg::DkgEnvelope;
use touchstone_types::{
    Attestation, Decimal, Digest, EpochRecord, Evidence, FeedName, Header, Leaf, Manifest,
    MemberId, Observation, Pin, PriceUpdate, Reader, SessionShare, SigningSession, Statement,
    canonical_json, read_nonces, write_nonces,
};

use crate::memory::bounded;

/// An entry point: panics if a property is broken.
pub type Decoder = fn(&[u8]);

/// Every decoder by the name of its fuzz target.
pub const DECODERS: &[(&str, Decoder)] = &[
    ("message", message),
    ("value", value),
    ("attestation", attestation),
    ("update", update),
    ("observation", observation),
    ("statement", statement),
    ("header", header),
    ("leaf", leaf),
    ("nonces", nonces),
    ("session", session),
    ("share", share),
    ("evidence", evidence),
    ("envelope", envelope),
    ("manifest", manifest),
    ("record", record),
    ("pin", pin),
    ("feed_name", feed_name),
    ("decimal", decimal),
];

/// Bytes of memory for each byte of a binary input. The worst is a list whose entries are 3 bytes on the wire and 32 in memory,
/// while it grows by doubling.
const BINARY: usize = 64;
/// The same for JSON, whose text is turned into strings and lists. The worst is a list of short objects.
const JSON: usize = 96;

/// Checks one binary decoder.
fn exact<T>(
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Option<T>,
    write: impl FnOnce(&T) -> Vec<u8>,
) {
    if let Some(thing) = bounded(bytes, BINARY, || read(bytes)) {
        assert!(
            write(&thing) == bytes,
            "what was read is written as other bytes"
        );
    }
}

/// Reads with a [`Reader`] to the end.
fn whole<T, E>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, E>) -> Option<T> {
    let mut reader = Reader::new(bytes);
    let thing = read(&mut reader).ok()?;
    reader.finish().ok().map(|()| thing)
}

/// A message of any kind. The first two bytes choose the member on whose link it comes.
pub fn message(bytes: &[u8]) {
    let Some((from, bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let (tag, from) = (Digest([7; 32]), MemberId(u16::from_be_bytes(*from)));
    let write = |message: &Message| match message {
        Message::Signed(signed) => signed.to_bytes(),
        Message::Reply { round, reply, .. } => reply.to_bytes(*round),
    };
    exact(
        bytes,
        |bytes| Message::from_bytes(tag, from, bytes).ok(),
        write,
    );
}

/// A value, as it stands in a VALUE message without observations.
pub fn value(bytes: &[u8]) {
    const VALUE: u8 = 130;
    let mut reply = vec![0, 0, VALUE];
    reply.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1]);
    reply.extend_from_slice(bytes);
    reply.extend_from_slice(&[0, 0]);
    message(&reply);
}

/// A signed round.
pub fn attestation(bytes: &[u8]) {
    exact(
        bytes,
        |b| Attestation::from_bytes(b).ok(),
        Attestation::to_bytes,
    );
}

/// A price update.
pub fn update(bytes: &[u8]) {
    exact(
        bytes,
        |b| PriceUpdate::from_bytes(b).ok(),
        PriceUpdate::to_bytes,
    );
}

/// A member's prices.
pub fn observation(bytes: &[u8]) {
    exact(
        bytes,
        |b| Observation::from_bytes(b).ok(),
        Observation::to_bytes,
    );
}

/// What the group signs.
pub fn statement(bytes: &[u8]) {
    exact(
        bytes,
        |b| Statement::from_bytes(b).ok(),
        |s| s.to_bytes().to_vec(),
    );
}

/// What a member signs.
pub fn header(bytes: &[u8]) {
    exact(bytes, |b| whole(b, Header::read), |h| h.to_bytes().to_vec());
}

/// One feed's price.
pub fn leaf(bytes: &[u8]) {
    exact(bytes, |b| whole(b, Leaf::read), |l| l.to_bytes().to_vec());
}

/// A list of nonce commitments.
pub fn nonces(bytes: &[u8]) {
    let write = |nonces: &Vec<_>| {
        let mut out = Vec::new();
        write_nonces(nonces, &mut out);
        out
    };
    exact(bytes, |b| whole(b, read_nonces), write);
}

/// A signing session.
pub fn session(bytes: &[u8]) {
    exact(
        bytes,
        |b| whole(b, SigningSession::read),
        SigningSession::to_bytes,
    );
}

/// A share in a session, or none.
pub fn share(bytes: &[u8]) {
    let write = |share: &Option<SessionShare>| {
        let mut out = Vec::new();
        SessionShare::write_option(share.as_ref(), &mut out);
        out
    };
    exact(bytes, |b| whole(b, SessionShare::read_option), write);
}

/// Evidence against a member.
pub fn evidence(bytes: &[u8]) {
    exact(bytes, |b| Evidence::from_bytes(b).ok(), Evidence::to_bytes);
}

/// A message of the key generation.
pub fn envelope(bytes: &[u8]) {
    exact(
        bytes,
        |b| DkgEnvelope::from_bytes(b).ok(),
        DkgEnvelope::to_bytes,
    );
}

/// An epoch's manifest.
pub fn manifest(bytes: &[u8]) {
    if let Some(manifest) = bounded(bytes, JSON, || Manifest::from_json(bytes).ok()) {
        let text = canonical_json(&manifest).expect("a valid manifest has a canonical form");
        assert_eq!(Manifest::from_json(&text).as_ref(), Ok(&manifest));
        assert!(canonical_json(&manifest).ok() == Some(text), "one form");
        // What a network is made of follows from a valid manifest without a failure.
        manifest
            .committee()
            .expect("a valid manifest has a committee");
    }
}

/// An epoch's keys.
pub fn record(bytes: &[u8]) {
    let read = |bytes: &[u8]| serde_json::from_slice::<EpochRecord>(bytes).ok();
    if let Some(record) = bounded(bytes, JSON, || read(bytes)) {
        let text = canonical_json(&record).expect("integers, text and lists");
        assert_eq!(read(&text), Some(record));
    }
}

/// What a consumer believes.
pub fn pin(bytes: &[u8]) {
    if let Some(pin) = bounded(bytes, JSON, || Pin::from_json(bytes).ok()) {
        let text = canonical_json(&pin).expect("a valid pin has a canonical form");
        assert_eq!(Pin::from_json(&text), Ok(pin));
    }
}

/// The name of a feed.
pub fn feed_name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(name) = bounded(bytes, BINARY, || FeedName::new(&text).ok()) {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(bytes) = <[u8; 32]>::try_from(bytes)
        && let Ok(name) = FeedName::from_bytes(bytes)
    {
        assert_eq!(FeedName::new(&name.to_string()), Ok(name));
    }
}

/// A decimal number as text.
pub fn decimal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(number) = bounded(bytes, BINARY, || Decimal::parse(&text).ok()) {
        assert_eq!(Decimal::parse(&number.to_string()), Ok(number));
    }
}
