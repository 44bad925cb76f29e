//! The edge: pointers become references here, results become numbers, and no panic passes.
//!
//! A pointer is refused if it is null or misaligned, a slice if it is longer than any object can be; that it points to what
//! the header asks for is the caller's promise, which each `SAFETY` comment below rests on. Results are written after the
//! last use of the arguments, and on every failure as zeros, so no caller finds an old number in its place.
#![expect(unsafe_code, reason = "a C interface is made of pointers")]

use alloc::{boxed::Box, vec::Vec};
use core::{ffi::c_char, ptr, slice};

use touchstone_client::{
    Digest, FeedName, GroupKey, NetworkId, Status, Suite, VerifiedUpdate, Verifier,
};
#[cfg(feature = "pin")]
use touchstone_client::{Pin, PinRefused};

use crate::{
    Code,
    code::text_of,
    policy::{RawPolicy, refused},
    price::{FeedEntry, I128, Price, UpdateInfo},
    text,
};

// Threads share these without a lock.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Verifier>();
    shared::<VerifiedUpdate>();
};

/// `touchstone_group_key`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RawGroupKey {
    /// The suite's byte.
    pub suite: u32,
    /// The key.
    pub key: *const u8,
    /// Its length.
    pub key_len: usize,
}

/// Runs what may panic, in theory: arithmetic is checked, and an allocation may be impossible.
fn guard<T>(run: impl FnOnce() -> Result<T, Code>) -> Result<T, Code> {
    #[cfg(feature = "std")]
    {
        let run = std::panic::AssertUnwindSafe(run);
        std::panic::catch_unwind(run).unwrap_or(Err(Code::Internal))
    }
    #[cfg(not(feature = "std"))]
    run()
}

/// Makes a value and writes it to `out`, or `empty` if there is none.
///
/// # Safety
/// `out` is null or misaligned, which is refused, or may be written to.
unsafe fn deliver<T>(out: *mut T, empty: T, make: impl FnOnce() -> Result<T, Code>) -> Code {
    if out.is_null() || !out.is_aligned() {
        return Code::InvalidPointer;
    }
    let (value, code) = match guard(make) {
        Ok(value) => (value, Code::Ok),
        Err(code) => (empty, code),
    };
    // SAFETY: neither null nor misaligned, and writable by the caller's promise. What was there needs no drop: outputs are
    // plain data or pointers.
    unsafe { out.write(value) };
    code
}

/// Makes a text and copies it to `out` whole, or leaves an empty one.
///
/// # Safety
/// `out` is null, which is refused, or `len` bytes may be written there.
unsafe fn deliver_text(
    out: *mut c_char,
    len: usize,
    make: impl FnOnce() -> Result<Vec<u8>, Code>,
) -> Code {
    if out.is_null() {
        return Code::InvalidPointer;
    }
    if len == 0 {
        return Code::BufferTooSmall;
    }
    let (text, code) = match guard(make) {
        Ok(text) if text.len() <= len => (text, Code::Ok),
        Ok(_) => (Vec::from([0]), Code::BufferTooSmall),
        Err(code) => (Vec::from([0]), code),
    };
    // SAFETY: the text is its own allocation and not longer than `len`, of which so many bytes are writable by the caller's
    // promise.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), out.cast(), text.len()) };
    code
}

/// # Safety
/// `pointer` is null or misaligned, which is refused, or points to a value that lives and does not change during `'a`.
unsafe fn shared<'a, T>(pointer: *const T) -> Result<&'a T, Code> {
    if !pointer.is_aligned() {
        return Err(Code::InvalidPointer);
    }
    // SAFETY: aligned, and a live value by the caller's promise unless it is null.
    unsafe { pointer.as_ref() }.ok_or(Code::InvalidPointer)
}

