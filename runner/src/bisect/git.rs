//! `git bisect` in a worktree of its own.
//!
//! git chooses the commits. It is asked anew whenever that is needed: every answer so far is told
//! it again, which takes no checkout (`--no-checkout`), so that there is no state of git's that
//! an interruption could leave half made.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use tunfarm_bisect::{Answer, Terms};

/// A commit, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its whole name.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// When, `2026-01-31`.
    pub date: String,
    /// The first line of its message.
    pub subject: String,
}

impl Commit {
    /// `0123456789ab ("subject")`, as the kernel's own messages name commits.
    pub fn short(&self) -> String {
        format!(
            "{} (\"{}\")",
            &self.id[..self.id.len().min(12)],
            self.subject
        )
    }
}

/// What git says after the answers so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try this one.
    Try {
        /// Its name.
        id: String,
        /// git's own words about what is left.
        left: String,
    },
    /// This is the first new one.
    Found(String),
    /// One of these is, and the others cannot be tried.
    Range(Vec<String>),
}

/// Why git does not help.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It cannot be run.
    #[error("cannot run git: {0}; install it")]
    Start(std::io::Error),
    /// It refuses.
    #[error("git {what} in {} failed: {said}", dir.display())]
    Refused {
        /// What was asked of it.
        what: String,
        /// Where.
        dir: PathBuf,
        /// Its words.
        said: String,
    },
    /// The worktree's lock.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What it says is not understood.
    #[error("git bisect said something that is not understood: {0}")]
    Words(String),
}

/// A worktree of a repository, for one search.
#[derive(Clone, Debug)]
pub struct Worktree {
    dir: PathBuf,
}

impl Worktree {
    /// The worktree in `dir` of the repository `tree`; made, without any file yet, if it is not
    /// there.
    pub fn open(tree: &Path, dir: &Path, rev: &str) -> Result<Worktree, GitError> {
        if !dir.join(".git").exists() {
            git(tree, ["worktree", "prune"])?;
            let add = ["worktree", "add", "--detach", "--no-checkout", "--force"].map(OsStr::new);
            git(
                tree,
                add.into_iter().chain([dir.as_os_str(), OsStr::new(rev)]),
            )?;
        }
        Ok(Worktree {
            dir: dir.to_owned(),
        })
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes its files those of a commit, whatever a killed checkout has left. Files of nobody's
    /// stay.
    pub fn checkout(&self, id: &str) -> Result<(), GitError> {
        // git holds our lock as its standard input, also where whoever started it was killed. Once
        // we have it, git's own lock in this worktree is one that a killed git has left.
        let path = self.dir.with_extension("lock");
        let lock = File::create(&path).and_then(|lock| lock.lock().map(|()| lock));
        let lock = lock.map_err(|source| GitError::Lock { path, source })?;
        if let Ok(path) = git(&self.dir, ["rev-parse", "--git-path", "index.lock"]) {
            let _ = std::fs::remove_file(self.dir.join(path.trim()));
        }
        let checkout = ["checkout", "--quiet", "--force", "--detach", id];
        match run_with(&self.dir, checkout, lock.into())? {
            (_, true) => Ok(()),
            (said, false) => Err(refused("checkout", &self.dir, said)),
        }
    }

    /// The files that differ between two commits.
    pub fn changed(&self, from: &str, to: &str) -> Result<Vec<String>, GitError> {
        let names = git(
            &self.dir,
            ["diff", "--name-only", "--no-renames", from, to, "--"],
        )?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// What git says after these answers, beginning with the two ends.
    pub fn next(
        &self,
        terms: &Terms,
        new: &str,
        old: &str,
        only: &[String],
        answers: &[(String, Answer)],
    ) -> Result<Next, GitError> {
        // Fails where nothing is being bisected.
        let _ = git(&self.dir, ["bisect", "reset", "HEAD"]);
        let mut start = vec![
            "bisect".to_owned(),
            "start".to_owned(),
            "--no-checkout".to_owned(),
            format!("--term-old={}", terms.old_term()),
            format!("--term-new={}", terms.new_term()),
            new.to_owned(),
            old.to_owned(),
            "--".to_owned(),
        ];
        start.extend(only.iter().cloned());
        let mut said = git(&self.dir, &start)?;
        for (id, answer) in answers {
            let (text, success) = run(&self.dir, ["bisect", answer.word(terms), id])?;
            // Status 2: only skipped ones are left.
            if !success && !text.contains("We cannot bisect more") {
                return Err(refused("bisect", &self.dir, text));
            }
            said = text;
        }
        self.understood(terms, &said)
    }

    fn understood(&self, terms: &Terms, said: &str) -> Result<Next, GitError> {
        let found = format!(" is the first {} commit", terms.new_term());
        if let Some(line) = said.lines().find(|line| line.ends_with(&found)) {
            return Ok(Next::Found(line.trim_end_matches(&found).to_owned()));
        }
        if said.contains("We cannot bisect more") {
            let ids: Vec<String> = said
                .lines()
                .filter(|line| is_id(line))
                .map(str::to_owned)
                .collect();
            return match ids.is_empty() {
                true => Err(GitError::Words(said.to_owned())),
                false => Ok(Next::Range(ids)),
            };
        }
        let left = said.lines().find(|line| line.starts_with("Bisecting:"));
        match (
            left,
            git(&self.dir, ["rev-parse", "--verify", "BISECT_HEAD"]),
        ) {
            (Some(left), Ok(id)) => Ok(Next::Try {
                id: id.trim().to_owned(),
                left: left.trim_start_matches("Bisecting: ").to_owned(),
            }),
            _ => Err(GitError::Words(said.to_owned())),
        }
    }
}

fn is_id(line: &str) -> bool {
    line.len() >= 40 && line.chars().all(|c| c.is_ascii_hexdigit())
}

/// The commit that `rev` means.
pub fn commit(tree: &Path, rev: &str) -> Result<Commit, GitError> {
    let peeled = format!("{rev}^{{commit}}");
    let id = git(
        tree,
        [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &peeled,
        ],
    )
    .map_err(|_| refused("rev-parse", tree, format!("`{rev}` is no commit")))?;
    let format = "--format=%H%n%an <%ae>%n%as%n%s";
    let text = git(tree, ["show", "--no-patch", format, id.trim()])?;
    let mut lines = text.lines().map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    Ok(Commit {
        id: line(),
        author: line(),
        date: line(),
        subject: line(),
    })
}

/// Whether `old` comes before `new`.
pub fn is_ancestor(tree: &Path, old: &str, new: &str) -> Result<bool, GitError> {
    Ok(run(tree, ["merge-base", "--is-ancestor", old, new])?.1)
}

fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
    dir: &Path,
    args: I,
) -> Result<String, GitError> {
    let args: Vec<S> = args.into_iter().collect();
    let what = args
        .first()
        .map(|a| a.as_ref().to_string_lossy().into_owned());
    let (text, success) = run(dir, args)?;
    match success {
        true => Ok(text),
        false => Err(refused(&what.unwrap_or_default(), dir, text)),
    }
}

fn refused(what: &str, dir: &Path, said: String) -> GitError {
    GitError::Refused {
        what: what.to_owned(),
        dir: dir.to_owned(),
        said: said.trim().to_owned(),
    }
}

fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
    dir: &Path,
    args: I,
) -> Result<(String, bool), GitError> {
    run_with(dir, args, Stdio::null())
}

