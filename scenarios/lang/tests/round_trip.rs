//! What is printed reads back as an equal tree; and reads as in `printed/`.
//!
//! With `UPDATE_GOLDEN=1` in the environment the printed scripts are written
//! anew instead of compared.

use std::path::{Path, PathBuf};

use tunfarm_lang::{check, parse, print};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

#[test]
fn scripts_are_right_and_round_trip() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut count = 0;
    for entry in std::fs::read_dir(folder("scripts")).expect("the folder of scripts") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).expect("a script");
        let script = parse(&text, &name).unwrap_or_else(|errors| panic!("{errors}"));
        let errors = check(&script);
        assert!(errors.is_empty(), "{errors}");

        let printed = print(&script);
        let again = parse(&printed, &name).unwrap_or_else(|errors| panic!("{errors}\n{printed}"));
        assert_eq!(script, again, "{name}");
        assert_eq!(printed, print(&again), "{name}");

        let golden = folder("printed").join(&name);
        if update {
            std::fs::write(&golden, &printed).expect("writing the printed script");
        } else {
            let expected = std::fs::read_to_string(&golden).expect("the printed script");
            assert_eq!(printed, expected, "{name}");
        }
        count += 1;
    }
    assert_eq!(count, 5, "a script was added or lost");
}

#[test]
fn equality_ignores_layout_and_sees_the_rest() {
    let one = parse("+0 > . 1:1(0) ack 1\n", "a").expect("a script");
    let same = parse("// why\n  +0.0   >  .  1:1(0)\n  ack 1", "b").expect("a script");
    let other = parse("+0 > . 1:1(0) ack 2\n", "c").expect("a script");
    assert_eq!(one, same);
    assert_ne!(one, other);
}
