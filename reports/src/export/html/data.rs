//! What the report's script draws a cell from, as JSON.

use std::collections::HashMap;

use serde::Serialize;

use crate::Report;
use crate::export::ExportError;
use crate::model::{CellId, CellResult, Plot, WitnessSays};
use crate::overview::Overview;
use crate::story;
use crate::text::{one_line, printable};
use crate::timer::{Expiry, expiries};

/// Bounds of what one cell may put into the report; the files have all of it.
const PACKETS: usize = 120;
const MARKS: usize = 300;
const LEVELS: usize = 600;
const SS_BYTES: usize = 1500;
const CONSOLE_BYTES: usize = 1000;

#[derive(Serialize)]
struct Cell<'a> {
    name: String,
    lane_title: String,
    status: &'static str,
    remark: Option<String>,
    mechanism: Option<&'static str>,
    standing: Option<String>,
    earlier: Option<String>,
    witnesses: Vec<Witness<'a>>,
    failure: Option<Failure>,
    findings: Vec<Finding>,
    control: Option<usize>,
    command: String,
    folder: String,
    files: Vec<String>,
    ss: Option<String>,
    console: Option<String>,
    time: Option<String>,
    plot: PlotData,
}

#[derive(Serialize)]
struct Witness<'a> {
    witness: String,
    says: &'a WitnessSays,
    reading: String,
}

#[derive(Serialize)]
struct Failure {
    line: u32,
    summary: String,
    mismatches: Vec<Mismatch>,
    detail: String,
}

#[derive(Serialize)]
struct Mismatch {
    field: String,
    expected: String,
    actual: String,
}

#[derive(Serialize)]
struct Finding {
    kind: &'static str,
    headline: String,
    frames: Vec<String>,
}

#[derive(Serialize)]
struct PlotData {
    timeouts: Vec<f64>,
    expiries: Vec<Drawn>,
    fins: Vec<f64>,
    retransmissions: Vec<f64>,
    wmem_alloc: Vec<(f64, u32)>,
    states: Vec<(f64, String)>,
    rto_ms: Vec<(f64, f64)>,
    packets: Vec<(f64, bool, String)>,
    left_out: Option<LeftOut>,
}

/// An expiry with its words.
#[derive(Serialize)]
struct Drawn {
    #[serde(flatten)]
    expiry: Expiry,
    words: &'static str,
}

/// Packets in the middle that the diagram does not show.
#[derive(Serialize)]
struct LeftOut {
    count: usize,
    from: f64,
    to: f64,
}

/// The cells of a run as a JSON array that may stand within a `<script>` element.
pub fn json(report: &Report<'_>) -> Result<String, ExportError> {
    let index: HashMap<&CellId, usize> = report
        .run
        .cells
        .iter()
        .enumerate()
        .map(|(n, cell)| (&cell.id, n))
        .collect();
    let cells: Vec<Cell<'_>> = report
        .run
        .cells
        .iter()
        .enumerate()
        .map(|(n, cell)| data(report, n, cell, &index))
        .collect();
    let json = serde_json::to_string(&cells)
        .map_err(|e| ExportError(format!("the cells do not serialise: {e}")))?;
    // Neither `</script>` nor `<!--` may come; in JSON `<` stands in strings only.
    Ok(json.replace('<', "\\u003c"))
}

fn data<'a>(
    report: &Report<'_>,
    n: usize,
    cell: &'a CellResult,
    index: &HashMap<&CellId, usize>,
) -> Cell<'a> {
    let ran = cell.timings.total_ms > 0.0;
    Cell {
        name: one_line(&cell.id.to_string()),
        lane_title: one_line(&match cell.id.driver.as_str() {
            CellId::NO_DRIVER => format!("{} (the control)", cell.id.lane()),
            driver => format!(
                "{}, driver {}",
                cell.id.lane(),
                Overview::driver_heading(driver)
            ),
        }),
        status: cell.status.word(),
        remark: story::remark(cell),
        mechanism: cell.mechanism.map(|m| m.phrase()),
        standing: report
            .past
            .and_then(|past| past.standings.get(n)?.phrase())
            .map(|phrase| one_line(&phrase)),
        earlier: (!cell.earlier.is_empty()).then(|| story::words(&cell.earlier, ", ")),
        witnesses: cell.witnesses.iter().map(witness).collect(),
        failure: cell.failure.as_ref().map(failure),
        findings: cell
            .findings
            .iter()
            .take(20)
            .map(|finding| Finding {
                kind: story::finding_word(finding.kind),
                headline: one_line(&finding.headline),
                frames: finding
                    .frames
                    .iter()
                    .take(30)
                    .map(|f| one_line(f))
                    .collect(),
            })
            .collect(),
        control: cell.control.as_ref().and_then(|id| index.get(id).copied()),
        command: one_line(&cell.command),
        folder: cell.id.folder().display().to_string(),
        files: report.attachments(&cell.id),
        ss: text(report, cell, "ss.txt", SS_BYTES),
        console: text(report, cell, "console.log", CONSOLE_BYTES),
        time: ran.then(|| {
            format!(
                "{:.0} s of the guest’s clock in {:.2} s",
                cell.virtual_s,
                cell.timings.total_ms / 1000.0
            )
        }),
        plot: plot(&cell.plot),
    }
}

