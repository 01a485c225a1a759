#![no_main]

#[path = "../../crates/hrm-cli/tests/hostile/readers.rs"]
mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    readers::Reader::named("grids").check(bytes);
});
