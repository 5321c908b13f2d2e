//! A search over commits of a real kernel source: some that do not build, one that does not boot,
//! and one that loses the orphan call; killed in a build and in a run, it goes on.

mod common;
#[path = "common/source.rs"]
mod source;

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use common::{Ended, tunfarm};
use source::{Change, Repository, edited, edited_by, git};
use tunfarm_drivers::edit::Files;

const COMMITS: usize = 68;
/// Does not boot. git tries the one in the middle first.
const NO_BOOT: usize = 34;
/// Do not build.
const BROKEN: [usize; 2] = [35, 36];
/// From here on only the driver changes …
const DRIVER_ALONE: usize = 38;
/// … and in this one it loses the call.
const CULPRIT: usize = 43;
const CULPRITS_SUBJECT: &str = "tun: queue packets as they come";
/// The last that changes the driver alone.
const DRIVER_ALONE_UNTIL: usize = 48;

const TUN: &str = "drivers/net/tun.c";
const MAIN: &str = "init/main.c";
const TCP: [&str; 3] = [
    "net/ipv4/tcp_output.c",
    "net/ipv4/tcp_timer.c",
    "net/ipv4/tcp_input.c",
];

const PANIC: &str = "
about: the kernel's start ends in a panic
shows: a commit that does not boot
is_bug: false
expect: other-failure
edits:
  - file: init/main.c
    function: kernel_init_freeable
    before: do_basic_setup
    insert: |
      panic(\"this revision does not boot\");
";

/// The history, oldest first; commit number `n` is at `n - 1`.
fn history(repository: &Repository) -> Vec<Change> {
    let mut paths = TCP.to_vec();
    paths.extend([TUN, MAIN]);
    let mut files = repository.files(&paths);
    let main = files[Path::new(MAIN)].clone();
    let mut changes = Vec::new();
    for n in 1..=COMMITS {
        let before = files.clone();
        let subject = match n {
            NO_BOOT => {
                files = edited_by(&files, PANIC);
                "init: look twice before going on".to_owned()
            }
            _ if n == BROKEN[0] => {
                files.insert(MAIN.into(), main.clone());
                append(
                    &mut files,
                    TUN,
                    "int tun_seen(void) { return tun_count; }\n",
                );
                "tun: count packets".to_owned()
            }
            _ if n == BROKEN[1] + 1 => {
                drop_end(
                    &mut files,
                    TUN,
                    "int tun_seen(void) { return tun_count; }\n",
                );
                "tun: do not count packets".to_owned()
            }
            CULPRIT => {
                files = edited(&files, "no-orphan");
                CULPRITS_SUBJECT.to_owned()
            }
            DRIVER_ALONE..=DRIVER_ALONE_UNTIL => revise(&mut files, TUN, n),
            _ => revise(&mut files, TCP[n % TCP.len()], n),
        };
        files_differ(&before, &files);
        let changed = files.iter().filter(|(path, text)| before[*path] != **text);
        changes.push(Change {
            subject,
            files: changed.map(|(p, t)| (p.clone(), t.clone())).collect(),
        });
    }
    changes
}

/// A change that is in the object and does nothing.
fn revise(files: &mut Files, path: &str, n: usize) -> String {
    let name = path
        .rsplit('/')
        .next()
        .expect("a name")
        .trim_end_matches(".c");
    append(
        files,
        path,
        &format!("const int {name}_revision_{n} = {n};\n"),
    );
    format!("{name}: revision {n}")
}

fn append(files: &mut Files, path: &str, code: &str) {
    files
        .get_mut(Path::new(path))
        .expect("a file")
        .push_str(code);
}

fn drop_end(files: &mut Files, path: &str, code: &str) {
    let text = files.get_mut(Path::new(path)).expect("a file");
    *text = text.strip_suffix(code).expect("its end").to_owned();
}

fn files_differ(before: &Files, after: &Files) {
    assert!(before != after, "a commit without a change");
}

/// A search in a folder of its own.
struct Search {
    dir: tempfile::TempDir,
    begin: Vec<String>,
}

impl Search {
    fn of(repository: &Repository, new: &str) -> Search {
        let tree = repository.dir.to_str().expect("a plain path");
        let begin = [
            "bisect",
            "--git",
            tree,
            "--good",
            source::BASE,
            "--bad",
            new,
            "--scenario",
            "closing",
            "--out",
            "out",
        ];
        Search {
            dir: tempfile::tempdir_in(repository.beside("searches")).expect("a folder"),
            begin: begin.map(str::to_owned).to_vec(),
        }
    }

    fn command(&self, typed: &[&str]) -> std::process::Command {
        let mut command = tunfarm(typed);
        command.current_dir(self.dir.path());
        command
    }

    fn begin(&self) -> std::process::Command {
        let typed: Vec<&str> = self.begin.iter().map(String::as_str).collect();
        self.command(&typed)
    }

    fn go_on(&self) -> std::process::Command {
        self.command(&["bisect", "--out", "out"])
    }

    fn has(&self, path: &str) -> bool {
        self.dir.path().join("out").join(path).exists()
    }

    /// Kills `command` as soon as the search has `path`.
    fn killed_at(&self, mut command: std::process::Command, path: &str) {
        let mut child = command.spawn().expect("tunfarm starts");
        wait_for(&mut child, || self.has(path));
        child.kill().expect("SIGKILL");
        child.wait().expect("a child");
    }
}

/// Waits until something is so; the bound is for a search that hangs.
fn wait_for(child: &mut Child, so: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(3600);
    while !so() {
        assert!(Instant::now() < patience, "it was never so");
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended too early: {ended:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The commits a search tried, in order; one that was begun again after a kill is there once.
fn tried(said: &str) -> Vec<String> {
    let steps = said.lines().filter_map(|line| line.strip_prefix("step "));
    let ids = steps.map(|step| step.split(' ').nth(1).expect("a commit").to_owned());
    let mut ids: Vec<String> = ids.collect();
    ids.dedup();
    ids
}

/// The commits git itself tries, told at once what each of them is: what a search does that nobody
/// disturbs, after it has looked at both ends.
fn undisturbed(repository: &Repository, commits: &[String]) -> Vec<String> {
    let git = |typed: &[&str]| git(&repository.dir, typed);
    git(&[
        "bisect",
        "start",
        "--no-checkout",
        &commits[COMMITS - 1],
        source::BASE,
    ]);
    let base = git(&["rev-parse", source::BASE]);
    let mut ids = vec![base, commits[COMMITS - 1].clone()];
    loop {
        let id = git(&["rev-parse", "BISECT_HEAD"]).trim().to_owned();
        let n = 1 + commits.iter().position(|c| *c == id).expect("a commit");
        let is = match n {
            _ if n == NO_BOOT || BROKEN.contains(&n) => "skip",
            CULPRIT.. => "bad",
            _ => "good",
        };
        ids.push(id);
        if git(&["bisect", is]).contains("is the first bad commit") {
            break;
        }
        assert!(ids.len() < COMMITS, "git does not come to an end");
    }
    git(&["bisect", "reset"]);
    ids.iter().map(|id| id[..12].to_owned()).collect()
}

/// The history as commits, and the way git goes through it, which meets one that does not build.
/// Where two commits halve the rest equally well git takes the one with the lesser name, and the
/// names depend on the source's version; so the date is moved by seconds until the way is such.
fn met(repository: &Repository, history: &[Change]) -> (Vec<String>, Vec<String>) {
    for second in 0..60 {
        let commits = repository.grow("bisected", history, second);
        assert_eq!(commits.len(), COMMITS);
        let way = undisturbed(repository, &commits);
        let on_it = |n: usize| way.iter().any(|id| commits[n - 1].starts_with(id));
        if on_it(NO_BOOT) && BROKEN.into_iter().any(on_it) {
            return (commits, way);
        }
    }
    panic!("git meets none that does not build");
}

#[test]
fn a_search_that_was_killed_twice_finds_the_commit() {
    let repository = Repository::of_package();
    let (commits, undisturbed) = met(&repository, &history(&repository));
    let search = Search::of(&repository, &commits[COMMITS - 1]);

    search.killed_at(search.begin(), "build/net/core/dev.o");
    let kernel = "build/arch/x86/boot/bzImage";
    assert!(!search.has(kernel), "the build was over");
    search.killed_at(search.go_on(), "steps/02/cells");
    assert!(!search.has("steps/02/results.json"), "the run was over");

    let ended = Ended::from(search.go_on().output().expect("tunfarm runs"));
    eprintln!("{}\n{}", ended.stderr, ended.stdout);
    assert_eq!(ended.status, 0);
    assert!(ended.stderr.contains("going on after 1 step\n"));
    assert_eq!(tried(&ended.stderr), undisturbed[1..]);
    let culprit = &commits[CULPRIT - 1];
    assert_eq!(
        ended.stdout.lines().take(4).collect::<Vec<_>>(),
        [
            &format!("{culprit} is the first bad commit"),
            "Test <test@example.org>",
            "2026-05-28",
            CULPRITS_SUBJECT
        ]
    );
    let mut skipped = 0;
    for n in [NO_BOOT, BROKEN[0], BROKEN[1]] {
        let id = &commits[n - 1][..12];
        if !undisturbed.iter().any(|tried| tried == id) {
            continue;
        }
        skipped += 1;
        let mut lines = ended.stderr.lines().skip_while(|l| !l.contains(id));
        let line = lines.find(|line| line.contains(" built in "));
        let line = line.unwrap_or_else(|| panic!("{id} has no answer"));
        let why = match n {
            NO_BOOT => "does not boot",
            _ => "does not build: ",
        };
        assert!(line.contains("skip (") && line.contains(why), "{line}");
    }
    let tried = undisturbed.len();
    let counts = format!("{tried} commits tried, {skipped} of them skipped");
    assert!(ended.stdout.contains(&counts), "not {counts}");
    assert!(
        ended.stderr.contains(", module built in "),
        "the driver alone was never built"
    );
    assert!(
        ended.stdout.contains("≠ verdict"),
        "the neighbours are not side by side"
    );
}
