//! Unified diffs of what a driver changes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use similar::TextDiff;

/// The unified diff between two versions of a driver's source, with `a/` and `b/` names.
pub fn unified(old: &BTreeMap<PathBuf, String>, new: &BTreeMap<PathBuf, String>) -> String {
    let mut out = String::new();
    let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let text = |files: &BTreeMap<PathBuf, String>| files.get(name).cloned().unwrap_or_default();
        let (before, after) = (text(old), text(new));
        if before == after {
            continue;
        }
        let side = |files: &BTreeMap<PathBuf, String>, letter| match files.contains_key(name) {
            true => format!("{letter}/{}", name.display()),
            false => "/dev/null".to_owned(),
        };
        let diff = TextDiff::from_lines(&before, &after);
        out.push_str(
            &diff
                .unified_diff()
                .context_radius(3)
                .header(&side(old, 'a'), &side(new, 'b'))
                .to_string(),
        );
    }
    out
}
