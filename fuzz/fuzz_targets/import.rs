#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dpsynth_fuzz::import(bytes));
