//! The core under arbitrary inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    touchstone_fuzz::inputs(bytes);
});
