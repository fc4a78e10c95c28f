//! What must hold stands in the room itself: `src/proxy/fuzzed.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::proxy::fuzzed::fields(bytes));
