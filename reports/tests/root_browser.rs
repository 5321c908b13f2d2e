//! `report.html` in a real browser says what `results.json` says. Needs Debian's `chromium`.
//!
//! With `TUNFARM_SCREENSHOTS=DIR` it leaves pictures there for people to look at.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::browser::Browser;
use tunfarm_reports::files::write_report;
use tunfarm_reports::model::{CellResult, RunResults, Status};
use tunfarm_reports::{History, Report, fixtures, load};

struct Written {
    dir: tempfile::TempDir,
    run: RunResults,
}

impl Written {
    /// A run with a history, written, and read back from its `results.json`.
    fn new(run: RunResults) -> Written {
        let dir = tempfile::tempdir().unwrap();
        fixtures::lay(&run, dir.path()).unwrap();
        let mut history = History::open(&dir.path().join("history.sqlite")).unwrap();
        for earlier in fixtures::nights(&run) {
            history.record(&earlier).unwrap();
        }
        let past = history.past(&run).unwrap();
        write_report(&Report::new(&run, dir.path()).with_past(&past)).unwrap();
        let run = load(dir.path()).unwrap();
        Written { dir, run }
    }

    fn page(&self) -> PathBuf {
        self.dir.path().join("report.html")
    }

    fn cell(&self, status: Status) -> &CellResult {
        self.run.cells.iter().find(|c| c.status == status).unwrap()
    }
}

/// The page made no request but for itself, and complained about nothing.
fn silent(browser: &Browser) {
    assert_eq!(browser.complaints, Vec::<String>::new());
    for url in &browser.requests {
        let own = url.starts_with("file://") && url.ends_with("/report.html");
        assert!(
            own || url.starts_with("data:") || url == "about:blank",
            "requested {url}"
        );
    }
}

#[test]
fn the_page_says_what_the_results_say() {
    let written = Written::new(fixtures::sample());
    let mut browser = Browser::start();
    browser.look(1280, 900, "light");
    browser.open(&written.page(), "");

    let headline = browser.eval("document.querySelector('.headline').textContent");
    let said = tunfarm_reports::sentence(&written.run, None);
    assert!(
        said.starts_with(headline.as_str().unwrap()),
        "{headline} / {said}"
    );

    let matrix = browser.eval(
        "[...document.querySelectorAll('#matrix tbody tr')].map(tr => \
         [...tr.children].map(td => td.innerText.replace(/\\s+/g, ' ').trim()))",
    );
    assert_eq!(matrix, expected_matrix(&written.run));
    let shown = browser.eval("document.querySelectorAll('details.cell').length");
    assert_eq!(shown, written.run.cells.len());
    assert_eq!(
        browser.eval("document.querySelectorAll('.body section').length"),
        0
    );

    // Every cell opens, by its permalink's id, without a complaint.
    for cell in &written.run.cells {
        let id = serde_json::to_string(&format!("cell={}", cell.id)).unwrap();
        let opened = browser.eval(&format!(
            "(async () => {{ const d = document.getElementById({id}); d.open = true; \
             await new Promise(r => setTimeout(r)); \
             const q = s => d.querySelector(s)?.dataset ?? {{}}; \
             return {{ status: d.dataset.status, why: d.querySelector('.why').textContent, \
               sequence: {{...q('svg.sequence')}}, plot: {{...q('svg.plot')}}, \
               witnesses: d.querySelectorAll('.witnesses tbody tr').length, \
               command: d.querySelector('.command code').textContent, \
               ss: d.textContent.includes('skmem:'), \
               links: [...d.querySelectorAll('.files a')].map(a => a.getAttribute('href')) }}; }})()"
        ));
        check(&written, cell, &opened);
    }
    silent(&browser);
}

