//! What is told about patches that fit, nearly fit, and do not.

use std::path::Path;

use super::{PatchRefused, apply, parse};
use crate::edit::Files;

const SOURCE: &str = include_str!("../../tests/data/tun-small.c");

fn files() -> Files {
    Files::from([("drivers/net/tun.c".into(), SOURCE.to_owned())])
}

fn run(patch: &str) -> Result<super::Applied, PatchRefused> {
    let scratch = tempfile::tempdir().unwrap();
    apply(
        Path::new("x.patch"),
        &parse(patch),
        &files(),
        scratch.path(),
    )
}

fn diff(file: &str, hunk: &str) -> String {
    format!("--- a/{file}\n+++ b/{file}\n{hunk}")
}

const FITS: &str = "@@ -20,5 +20,4 @@\n \tskb_tx_timestamp(skb);\n \n-\tskb_orphan(skb);\n \n \
                    \tnf_reset_ct(skb);\n";

#[test]
fn a_patch_that_fits_elsewhere_is_applied() {
    let applied = run(&diff("drivers/net/tun.c", FITS)).unwrap();
    assert!(!applied.files[Path::new("drivers/net/tun.c")].contains("\tskb_orphan(skb);"));
    assert_eq!(applied.notes, [""; 0]);
}

#[test]
fn fuzz_is_told() {
    let hunk = FITS.replace("skb_tx_timestamp(skb)", "something_else(skb)");
    let applied = run(&diff("drivers/net/tun.c", &hunk)).unwrap();
    insta::assert_snapshot!(applied.notes.join("\n"));
}

#[test]
fn a_hunk_that_does_not_fit_is_shown_beside_the_source() {
    let hunk = "@@ -20,5 +20,4 @@\n \tskb_tx_timestamp(skb);\n \n-\tskb_orphan(skb, 1);\n \n \
                \tnf_reset_ct(skb);\n";
    let error = run(&diff("drivers/net/tun.c", hunk)).unwrap_err();
    insta::assert_snapshot!(error.to_string());
}

#[test]
fn a_change_that_is_there_already_is_told() {
    let hunk = "@@ -14,4 +14,5 @@\n \tskb_tx_timestamp(skb);\n \n+\tskb_orphan(skb);\n \n \
                \tnf_reset_ct(skb);\n";
    let error = run(&diff("drivers/net/tun.c", hunk)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.patch: drivers/net/tun.c already has this change"
    );
}

#[test]
fn other_files_are_left_out_and_named() {
    let both =
        diff("drivers/vhost/net.c", "@@ -1 +1 @@\n-a\n+b\n") + &diff("drivers/net/tun.c", FITS);
    let applied = run(&both).unwrap();
    assert_eq!(
        applied.notes,
        ["x.patch also changes drivers/vhost/net.c, which is no part of the tun module: left out"]
    );
    let error = run(&diff("drivers/vhost/net.c", "@@ -1 +1 @@\n-a\n+b\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.patch changes nothing of tun: it changes drivers/vhost/net.c"
    );
    assert_eq!(
        run("hello\n").unwrap_err().to_string(),
        "x.patch holds no unified diff"
    );
}

#[test]
fn a_header_that_is_not_there_is_refused_and_a_new_file_made() {
    let error = run(&diff("include/linux/nothing.h", "@@ -1 +1 @@\n-a\n+b\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.patch: this kernel has no include/linux/nothing.h"
    );
    let new = "--- /dev/null\n+++ b/drivers/net/tun_x.h\n@@ -0,0 +1,1 @@\n+int x;\n";
    let applied = run(new).unwrap();
    assert_eq!(applied.files[Path::new("drivers/net/tun_x.h")], "int x;\n");
}
