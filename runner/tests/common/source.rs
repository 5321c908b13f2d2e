//! Debian's kernel source as a repository, and commits on top of it.
//!
//! The source is fetched and unpacked once, into the folder that cargo keeps for tests' files, and
//! so are the builds that only compile what changed.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tunfarm_build::{source_package, unpack_source};
use tunfarm_drivers::edit::{Edit, Files, apply, find};
use tunfarm_images::{Archive, ArchiveOptions, Cache};

/// Where the source is from.
const SUITE: &str = "trixie";
const SERIES: &str = "6.12";
/// The commit that is Debian's source as it is.
pub const BASE: &str = "debian";

/// What tests keep from one run to the next, in a folder for each version of the source.
fn kept() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels");
    fs::create_dir_all(&dir).expect("a folder for kernels");
    dir
}

/// A repository with a kernel's source.
pub struct Repository {
    /// Where it is.
    pub dir: PathBuf,
}

/// A commit to be made: its subject and the files it changes.
pub struct Change {
    /// First line of the message.
    pub subject: String,
    /// Files with their new text, by their path in the source.
    pub files: Files,
}

impl Repository {
    /// The newest source package of the series, fetched and unpacked by tunfarm's own means. Its
    /// only commit is [`BASE`].
    pub fn of_package() -> Repository {
        let kept = kept();
        let lock = fs::File::create(kept.join("source.lock")).expect("a lock");
        lock.lock().expect("a lock");
        let cache = Cache::open(&Cache::default_dir()).expect("the cache");
        let archive = Archive::open(&ArchiveOptions::default(), cache, Arc::new(()));
        let archive = archive.expect("an archive");
        let package = source_package(&archive, SUITE, SERIES).expect("a source package");
        let of_version = kept.join(&package.version);
        let dir = of_version.join("linux");
        if !dir.exists() {
            // An older version's source and builds are of no use any more.
            for entry in fs::read_dir(&kept).expect("the folder") {
                let old = entry.expect("an entry").path();
                if old.is_dir() {
                    fs::remove_dir_all(old).expect("it goes");
                }
            }
            fs::create_dir_all(&of_version).expect("a folder");
            let next = of_version.join("next");
            unpack_source(&archive, &package, &next).expect("its source");
            for typed in [
                &["init", "--quiet", "--initial-branch", BASE][..],
                // Nobody else looks into it, and packing it would cost more than it saves.
                &["config", "gc.auto", "0"],
                &["add", "--all", "--force"],
            ] {
                git(&next, typed);
            }
            let mut commit = vec!["-c", "user.name=Debian", "-c", "user.email=a@example.org"];
            let subject = format!("linux {}", package.version);
            commit.extend(["commit", "--quiet", "-m", &subject]);
            git(&next, &commit);
            fs::rename(&next, &dir).expect("the source's folder");
        }
        Repository { dir }
    }

    /// A folder for what is built of this version, kept with its source.
    pub fn beside(&self, name: &str) -> PathBuf {
        let dir = self.dir.with_file_name(name);
        fs::create_dir_all(&dir).expect("a folder");
        dir
    }

    /// A file as a revision has it.
    pub fn file(&self, revision: &str, path: &str) -> String {
        git(&self.dir, &["show", &format!("{revision}:{path}")])
    }

    /// Those files as [`BASE`] has them.
    pub fn files(&self, paths: &[&str]) -> Files {
        let file = |path: &&str| (PathBuf::from(path), self.file(BASE, path));
        paths.iter().map(file).collect()
    }

    /// Makes `branch` a history of these changes on top of [`BASE`]; the commits' names, in order.
    /// The same changes make the same commits, others with each `second`.
    pub fn grow(&self, branch: &str, changes: &[Change], second: u64) -> Vec<String> {
        let mut stream = Vec::new();
        for (n, change) in changes.iter().enumerate() {
            let mark = n + 1;
            let seconds = 1_780_000_000 + 60 * n as u64 + second;
            write!(
                stream,
                "commit refs/heads/{branch}\nmark :{mark}\n\
                 committer Test <test@example.org> {seconds} +0000\ndata {}\n{}\n",
                change.subject.len(),
                change.subject
            )
            .expect("a vector takes it");
            if n == 0 {
                writeln!(stream, "from refs/heads/{BASE}^0").expect("a vector takes it");
            }
            for (path, text) in &change.files {
                writeln!(
                    stream,
                    "M 100644 inline {}\ndata {}\n{text}",
                    path.display(),
                    text.len()
                )
                .expect("a vector takes it");
            }
        }
        let marks = self.dir.join(format!(".git/{branch}.marks"));
        let export = format!("--export-marks={}", marks.display());
        let mut git = Command::new("git")
            .arg("-C")
            .arg(&self.dir)
            .args(["fast-import", "--quiet", "--force", &export])
            .stdin(Stdio::piped())
            .spawn()
            .expect("git starts");
        git.stdin
            .take()
            .expect("its input")
            .write_all(&stream)
            .expect("git reads");
        assert!(git.wait().expect("git ends").success());
        let marks = fs::read_to_string(marks).expect("the commits' names");
        let named: BTreeMap<usize, String> = marks
            .lines()
            .filter_map(|line| line.strip_prefix(':')?.split_once(' '))
            .map(|(mark, id)| (mark.parse().expect("a number"), id.to_owned()))
            .collect();
        named.into_values().collect()
    }
}

/// Files changed by a shipped edit.
pub fn edited(files: &Files, name: &str) -> Files {
    let (edit, _) = find(name, &[]).expect("a shipped edit");
    apply(&edit, files).expect("the edit applies")
}

/// Files changed by an edit of the test's own.
pub fn edited_by(files: &Files, description: &str) -> Files {
    let edit = Edit::parse(description, Path::new("test.yaml")).expect("an edit");
    apply(&edit, files).expect("the edit applies")
}

/// What git says; it has to succeed.
pub fn git(dir: &Path, typed: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(dir).args(typed).output();
    let output = output.expect("git runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {typed:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
