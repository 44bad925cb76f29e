//! The decoder of `feed name` under arbitrary bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    touchstone_fuzz::feed_name(bytes);
});