/// `len` values; a null pointer is as good as any for none of them.
///
/// # Safety
/// `pointer` is null or misaligned, which is refused, or points to `len` values that live and do not change during `'a`.
unsafe fn many<'a, T>(pointer: *const T, len: usize) -> Result<&'a [T], Code> {
    if len == 0 {
        return Ok(&[]);
    }
    let bytes = len.checked_mul(size_of::<T>());
    let fits = bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok());
    if pointer.is_null() || !pointer.is_aligned() || !fits {
        return Err(Code::InvalidPointer);
    }
    // SAFETY: neither null nor misaligned, no longer than an object may be, and `len` live values by the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// # Safety
/// As [`many`].
unsafe fn utf8<'a>(pointer: *const c_char, len: usize, bad: Code) -> Result<&'a str, Code> {
    // SAFETY: the caller's promise, handed on; a character is a byte.
    let bytes = unsafe { many(pointer.cast::<u8>(), len) }?;
    core::str::from_utf8(bytes).map_err(|_| bad)
}

/// # Safety
/// As [`many`].
unsafe fn feed_name(pointer: *const c_char, len: usize) -> Result<FeedName, Code> {
    // SAFETY: the caller's promise, handed on.
    let text = unsafe { utf8(pointer, len, Code::InvalidFeedName) }?;
    FeedName::new(text).map_err(|_| Code::InvalidFeedName)
}

/// A handle for the caller, who gives it back to [`release`].
fn handle<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// # Safety
/// `pointer` is null, or came from [`handle`] and was not released before.
unsafe fn release<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: it came from `Box::into_raw`, and this is its only release, by the caller's promise.
        drop(unsafe { Box::from_raw(pointer) });
    }
}

/// Version of this interface: calls and structures of one version never change their meaning.
#[unsafe(no_mangle)]
pub extern "C" fn touchstone_abi_version() -> u32 {
    1
}

/// What this library was built with.
#[unsafe(no_mangle)]
pub extern "C" fn touchstone_features() -> u32 {
    u32::from(cfg!(feature = "pin")) | (u32::from(cfg!(feature = "members")) << 1)
}

/// The text of a result.
#[unsafe(no_mangle)]
pub extern "C" fn touchstone_code_text(code: i32) -> *const c_char {
    text_of(code).as_ptr()
}

/// A verifier out of a network.json.
///
/// # Safety
/// `json` points to `json_len` bytes, `out` to a pointer that may be written.
#[cfg(feature = "pin")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_verifier_from_pin(
    json: *const u8,
    json_len: usize,
    out: *mut *mut Verifier,
) -> Code {
    let make = || {
        // SAFETY: the caller's promise.
        let json = unsafe { many(json, json_len) }?;
        let pin = Pin::from_json(json).map_err(|_| Code::BadPin)?;
        let verdict = |error: PinRefused| Code::of(error.code());
        let verifier = Verifier::from_pin(&pin).map_err(verdict)?;
        #[cfg(feature = "members")]
        touchstone_client::check_pin_members(&pin).map_err(verdict)?;
        Ok(handle(verifier))
    };
    // SAFETY: the caller's promise.
    unsafe { deliver(out, ptr::null_mut(), make) }
}

/// A verifier out of the least that can be pinned.
///
/// # Safety
/// `network_id` points to `network_id_len` bytes, `keys` to `key_count` keys, each of them to its bytes, `out` to a pointer
/// that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_verifier_new(
    network_id: *const u8,
    network_id_len: usize,
    keys: *const RawGroupKey,
    key_count: usize,
    out: *mut *mut Verifier,
) -> Code {
    let make = || {
        // SAFETY: the caller's promise.
        let id = unsafe { many(network_id, network_id_len) }?;
        let id = <[u8; 32]>::try_from(id).map_err(|_| Code::InvalidArgument)?;
        // SAFETY: the caller's promise.
        let keys = unsafe { many(keys, key_count) }?;
        if keys.is_empty() {
            return Err(Code::NoKey);
        }
        let mut checked: Vec<GroupKey> = Vec::new();
        for key in keys {
            let suite = u8::try_from(key.suite).ok().and_then(Suite::from_byte);
            let suite = suite.ok_or(Code::UnknownSuite)?;
            // SAFETY: the caller's promise.
            let bytes = unsafe { many(key.key, key.key_len) }?;
            if checked.iter().any(|other| other.suite() == suite) {
                return Err(Code::InvalidArgument);
            }
            checked.push(GroupKey::new(suite, bytes).map_err(|_| Code::BadGroupKey)?);
        }
        Ok(handle(Verifier::new(NetworkId(Digest(id)), checked)))
    };
    // SAFETY: the caller's promise.
    unsafe { deliver(out, ptr::null_mut(), make) }
}

