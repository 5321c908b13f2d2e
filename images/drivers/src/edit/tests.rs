//! What edits make of a small driver, and what they refuse.

use std::path::Path;

use super::{Edit, EditRefused, Files, apply, shipped};
use crate::diff::unified;

const SOURCE: &str = include_str!("../../tests/data/tun-small.c");

fn files(text: &str) -> Files {
    Files::from([("drivers/net/tun.c".into(), text.to_owned())])
}

/// The edit made of these steps, each `{key: value, …}` in the function `tun_net_xmit`.
fn edit(steps: &[&str]) -> Edit {
    let mut text = "about: a\nshows: b\nis_bug: false\nexpect: clean\nedits:\n".to_owned();
    for step in steps {
        let function = match step.contains("function:") || step.contains("include:") {
            true => "",
            false => "function: tun_net_xmit, ",
        };
        text += &format!("- {{file: drivers/net/tun.c, {function}{step}}}\n");
    }
    Edit::parse(&text, Path::new("test.yaml")).unwrap()
}

fn run(source: &str, steps: &[&str]) -> Result<String, EditRefused> {
    let files = files(source);
    apply(&edit(steps), &files).map(|changed| unified(&files, &changed))
}

fn diff(steps: &[&str]) -> String {
    run(SOURCE, steps).unwrap()
}

fn refusal(steps: &[&str]) -> String {
    run(SOURCE, steps).unwrap_err().refusal.to_string()
}

#[test]
fn each_operation_has_its_diff() {
    let all = [
        ("drop", vec!["drop: skb_orphan"]),
        ("drop a call through a pointer", vec!["drop: sk_data_ready"]),
        (
            "drop the body of an else",
            vec!["function: tun_do_read, drop: consume_skb"],
        ),
        ("move", vec!["move: skb_orphan, after: ptr_ring_produce"]),
        (
            "move up",
            vec!["move: nf_reset_ct, before: skb_orphan_frags_rx"],
        ),
        (
            "replace",
            vec![r#"replace: skb_orphan, with: "if (a)\n\tb(skb);\n""#],
        ),
        (
            "replace the body of an else",
            vec!["function: tun_do_read, replace: consume_skb, with: \"a();\\nb();\""],
        ),
        (
            "insert before",
            vec![r#"insert: "a();\nif (b)\n\tc();", before: ptr_ring_produce"#],
        ),
        (
            "insert after",
            vec!["insert: \"a();\", after: skb_orphan_frags_rx"],
        ),
        (
            "include",
            vec!["include: linux/tcp.h", "include: linux/module.h"],
        ),
        (
            "either of two names",
            vec!["insert: \"a();\", before: [__ptr_ring_produce, ptr_ring_produce]"],
        ),
    ];
    let text: String = all
        .iter()
        .map(|(name, steps)| format!("# {name}\n{}\n", diff(steps)))
        .collect();
    insta::assert_snapshot!(text);
}

#[test]
fn what_matches_nothing_or_twice_is_refused() {
    let all = [
        vec!["function: tun_net_xmitt, drop: skb_orphan"],
        vec!["drop: skb_orphaned"],
        vec!["drop: elephant"],
        vec!["drop: skb_orphan_frags_rx"],
        vec!["drop: ptr_ring_produce"],
        vec!["function: tun_do_read, drop: tun_put_user"],
        vec!["function: tun_put, drop: skb_orphan"],
        vec!["insert: \"a();\", before: [skb_orphan, nf_reset_ct]"],
        vec!["unless: skb_orphan, insert: \"a();\", before: nf_reset_ct"],
        vec!["move: skb_orphan, after: skb_queue_tail"],
    ];
    let text: String = all
        .iter()
        .map(|steps| format!("{}: {}\n", steps.join("; "), refusal(steps)))
        .collect();
    insta::assert_snapshot!(text);
}

#[test]
fn two_calls_are_told_with_their_lines() {
    let twice = SOURCE.replace("\tnf_reset_ct(skb);\n", "\tskb_orphan(skb);\n");
    let error = run(&twice, &["drop: skb_orphan"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "edit `test`, step 1, in drivers/net/tun.c: `tun_net_xmit` calls `skb_orphan` 2 times, \
         on lines 16, 18"
    );
}

#[test]
fn a_call_in_the_branch_not_read_makes_it_twice() {
    let both = SOURCE.replace(
        "\tskb_orphan(skb);\n",
        "#ifdef A\n\tskb_orphan(skb);\n#else\n\tskb_orphan(skb);\n#endif\n",
    );
    let error = run(&both, &["drop: skb_orphan"]).unwrap_err();
    assert!(
        error.to_string().contains("2 times, on lines 17, 19"),
        "{error}"
    );
}

#[test]
fn a_refused_step_changes_nothing_and_a_missing_file_is_told() {
    let error = run(SOURCE, &["drop: skb_orphan", "drop: skb_orphan"]).unwrap_err();
    assert_eq!(error.step, 2);
    let error = apply(&edit(&["drop: skb_orphan"]), &Files::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("this kernel's driver has no such file")
    );
}

#[test]
fn braces_in_strings_and_comments_are_no_braces() {
    let tricky = SOURCE.replace(
        "\tskb_tx_timestamp(skb);\n",
        "\tpr_debug(\"}} /* skb_orphan(\"); // skb_orphan(skb); }\n\tx = '}';\n",
    );
    assert!(run(&tricky, &["drop: skb_orphan"]).is_ok());
}

#[test]
fn every_shipped_edit_fits_the_small_driver_or_says_why_not() {
    let files = files(SOURCE);
    for edit in shipped().unwrap() {
        let done = apply(&edit, &files);
        match edit.name.as_str() {
            // The small driver orphans already, as every kernel of today does.
            "orphan" => assert!(
                done.unwrap_err()
                    .to_string()
                    .contains("already calls `skb_orphan`"),
            ),
            _ => assert_ne!(done.unwrap(), files, "{}", edit.name),
        }
    }
}