/// Runs git; its output is followed by what it says on standard error where it fails.
fn run_with<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
    dir: &Path,
    args: I,
    input: Stdio,
) -> Result<(String, bool), GitError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        // Words are read, and nobody is there to be asked.
        .args(["-c", "advice.detachedHead=false"])
        .args(args)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(input)
        .output()
        .map_err(GitError::Start)?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    Ok((text, output.status.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository of `n` commits, the newest last.
    fn repository(dir: &Path, n: usize) -> Vec<String> {
        let quiet = |args: &[&str]| git(dir, args).unwrap();
        quiet(&["init", "--quiet"]);
        for (name, value) in [("user.name", "A"), ("user.email", "a@example.org")] {
            quiet(&["config", name, value]);
        }
        (0..n)
            .map(|i| {
                std::fs::write(dir.join("file"), i.to_string()).unwrap();
                quiet(&["add", "file"]);
                quiet(&["commit", "--quiet", "-m", &format!("commit {i}")]);
                quiet(&["rev-parse", "HEAD"]).trim().to_owned()
            })
            .collect()
    }

    fn search(n: usize, culprit: usize, skipped: &[usize]) -> (Next, usize, Vec<String>) {
        let temp = tempfile::tempdir().unwrap();
        let (tree, dir) = (temp.path().join("tree"), temp.path().join("work"));
        std::fs::create_dir(&tree).unwrap();
        let ids = repository(&tree, n);
        let worktree = Worktree::open(&tree, &dir, &ids[0]).unwrap();
        let mut answers = Vec::new();
        loop {
            let terms = Terms::default();
            let next = worktree
                .next(&terms, &ids[n - 1], &ids[0], &[], &answers)
                .unwrap();
            let Next::Try { id, .. } = next else {
                return (next, answers.len(), ids);
            };
            worktree.checkout(&id).unwrap();
            let at: usize = std::fs::read_to_string(dir.join("file"))
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(ids[at], id);
            let answer = match at {
                _ if skipped.contains(&at) => Answer::Skip,
                _ if at < culprit => Answer::Old,
                _ => Answer::New,
            };
            answers.push((id, answer));
        }
    }

    #[test]
    fn the_first_new_commit_is_found_in_a_worktree_of_its_own() {
        let (next, tried, ids) = search(20, 13, &[]);
        assert_eq!(next, Next::Found(ids[13].clone()));
        assert!(tried <= 5, "{tried}");
    }

    #[test]
    fn what_cannot_be_tried_widens_the_answer() {
        let (next, _, ids) = search(9, 5, &[4, 5]);
        let Next::Range(mut range) = next else {
            panic!("{next:?}")
        };
        let mut expected = ids[4..=6].to_vec();
        range.sort();
        expected.sort();
        assert_eq!(range, expected);
    }

    #[test]
    fn a_commit_is_named_with_its_author_and_subject() {
        let temp = tempfile::tempdir().unwrap();
        let ids = repository(temp.path(), 2);
        let found = commit(temp.path(), "HEAD~1").unwrap();
        assert_eq!((&found.id, found.subject.as_str()), (&ids[0], "commit 0"));
        assert_eq!(found.author, "A <a@example.org>");
        assert!(is_ancestor(temp.path(), &ids[0], &ids[1]).unwrap());
        let error = commit(temp.path(), "--all").unwrap_err().to_string();
        assert!(error.ends_with("`--all` is no commit"), "{error}");
    }
}