fn text(report: &Report<'_>, cell: &CellResult, name: &str, limit: usize) -> Option<String> {
    let text = report.evidence(&cell.id, name, limit)?;
    (!text.trim().is_empty()).then(|| printable(&text).into_owned())
}

fn witness(reading: &crate::model::WitnessReading) -> Witness<'_> {
    Witness {
        witness: one_line(&reading.witness),
        says: &reading.says,
        reading: one_line(&reading.reading),
    }
}

fn failure(failure: &tunfarm_protocol::Failure) -> Failure {
    Failure {
        line: failure.line,
        summary: one_line(&failure.summary),
        mismatches: failure
            .mismatches
            .iter()
            .take(50)
            .map(|m| Mismatch {
                field: one_line(&m.field),
                expected: one_line(&m.expected),
                actual: one_line(&m.actual),
            })
            .collect(),
        detail: crate::text::bounded(&printable(&failure.detail), 8192, "results.json").into(),
    }
}

/// A plot with bounded lists of finite numbers.
fn plot(plot: &Plot) -> PlotData {
    let marks = |times: &[f64]| -> Vec<f64> {
        let finite = times.iter().copied().filter(|t| t.is_finite());
        finite.take(MARKS).collect()
    };
    let packets: Vec<(f64, bool, String)> = plot
        .packets
        .iter()
        .filter(|(t, ..)| t.is_finite())
        .map(|(t, out, text)| (*t, *out, one_line(text)))
        .collect();
    let (packets, left_out) = both_ends(packets);
    PlotData {
        timeouts: marks(&plot.timeouts),
        expiries: expiries(plot)
            .into_iter()
            .take(MARKS)
            .map(|expiry| Drawn {
                expiry,
                words: expiry.came.words(),
            })
            .collect(),
        fins: marks(&plot.fins),
        retransmissions: marks(&plot.retransmissions),
        wmem_alloc: levels(&plot.wmem_alloc),
        states: plot
            .states
            .iter()
            .filter(|(t, _)| t.is_finite())
            .take(MARKS)
            .map(|(t, state)| (*t, one_line(state)))
            .collect(),
        rto_ms: plot
            .rto_ms
            .iter()
            .copied()
            .filter(|(t, ms)| t.is_finite() && ms.is_finite())
            .take(MARKS)
            .collect(),
        packets,
        left_out,
    }
}

/// The first and the last packets: how the connection began and how it ended.
fn both_ends(mut packets: Vec<(f64, bool, String)>) -> (Vec<(f64, bool, String)>, Option<LeftOut>) {
    if packets.len() <= PACKETS {
        return (packets, None);
    }
    let (from, to) = (PACKETS / 2, packets.len() - PACKETS / 2);
    let left_out = LeftOut {
        count: to - from,
        from: packets[from].0,
        to: packets[to - 1].0,
    };
    packets.drain(from..to);
    (packets, Some(left_out))
}

/// Levels thinned out so that each bucket keeps its highest and its last: a peak is never lost.
fn levels(levels: &[(f64, u32)]) -> Vec<(f64, u32)> {
    let finite: Vec<(f64, u32)> = levels
        .iter()
        .copied()
        .filter(|(t, _)| t.is_finite())
        .collect();
    if finite.len() <= LEVELS {
        return finite;
    }
    let mut out = Vec::with_capacity(LEVELS);
    for bucket in finite.chunks(finite.len().div_ceil(LEVELS / 2)) {
        let highest = bucket.iter().max_by_key(|(_, level)| *level);
        for point in [highest, bucket.last()].into_iter().flatten() {
            if out.last() != Some(point) {
                out.push(*point);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_trace_keeps_its_ends_and_its_peak() {
        let packets: Vec<_> = (0..1000)
            .map(|n| (f64::from(n), true, n.to_string()))
            .collect();
        let (kept, left_out) = both_ends(packets);
        let left_out = left_out.unwrap();
        assert_eq!((kept.len(), left_out.count), (PACKETS, 1000 - PACKETS));
        assert_eq!(
            (kept[59].0, left_out.from, left_out.to, kept[60].0),
            (59.0, 60.0, 939.0, 940.0)
        );

        let mut wave: Vec<(f64, u32)> = (0..10_000).map(|n| (f64::from(n), n as u32 % 7)).collect();
        wave[5003].1 = 99;
        let thin = levels(&wave);
        assert!(thin.len() <= LEVELS && thin.contains(&(5003.0, 99)));
        assert_eq!(thin.last(), wave.last());
        assert!(thin.windows(2).all(|w| w[0].0 <= w[1].0));
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let bad = Plot {
            timeouts: vec![f64::NAN, 1.0, f64::INFINITY],
            ..Plot::default()
        };
        assert_eq!(plot(&bad).timeouts, [1.0]);
    }
}
