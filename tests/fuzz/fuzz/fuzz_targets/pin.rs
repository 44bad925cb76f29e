//! The decoder of `pin` under arbitrary bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    touchstone_fuzz::pin(bytes);
});
