//! What must hold stands in the room itself: `src/listener/fuzzed.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::listener::fuzzed::proxy_protocol(bytes));