fn check(written: &Written, cell: &CellResult, opened: &Value) {
    let id = &cell.id;
    assert_eq!(opened["status"], cell.status.word(), "{id}");
    assert_eq!(opened["why"], cell.reason.as_str(), "{id}");
    assert_eq!(opened["command"], cell.command.as_str(), "{id}");
    assert_eq!(opened["witnesses"], cell.witnesses.len(), "{id}");
    let number = |value: &Value| value.as_str().and_then(|s| s.parse::<usize>().ok());
    let plot = &cell.plot;
    if plot.packets.is_empty() {
        assert!(opened["sequence"]["packets"].is_null());
    } else {
        let (sequence, drawn) = (&opened["sequence"], &opened["plot"]);
        assert_eq!(
            number(&sequence["packets"]),
            Some(plot.packets.len()),
            "{id}"
        );
        assert_eq!(
            number(&sequence["timeouts"]),
            Some(plot.timeouts.len()),
            "{id}"
        );
        let refused = if cell.status == Status::OrphanBug {
            8
        } else {
            0
        };
        assert_eq!(number(&sequence["refused"]), Some(refused), "{id}");
        assert_eq!(number(&drawn["fins"]), Some(plot.fins.len()), "{id}");
        let most = plot.wmem_alloc.iter().map(|(_, level)| *level).max();
        assert_eq!(number(&drawn["wmemMax"]), most.map(|m| m as usize), "{id}");
        let panels = if cell.control.is_some() { 2 } else { 1 };
        assert_eq!(number(&drawn["panels"]), Some(panels), "{id}");
        assert_eq!(opened["ss"], true, "{id}");
    }
    for link in opened["links"].as_array().unwrap() {
        let path = link.as_str().unwrap().replace("%2B", "+");
        assert!(written.dir.path().join(&path).is_file(), "{path}");
    }
}

fn expected_matrix(run: &RunResults) -> Value {
    let overview = tunfarm_reports::overview::Overview::new(run);
    let rows = overview.kernels.iter().map(|kernel| {
        let mut row = vec![(*kernel).to_owned()];
        row.extend(overview.drivers.iter().map(|driver| {
            let Some(square) = overview.square(kernel, driver) else {
                return "not run".to_owned();
            };
            let mark = browser_mark(square.worst());
            let remark = square.remark().map(|r| format!(" {r}")).unwrap_or_default();
            format!("{mark}{}{remark}", square.words())
        }));
        row
    });
    serde_json::to_value(rows.collect::<Vec<_>>()).unwrap()
}

/// The mark before the word; hidden from screen readers, seen by `innerText`.
fn browser_mark(status: Status) -> char {
    match status {
        Status::Clean => '✓',
        Status::Skipped => '–',
        Status::OrphanBug => '✗',
        Status::OtherFailure => '!',
        Status::Inconclusive => '?',
        Status::Infra => '∅',
    }
}

#[test]
fn filters_and_permalinks() {
    let written = Written::new(fixtures::sample());
    let mut browser = Browser::start();
    let bug = written.cell(Status::OrphanBug);
    browser.open(&written.page(), &format!("cell={}", bug.id));
    let open = "[...document.querySelectorAll('details.cell[open]')].map(d => d.id)";
    assert_eq!(
        browser.eval(open),
        serde_json::json!([format!("cell={}", bug.id)])
    );
    assert_eq!(browser.eval("document.activeElement.tagName"), "SUMMARY");

    let shown = "[...document.querySelectorAll('details.cell:not([hidden])')].length";
    let set = |name: &str, value: &str| {
        format!(
            "(() => {{ const f = document.getElementById('filters'); f.elements['{name}'].value = {}; \
             f.dispatchEvent(new Event('input')); return {shown}; }})()",
            serde_json::to_string(value).unwrap()
        )
    };
    let count = |select: &dyn Fn(&CellResult) -> bool| {
        written.run.cells.iter().filter(|c| select(c)).count()
    };
    assert_eq!(
        browser.eval(&set("status", "infra")),
        count(&|c| c.status == Status::Infra)
    );
    assert_eq!(
        browser.eval(&set("status", "unexpected")),
        count(&|c| !c.as_expected())
    );
    assert_eq!(
        browser.eval(&set("driver", "no-orphan")),
        count(&|c| !c.as_expected() && c.id.driver == "no-orphan")
    );
    assert_eq!(browser.eval(&set("text", "no such word")), 0);
    let said = browser.eval("document.getElementById('count').textContent");
    assert_eq!(said, format!("0 of {} cells", written.run.cells.len()));

    // A permalink is followed even to what the filters hide.
    let clean = written.cell(Status::Clean);
    browser.eval(&format!(
        "location.hash = {:?}; 1",
        format!("#cell={}", clean.id)
    ));
    browser.settle();
    assert_eq!(browser.eval(shown), written.run.cells.len());
    silent(&browser);
}

