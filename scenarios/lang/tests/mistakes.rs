//! Golden errors: what a person sees for each kind of mistake.
//!
//! The files in `mistakes/` hold cases: a line `### what is wrong`, the script,
//! a line `---`, and the errors it must give. With `UPDATE_GOLDEN=1` in the
//! environment the errors are written anew instead of compared.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use tunfarm_lang::parse_and_check;
use tunfarm_lang::symbols::Definitions;

/// What a case is called in messages.
const FILE: &str = "mistake.pkt";

struct Case {
    title: String,
    script: String,
    expected: String,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let entries = std::fs::read_dir(&folder).expect("the folder of mistakes");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("### ").skip(1) {
        let (title, rest) = block.split_once('\n').expect("a title line");
        let (script, expected) = rest.split_once("---\n").expect("a line of dashes");
        cases.push(Case {
            title: title.to_owned(),
            script: script.to_owned(),
            expected: expected.trim_end().to_owned(),
        });
    }
    cases
}

fn errors(script: &str) -> String {
    match parse_and_check(script, FILE, &Definitions::new()) {
        Ok(_) => String::from("no error"),
        Err(errors) => errors.to_string().trim_end().to_owned(),
    }
}

#[test]
fn each_mistake_gives_its_error() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("a file of mistakes");
        let mut written = String::new();
        for case in cases(&text) {
            let found = errors(&case.script);
            let Case {
                title,
                script,
                expected,
            } = &case;
            write!(written, "### {title}\n{script}---\n{found}\n\n").expect("writing to a string");
            if found != *expected {
                writeln!(
                    wrong,
                    "{}: {title}\nexpected:\n{expected}\nfound:\n{found}\n",
                    file.display()
                )
                .expect("writing to a string");
            }
        }
        if update {
            std::fs::write(&file, written.trim_end().to_owned() + "\n").expect("writing the file");
        }
    }
    assert!(update || wrong.is_empty(), "{wrong}");
}

#[test]
fn there_are_sixty_kinds_of_mistake_and_each_is_one() {
    let mut kinds = BTreeSet::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("a file of mistakes");
        for case in cases(&text) {
            assert_ne!(errors(&case.script), "no error", "{}", case.title);
            assert!(kinds.insert(case.title.clone()), "twice: {}", case.title);
        }
    }
    assert!(kinds.len() >= 60, "only {} kinds of mistake", kinds.len());
}
