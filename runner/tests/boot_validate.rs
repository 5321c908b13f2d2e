//! `tunfarm validate`: four patches, four answers.

mod common;

use std::path::{Path, PathBuf};

use common::{Ended, KERNEL, tunfarm};

fn patch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/patches")
        .join(name)
}

/// Validates `name` and returns the exit status and the answer, with what changes from night to
/// night (the kernel's release, lines in its source) made the same.
fn validate(name: &str, options: &[&str]) -> (i32, String) {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::copy(patch(name), dir.path().join(name)).expect("a patch");
    let mut arguments = vec![
        "validate", "--patch", name, "--format", "md", "--out", "out",
    ];
    arguments.extend(options);
    let ended: Ended = tunfarm(&arguments)
        .current_dir(dir.path())
        .output()
        .expect("tunfarm runs")
        .into();
    assert!(ended.status < 2, "{}", ended.stderr);
    let written = std::fs::read_to_string(dir.path().join("out/validate.md")).expect("written");
    assert_eq!(written, ended.stdout, "what is printed is what is written");
    (ended.status, steady(&ended.stdout))
}

/// Releases, line numbers and the kernel's own lines out of the text.
fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut source = false;
    for line in text.split_inclusive('\n') {
        if let Some((before, _line)) = line.split_once("the source has, from line ") {
            out.push_str(&format!("{before}the source has, from line LINE:\n"));
            source = true;
        } else if source && !line.trim_start().starts_with("```") {
            out.push_str("         SOURCE\n");
        } else {
            source = false;
            out.push_str(&steady_line(line));
        }
    }
    out
}

fn steady_line(line: &str) -> String {
    let mut out = String::new();
    for word in line.split_inclusive(|c: char| c.is_whitespace()) {
        let bare = word.trim_matches(|c: char| c.is_whitespace() || "`:(),".contains(c));
        if bare.ends_with("-amd64") {
            out.push_str(&word.replace(bare, "KERNEL"));
        } else if let Some((file, _line)) = bare.split_once(".c:") {
            out.push_str(&word.replace(bare, &format!("{file}.c:LINE")));
        } else {
            out.push_str(word);
        }
    }
    out
}

const ONE: [&str; 4] = ["--kernel", KERNEL, "--scenario", "closing"];

#[test]
fn a_fix_is_a_fix_on_every_kernel() {
    let (status, answer) = validate(
        "restore-orphan.patch",
        &[
            "--base",
            "edit:no-orphan",
            "--expect-fix",
            "--scenario",
            "closing",
        ],
    );
    insta::assert_snapshot!("fixes", answer);
    assert_eq!(status, 0);
}

#[test]
fn no_fix_where_one_was_expected() {
    let (status, answer) = validate(
        "breaks.patch",
        &[&ONE[..], &["--base", "edit:no-orphan", "--expect-fix"]].concat(),
    );
    assert_eq!(status, 1, "{answer}");
}

#[test]
fn what_breaks_is_shown_with_both_captures() {
    let (status, answer) = validate("breaks.patch", &ONE);
    // Times on the script's clock are the kernel's; which packets there were is the story.
    for part in [
        "* breaks `KERNEL`: closing/tun",
        "was clean: 9 retransmissions on the wire for 9 time-outs",
        "is  other-failure: the driver lost 13 of the 13 packets that the stack gave it",
        "│ patch-breaks",
    ] {
        assert!(answer.contains(part), "{part} is not in\n{answer}");
    }
    assert_eq!(status, 1);
}

#[test]
fn what_does_not_apply_says_which_hunk_and_where() {
    let (status, answer) = validate("does-not-apply.patch", &ONE);
    insta::assert_snapshot!("does-not-apply", answer);
    assert_eq!(status, 1);
}

#[test]
fn what_does_not_build_says_the_compilers_first_error() {
    let (status, answer) = validate(
        "does-not-build.patch",
        &[&ONE[..], &["--base", "edit:no-orphan"]].concat(),
    );
    insta::assert_snapshot!("does-not-build", answer);
    assert_eq!(status, 1);
}
