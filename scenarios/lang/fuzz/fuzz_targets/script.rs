//! Whatever the text, reading it ends, and what reads prints and reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tunfarm_lang::symbols::Definitions;
use tunfarm_lang::{parse, parse_and_check, print};

fuzz_target!(|text: &str| {
    if let Err(errors) = parse_and_check(text, "fuzz.pkt", &Definitions::new()) {
        assert!(!errors.to_string().is_empty());
    }
    if let Ok(script) = parse(text, "fuzz.pkt") {
        let printed = print(&script);
        let again = parse(&printed, "printed.pkt").expect("what was printed reads");
        assert_eq!(script, again);
    }
});
