//! Files of a run: all there, read back, and refused when they are something else.

mod support;

use tunfarm_reports::model::Event;
use tunfarm_reports::{
    Console, Consumer, EventLog, FileError, Reporter, fixtures, load, write_all,
};

#[test]
fn all_files_are_written_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let run = fixtures::sample();
    write_all(&run, dir.path()).unwrap();
    // Again, over the old ones.
    write_all(&run, dir.path()).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "junit.xml",
            "kcidb.json",
            "report.html",
            "report.ktap",
            "results.json",
            "summary.md"
        ]
    );
    assert_eq!(load(dir.path()).unwrap(), run);
    assert_eq!(load(&dir.path().join("results.json")).unwrap(), run);
}

#[test]
fn a_run_without_cells_is_reported_too() {
    let dir = tempfile::tempdir().unwrap();
    let run = fixtures::run(&[], &[], &[], vec![]);
    write_all(&run, dir.path()).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("No cell was run."));
}

#[test]
fn what_is_no_run_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.json");
    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let error = load(dir.path()).unwrap_err();
        (
            error
                .to_string()
                .replace(&path.display().to_string(), "FILE"),
            error,
        )
    };
    let whole = serde_json::to_string(&fixtures::small()).unwrap();

    let (said, error) = refused(&whole[..whole.len() / 2]);
    assert!(matches!(error, FileError::Truncated { .. }), "{said}");
    let (said, error) = refused(&whole.replace("tunfarm-results/1", "tunfarm-results/9"));
    assert!(matches!(error, FileError::Schema { .. }));
    assert_eq!(
        said,
        "FILE has schema tunfarm-results/9, this version reads tunfarm-results/1: use the tunfarm \
         that wrote it (tunfarm 0.1.0)"
    );
    for (text, found) in [
        ("{}", "it names no schema"),
        (r#"{"schema":"other/1"}"#, "its schema is `other/1`"),
        ("<html>", "expected value at line 1 column 1"),
        (
            r#"{"schema":"tunfarm-results/1","tool":"x"}"#,
            "missing field `plan`",
        ),
    ] {
        let (said, error) = refused(text);
        assert!(matches!(error, FileError::Foreign { .. }), "{said}");
        assert!(said.contains(found), "{said}");
    }
    let missing = load(&dir.path().join("nowhere")).unwrap_err();
    assert!(matches!(missing, FileError::Read { .. }));
}

#[test]
fn no_prefix_of_a_run_is_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.json");
    let whole = serde_json::to_vec(&fixtures::small()).unwrap();
    for length in (0..whole.len()).step_by(977) {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(load(&path).is_err(), "{length}");
    }
}

#[test]
fn events_come_line_by_line_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(EventLog::FILE_NAME);
    let mut log = EventLog::open(path.to_str().unwrap()).unwrap();
    let events = support::events(&fixtures::small());
    for (number, event) in events.iter().enumerate() {
        log.take(event).unwrap();
        // Live: each event is in the file as soon as it was taken.
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), number + 1);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let read: Vec<Event> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, events);
}

#[test]
fn events_go_to_an_inherited_descriptor() {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut log = EventLog::open(&writer.as_raw_fd().to_string()).unwrap();
    drop(writer);
    log.take(&Event::Note { text: "x".into() }).unwrap();
    drop(log);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "{\"event\":\"note\",\"text\":\"x\"}\n");
    assert!(EventLog::open("9999").is_err());
}

#[test]
fn the_console_without_a_terminal() {
    let (out, progress) = (support::Shared::default(), support::Shared::default());
    let console = Console::plain(out.clone(), progress.clone(), Some("results/night".into()));
    let mut reporter = Reporter::new().with(console);
    for event in support::events(&fixtures::small()) {
        reporter.event(&event);
    }
    assert!(reporter.lost().is_empty());
    insta::assert_snapshot!("console_progress", progress.text());
    let table = out.text();
    assert!(table.ends_with("reports: results/night\n"), "{table}");
    assert!(!table.contains('\x1b') && !progress.text().contains('\x1b'));
}
