//! The files that a script's commands call: helpers beside it, such as `./defaults.sh`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A longer file is no helper of a script, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// Helpers of one script together, in bytes.
const LARGEST_SUM: usize = 8 << 20;

/// The helpers of `script`, which lies in `folder`, by their path relative to `folder`: every file
/// that it names by a path, and what lies beside such a file, as helpers call one another. Other
/// scripts are none.
pub(super) fn companions(
    script: &str,
    folder: &Path,
) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut folders = BTreeSet::new();
    for named in named_paths(script) {
        let path = folder.join(named);
        if path.is_file()
            && let Some(parent) = Path::new(named).parent()
        {
            folders.insert(parent.to_owned());
        }
    }
    let mut found = BTreeMap::new();
    let mut sum = 0;
    for relative in folders {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder.join(&relative))?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name() else {
                continue;
            };
            let about = std::fs::metadata(&path)?;
            let script = path.extension().is_some_and(|e| e == "pkt");
            if script || !about.is_file() || about.len() > LARGEST_FILE {
                continue;
            }
            let data = std::fs::read(&path)?;
            sum += data.len();
            if sum > LARGEST_SUM {
                return Err(std::io::Error::other(format!(
                    "the files beside its helpers have more than {LARGEST_SUM} bytes"
                )));
            }
            let name = plain(&relative.join(name));
            found.insert(name, data);
        }
    }
    Ok(found)
}

/// Words of the script that are relative paths: `./a.sh`, `../common/b.sh`.
fn named_paths(script: &str) -> impl Iterator<Item = &str> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "./_-+".contains(c);
    script
        .split(move |c| !part_of_path(c))
        .filter(|word| word.starts_with("./") || word.starts_with("../"))
}

/// Lays `script` and its `helpers` out in one folder without `..`: the script's path, and the
/// helpers with theirs. `folder` is where the script lies.
pub(super) fn lay_out(
    script: &str,
    folder: &Path,
    helpers: &BTreeMap<String, Vec<u8>>,
) -> (String, BTreeMap<String, Vec<u8>>) {
    let up = |path: &str| path.split('/').take_while(|part| *part == "..").count();
    let depth = helpers.keys().map(|path| up(path)).max().unwrap_or(0);
    // Names of folders above it are as good as any where they cannot be found out.
    let folder = folder.canonicalize().unwrap_or_default();
    let mut above: Vec<String> = folder
        .components()
        .rev()
        .take(depth)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .filter(|part| part != "/")
        .collect();
    while above.len() < depth {
        above.push(format!("folder-{}", above.len()));
    }
    above.reverse();
    let place = |path: &str| {
        let kept = &above[..depth - up(path)];
        let rest = path.split('/').skip(up(path)).map(str::to_owned);
        kept.iter()
            .cloned()
            .chain(rest)
            .collect::<Vec<_>>()
            .join("/")
    };
    let helpers = helpers
        .iter()
        .map(|(path, data)| (place(path), data.clone()))
        .collect();
    (place(script), helpers)
}

/// The path without `.` parts.
fn plain(path: &Path) -> String {
    let parts = path
        .components()
        .filter(|c| *c != std::path::Component::CurDir);
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_comes_along_with_what_lies_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let tests = dir.path().join("tests");
        std::fs::create_dir_all(&tests).unwrap();
        std::fs::create_dir_all(dir.path().join("common")).unwrap();
        for name in [
            "tests/a.pkt",
            "tests/notes",
            "common/defaults.sh",
            "common/lib.sh",
        ] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let script = "`../common/defaults.sh\n sysctl -q a=1`\n0 > . 1:1(0) ack 1\n";
        let found = companions(script, &tests).unwrap();
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["../common/defaults.sh", "../common/lib.sh"]);
        let (script, files) = lay_out("a.pkt", &tests, &found);
        assert_eq!(script, "tests/a.pkt");
        assert_eq!(
            files.keys().next().map(String::as_str),
            Some("common/defaults.sh")
        );
        assert!(companions("0 `./missing.sh`\n", &tests).unwrap().is_empty());
    }
}