/// The pinned network.
///
/// # Safety
/// `verifier` is live, and 32 bytes may be written to `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_verifier_network_id(
    verifier: *const Verifier,
    out: *mut [u8; 32],
) -> Code {
    // SAFETY: the caller's promise.
    let make = || unsafe { shared(verifier) }.map(|verifier| verifier.network().0.0);
    // SAFETY: the caller's promise.
    unsafe { deliver(out, [0; 32], make) }
}

/// Ends a verifier.
///
/// # Safety
/// `verifier` is null, or live and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_verifier_free(verifier: *mut Verifier) {
    // SAFETY: the caller's promise.
    unsafe { release(verifier) };
}

/// Verifies the bytes of an update.
///
/// # Safety
/// `verifier` is live, `bytes` points to `bytes_len` bytes, `out` to a pointer that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_update_verify(
    verifier: *const Verifier,
    bytes: *const u8,
    bytes_len: usize,
    out: *mut *mut VerifiedUpdate,
) -> Code {
    // SAFETY: the caller's promise.
    let make = || unsafe { verified(verifier, bytes, bytes_len) }.map(handle);
    // SAFETY: the caller's promise.
    unsafe { deliver(out, ptr::null_mut(), make) }
}

/// # Safety
/// `verifier` is null or live, and `bytes` points to `bytes_len` bytes.
unsafe fn verified(
    verifier: *const Verifier,
    bytes: *const u8,
    bytes_len: usize,
) -> Result<VerifiedUpdate, Code> {
    // SAFETY: the caller's promise.
    let verifier = unsafe { shared(verifier) }?;
    // SAFETY: the caller's promise.
    let bytes = unsafe { many(bytes, bytes_len) }?;
    verifier
        .verify(bytes)
        .map_err(|error| Code::of(error.code()))
}

/// # Safety
/// `policy` points to at least the bytes that its first field counts, and its `next` is null or live.
unsafe fn price(
    update: &VerifiedUpdate,
    feed: FeedName,
    policy: *const RawPolicy,
) -> Result<Price, Code> {
    // SAFETY: a structure of any version begins with its size.
    let size = *unsafe { shared(policy.cast::<u32>()) }?;
    if usize::try_from(size) != Ok(size_of::<RawPolicy>()) {
        return Err(Code::InvalidArgument);
    }
    // SAFETY: it has the size of this structure, of which every bit pattern is a value.
    let policy = unsafe { shared(policy) }?;
    let next = if policy.next.is_null() {
        None
    } else {
        // SAFETY: the caller's promise.
        Some(unsafe { shared(policy.next) }?)
    };
    let policy = policy.resolve(update, next)?;
    let price = update.price(feed, &policy).map_err(refused)?;
    Ok(Price::from(&price))
}

/// The price of a feed, under a policy.
///
/// # Safety
/// `update` is live, `feed` points to `feed_len` bytes, `policy` to a policy whose `next` is null or live, `out` to a price
/// that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_update_price(
    update: *const VerifiedUpdate,
    feed: *const c_char,
    feed_len: usize,
    policy: *const RawPolicy,
    out: *mut Price,
) -> Code {
    let make = || {
        // SAFETY: the caller's promise.
        let update = unsafe { shared(update) }?;
        // SAFETY: the caller's promise.
        let feed = unsafe { feed_name(feed, feed_len) }?;
        // SAFETY: the caller's promise.
        unsafe { price(update, feed, policy) }
    };
    // SAFETY: the caller's promise.
    unsafe { deliver(out, Price::default(), make) }
}

