//! What must hold stands in the room itself: `src/inbound/fuzzed.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::inbound::fuzzed::request_view(bytes));
