//! The decoder of `decimal` under arbitrary bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    touchstone_fuzz::decimal(bytes);
});
