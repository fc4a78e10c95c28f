//! What must hold stands in the room itself: `src/session/fuzzed.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::session::fuzzed::cookies(bytes));
