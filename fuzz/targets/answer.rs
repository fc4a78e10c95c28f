//! What must hold stands in the room itself: `src/proxy/http1/fuzzed.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::proxy::fuzzed::answer(bytes));
