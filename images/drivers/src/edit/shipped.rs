//! The edits that come with tunfarm.

use std::path::{Path, PathBuf};

use super::description::{Edit, EditError};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Name and text of each shipped edit, in the order of their names.
        pub const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../edits/", $name, ".yaml"))),)*
        ];
    };
}

shipped![
    "corrupt",
    "drop-all",
    "drop-fin",
    "duplicate",
    "leak",
    "no-orphan",
    "orphan",
    "orphan-late",
    "orphan-sometimes",
    "stall",
];

/// All shipped edits.
pub fn shipped() -> Result<Vec<Edit>, EditError> {
    SHIPPED
        .iter()
        .map(|(name, text)| Edit::parse(text, &path_of(name)))
        .collect()
}

/// The edit `name`: a shipped one, or `NAME.yaml` in one of the user's `folders`, which come
/// first.
pub fn find(name: &str, folders: &[PathBuf]) -> Result<(Edit, String), EditError> {
    for folder in folders {
        let path = folder.join(format!("{name}.yaml"));
        if path.is_file() {
            let text = std::fs::read_to_string(&path).map_err(|source| {
                tunfarm_config::ConfigError::Read {
                    path: path.clone(),
                    source,
                }
            })?;
            return Ok((Edit::parse(&text, &path)?, text));
        }
    }
    match SHIPPED.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok((Edit::parse(text, &path_of(name))?, (*text).to_owned())),
        None => Err(EditError::Unknown {
            name: name.to_owned(),
            nearest: tunfarm_config::nearest(name, SHIPPED.iter().map(|(n, _)| *n))
                .map(str::to_owned),
            known: SHIPPED.iter().map(|(n, _)| (*n).to_owned()).collect(),
        }),
    }
}

fn path_of(name: &str) -> PathBuf {
    Path::new("images/drivers/edits").join(format!("{name}.yaml"))
}

#[cfg(test)]
mod tests {
    use super::super::{Expected, IsBug};
    use super::*;

    #[test]
    fn every_shipped_edit_is_well_formed_and_expects_what_it_is() {
        for edit in shipped().unwrap() {
            let expects_bug = edit.expect.contains(&Expected::OrphanBug);
            match edit.is_bug {
                IsBug::Yes => assert_eq!(edit.expect, [Expected::OrphanBug], "{}", edit.name),
                IsBug::UnderCondition => {
                    assert!(expects_bug && edit.expect.len() > 1, "{}", edit.name);
                }
                IsBug::No => assert!(!expects_bug, "{}", edit.name),
            }
            assert!(edit.about.len() < 100, "{}: one short sentence", edit.name);
        }
    }

    #[test]
    fn names_are_sorted_and_an_unknown_one_is_helped() {
        assert!(SHIPPED.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(
            find("no-orphans", &[]).unwrap_err().to_string(),
            "there is no edit `no-orphans`; did you mean `no-orphan`?; known: corrupt, drop-all, \
             drop-fin, duplicate, leak, no-orphan, orphan, orphan-late, orphan-sometimes, stall"
        );
    }

    #[test]
    fn an_edit_of_the_users_folder_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let text = "about: mine\nshows: b\nis_bug: false\nexpect: clean\n\
                    edits: [{file: t.c, function: f, drop: g}]\n";
        std::fs::write(folder.path().join("leak.yaml"), text).unwrap();
        let (edit, _) = find("leak", &[folder.path().to_owned()]).unwrap();
        assert_eq!(edit.about, "mine");
    }
}