#[test]
fn without_scripts_verdicts_and_reasons_are_there() {
    let written = Written::new(fixtures::sample());
    let mut browser = Browser::start();
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        serde_json::json!({ "value": true }),
    );
    browser.load(&written.page(), "");
    let text = browser.call("DOM.getDocument", serde_json::json!({ "depth": 0 }));
    let root = serde_json::json!({ "nodeId": text["root"]["nodeId"] });
    let html = browser.call("DOM.getOuterHTML", root)["outerHTML"].to_string();
    for cell in &written.run.cells {
        assert!(html.contains(&format!("cell={}", cell.id)), "{}", cell.id);
    }
    assert!(html.contains("9 time-outs, and not one FIN was sent again"));
    silent(&browser);
}

#[test]
fn a_thousand_cells_open_and_stay_whole() {
    let written = Written::new(fixtures::many(1000));
    let mut browser = Browser::start();
    browser.open(&written.page(), "");
    assert_eq!(
        browser.eval("document.querySelectorAll('details.cell').length"),
        1000
    );
    let bug = written.cell(Status::OrphanBug);
    browser.open(&written.page(), &format!("cell={}", bug.id));
    assert_eq!(
        browser.eval("document.querySelector('details[open] svg.sequence').dataset.refused"),
        "8"
    );
    silent(&browser);
}

#[test]
fn noise_is_text() {
    let mut run = fixtures::small();
    for cell in &mut run.cells {
        cell.reason = fixtures::NOISE.into();
        cell.command = fixtures::NOISE.into();
        cell.id.scenario = format!("noisy {}", fixtures::NOISE.replace(['/', '\0'], "|"));
        for (_, _, packet) in &mut cell.plot.packets {
            packet.push_str(fixtures::NOISE);
        }
    }
    run.kernels[0].spec = fixtures::NOISE.into();
    let written = Written::new(run);
    let mut browser = Browser::start();
    browser.open(&written.page(), "");
    browser.eval("document.querySelectorAll('details.cell').forEach(d => { d.open = true; })");
    browser.settle();
    assert_eq!(browser.eval("document.scripts.length"), 2);
    let why = browser.eval("document.querySelector('.why').textContent");
    assert!(why.as_str().unwrap().contains("<script>alert(1)</script>"));
    silent(&browser);
}

#[test]
fn pictures_for_people() {
    let Some(dir) = std::env::var_os("TUNFARM_SCREENSHOTS") else {
        eprintln!("TUNFARM_SCREENSHOTS is not set: no pictures");
        return;
    };
    let written = Written::new(fixtures::sample());
    let mut browser = Browser::start();
    let bug = format!("cell={}", written.cell(Status::OrphanBug).id);
    let failure = format!("cell={}", written.cell(Status::OtherFailure).id);
    for (width, device) in [(1280, "desktop"), (390, "phone")] {
        for scheme in ["light", "dark"] {
            for (what, fragment) in [
                ("top", ""),
                ("trend", "trend"),
                ("bug", &bug),
                ("failure", &failure),
            ] {
                browser.look(width, if width > 600 { 1500 } else { 1800 }, scheme);
                browser.open(&written.page(), fragment);
                let name = format!("{device}-{scheme}-{what}.png.base64");
                std::fs::write(Path::new(&dir).join(name), browser.screenshot()).unwrap();
            }
        }
    }
}
