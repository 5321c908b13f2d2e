//! A cell's story on the terminal: `tunfarm show CELL`.

use std::fmt::Write;

use super::Style;
use crate::Report;
use crate::model::{CellId, CellResult, Plot};
use crate::story::{self, story};
use crate::text::{one_line, printable, shortened};
use crate::timer::{Expiry, expiries};

/// Packets shown before some in the middle are left out.
const PACKETS: usize = 60;

/// A state counts from this many seconds before it was sampled: the sampler looks after packets.
const SAMPLED: f64 = 0.005;

/// Bytes of `ss.txt` shown from each end.
const SS_BYTES: usize = 2000;

/// Finds the cells a person means by `words`: a whole cell name, or pieces of one
/// (`6.12 no-orphan closing`), each of which must be in it.
pub fn find<'a>(report: &Report<'a>, words: &str) -> Vec<&'a CellResult> {
    let cells = &report.run.cells;
    if let Ok(id) = words.parse::<CellId>()
        && let Some(cell) = cells.iter().find(|c| c.id == id)
    {
        return vec![cell];
    }
    let pieces: Vec<&str> = words.split_whitespace().collect();
    cells
        .iter()
        .filter(|cell| {
            let name = cell.id.to_string();
            pieces.iter().all(|piece| name.contains(piece))
        })
        .collect()
}

/// The story of one cell: verdict, witnesses, packets with the socket's state beside them, timer
/// against wire, `ss`, and where its files are.
pub fn show(report: &Report<'_>, cell: &CellResult, style: Style) -> String {
    let mut out = String::new();
    let name = one_line(&cell.id.to_string());
    let _ = writeln!(
        out,
        "{name}: {}\n",
        style.paint(cell.status, cell.status.word())
    );
    out.push_str(&story(cell));
    if let Some(phrase) = report
        .past
        .and_then(|past| past.standing(&cell.id)?.phrase())
    {
        let _ = writeln!(out, "history: {}", one_line(&phrase));
    }
    if !cell.plot.packets.is_empty() {
        out.push('\n');
        diagram(&mut out, &cell.plot);
    }
    timers(&mut out, report, cell);
    if let Some(ss) = report.evidence(&cell.id, "ss.txt", SS_BYTES) {
        let _ = writeln!(out, "\nss -tinom\n{}", printable(ss.trim_end()));
    }
    let files = report.attachments(&cell.id);
    if !files.is_empty() {
        let folder = report.dir.join(cell.id.folder());
        let _ = writeln!(
            out,
            "\nfiles in {}\n  {}",
            folder.display(),
            files.join("  ")
        );
    }
    out
}

/// One line of the diagram.
enum Line<'a> {
    Packet(bool, &'a str),
    Timer(Expiry),
    LeftOut(usize),
    Gone,
}

/// `  1.032  CLOSING     RTO fires: nothing reaches the wire`.
fn diagram(out: &mut String, plot: &Plot) {
    let mut lines: Vec<(f64, Line<'_>)> = Vec::new();
    let (head, tail) = ends(plot.packets.len());
    for (n, (t, leaves, text)) in plot.packets.iter().enumerate() {
        if n == head && head < tail {
            lines.push((*t, Line::LeftOut(tail - head)));
        }
        if n < head || n >= tail {
            lines.push((*t, Line::Packet(*leaves, text)));
        }
    }
    let between =
        |t: f64| head < tail && plot.packets[head].0 <= t && t <= plot.packets[tail - 1].0;
    lines.extend(
        expiries(plot)
            .into_iter()
            .filter(|expiry| !between(expiry.t))
            .map(|expiry| (expiry.t, Line::Timer(expiry))),
    );
    let gone = plot.states.iter().find(|(_, state)| state == "GONE");
    lines.extend(gone.map(|(t, _)| (*t, Line::Gone)));
    // Stable: at the same time the timer, pushed last, must come before what it sends.
    lines.sort_by(|(a, x), (b, y)| {
        let later = |line: &Line<'_>| !matches!(line, Line::Timer(_));
        a.total_cmp(b).then(later(x).cmp(&later(y)))
    });
    let _ = writeln!(
        out,
        "{:>10}  {:<11} kernel under test      peer",
        "time", "state"
    );
    for (t, line) in lines {
        let state = plot.states.iter().rfind(|(since, _)| *since <= t + SAMPLED);
        let state = state.map_or("", |(_, state)| state.as_str());
        let text = match line {
            Line::Packet(true, text) => format!("──▶ {}", one_line(text)),
            Line::Packet(false, text) => format!("◀── {}", one_line(text)),
            Line::Timer(expiry) => timer(&expiry),
            Line::Gone => "the kernel no longer knows the socket".to_owned(),
            Line::LeftOut(count) => format!("⋮   {count} packets left out, see capture.pcap"),
        };
        let _ = writeln!(
            out,
            "{t:>10.3}  {:<11} {}",
            shortened(&one_line(state), 11),
            shortened(&text, 110)
        );
    }
}

/// How many packets are shown at the beginning, and from which on to the end.
fn ends(count: usize) -> (usize, usize) {
    if count <= PACKETS {
        (count, count)
    } else {
        (PACKETS / 2, count - PACKETS / 2)
    }
}

fn timer(expiry: &Expiry) -> String {
    let rto = expiry.rto_ms.map(|ms| format!(" of {ms:.0} ms"));
    let rto = rto.unwrap_or_default();
    format!("RTO{rto} fires: {}", expiry.came.words())
}

/// One line for the cell and one for its control: timer, wire, memory.
fn timers(out: &mut String, report: &Report<'_>, cell: &CellResult) {
    let control = cell
        .control
        .as_ref()
        .and_then(|id| report.run.cells.iter().find(|c| c.id == *id));
    out.push('\n');
    for cell in [Some(cell), control].into_iter().flatten() {
        let plot = &cell.plot;
        let most = plot.wmem_alloc.iter().map(|(_, level)| *level).max();
        let memory = most.map_or("sk_wmem_alloc not sampled".to_owned(), |most| {
            format!("sk_wmem_alloc at most {most}")
        });
        let _ = writeln!(
            out,
            "{:<16} {} RTO expiries, {} FINs on the wire, {memory}",
            cell.id.lane(),
            plot.timeouts.len(),
            plot.fins.len()
        );
    }
    if control.is_none() && cell.control.is_some() {
        let _ = writeln!(out, "{:<16} the control was not run", "loopback");
    }
    let _ = writeln!(
        out,
        "expected         {}",
        story::words(&cell.expected, " or ")
    );
}