/// Verifies the bytes of an update and gives the price of one feed.
///
/// # Safety
/// As [`touchstone_update_verify`] and [`touchstone_update_price`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_verify(
    verifier: *const Verifier,
    bytes: *const u8,
    bytes_len: usize,
    feed: *const c_char,
    feed_len: usize,
    policy: *const RawPolicy,
    out: *mut Price,
) -> Code {
    let make = || {
        // SAFETY: the caller's promise.
        let feed = unsafe { feed_name(feed, feed_len) }?;
        // SAFETY: the caller's promise.
        let update = unsafe { verified(verifier, bytes, bytes_len) }?;
        // SAFETY: the caller's promise.
        unsafe { price(&update, feed, policy) }
    };
    // SAFETY: the caller's promise.
    unsafe { deliver(out, Price::default(), make) }
}

/// What an update is about.
///
/// # Safety
/// `update` is live, and `out` points to a structure that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_update_describe(
    update: *const VerifiedUpdate,
    out: *mut UpdateInfo,
) -> Code {
    // SAFETY: the caller's promise.
    let make = || unsafe { shared(update) }.map(UpdateInfo::from);
    // SAFETY: the caller's promise.
    unsafe { deliver(out, UpdateInfo::default(), make) }
}

/// The feed at a position of an update.
///
/// # Safety
/// `update` is live, and `out` points to a structure that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_update_feed(
    update: *const VerifiedUpdate,
    index: usize,
    out: *mut FeedEntry,
) -> Code {
    // SAFETY: the caller's promise.
    let make = || unsafe { shared(update) }.and_then(|update| FeedEntry::at(update, index));
    // SAFETY: the caller's promise.
    unsafe { deliver(out, FeedEntry::default(), make) }
}

/// Ends an update.
///
/// # Safety
/// `update` is null, or live and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_update_free(update: *mut VerifiedUpdate) {
    // SAFETY: the caller's promise.
    unsafe { release(update) };
}

/// The bit of a status name.
///
/// # Safety
/// `name` points to `name_len` bytes, `out` to a byte that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_status_from_name(
    name: *const c_char,
    name_len: usize,
    out: *mut u8,
) -> Code {
    let make = || {
        // SAFETY: the caller's promise.
        let name = unsafe { utf8(name, name_len, Code::InvalidStatus) }?;
        let status = name.parse::<Status>().map_err(|_| Code::InvalidStatus)?;
        Ok(status.bits())
    };
    // SAFETY: the caller's promise.
    unsafe { deliver(out, 0, make) }
}

/// The names of status bits.
///
/// # Safety
/// `out_len` bytes may be written to `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_status_text(
    status: u8,
    out: *mut c_char,
    out_len: usize,
) -> Code {
    // SAFETY: the caller's promise.
    unsafe { deliver_text(out, out_len, || text::status(status)) }
}

/// A decimal number as text.
///
/// # Safety
/// `mantissa` points to a number, and `out_len` bytes may be written to `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_decimal_text(
    mantissa: *const I128,
    exponent: i32,
    out: *mut c_char,
    out_len: usize,
) -> Code {
    let make = || {
        // SAFETY: the caller's promise.
        let mantissa = unsafe { shared(mantissa) }?;
        text::decimal(mantissa.value(), exponent)
    };
    // SAFETY: the caller's promise.
    unsafe { deliver_text(out, out_len, make) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "std")]
    fn a_panic_becomes_a_code() {
        let mut out = 7u8;
        // SAFETY: a byte that may be written.
        let code = unsafe { deliver(&raw mut out, 0, || panic!("on purpose")) };
        assert_eq!((code, out), (Code::Internal, 0));
    }
}
