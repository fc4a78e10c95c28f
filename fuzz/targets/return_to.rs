//! What must hold stands in the room itself: `src/portal/fuzzed.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::portal::fuzzed::return_to(bytes));
