//! The trend: a bar for each run, its cells by status.

use crate::history::TrendPoint;
use crate::model::Status;

const WIDTH: f64 = 720.0;
const TALL: f64 = 120.0;

/// What the template draws.
pub struct Trend<'a> {
    pub width: f64,
    pub height: f64,
    pub label: String,
    pub first: &'a str,
    pub last: &'a str,
    pub bars: Vec<Bar>,
    pub points: &'a [TrendPoint],
}

/// One piece of a bar.
pub struct Bar {
    pub word: &'static str,
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
    pub title: String,
}

impl<'a> Trend<'a> {
    /// The bars of these runs; `None` when one run is all there is.
    pub fn new(points: &'a [TrendPoint]) -> Option<Trend<'a>> {
        let (first, last) = (points.first()?, points.last()?);
        if points.len() < 2 {
            return None;
        }
        let most = points.iter().map(total).max()?.max(1);
        // Few runs stand at the left, each no wider than a finger.
        let step = (WIDTH / points.len() as f64).min(36.0);
        let mut bars = Vec::new();
        for (n, point) in points.iter().enumerate() {
            let mut y = TALL;
            for status in Status::ALL {
                let count = point.count(status);
                if count == 0 {
                    continue;
                }
                let height = TALL * count as f64 / most as f64;
                y -= height;
                bars.push(Bar {
                    word: status.word(),
                    x: format!("{:.1}", step * n as f64),
                    y: format!("{y:.1}"),
                    width: format!("{step:.1}"),
                    height: format!("{height:.1}"),
                    title: format!("{}: {count} {status}", day(&point.started)),
                });
            }
        }
        Some(Trend {
            width: WIDTH,
            height: TALL + 18.0,
            label: format!(
                "{} runs; unexpected cells: {} at first, {} now",
                points.len(),
                first.unexpected,
                last.unexpected
            ),
            first: day(&first.started),
            last: day(&last.started),
            bars,
            points,
        })
    }
}

fn total(point: &TrendPoint) -> usize {
    point.counts.iter().sum()
}

fn day(started: &str) -> &str {
    started.get(..10).unwrap_or(started)
}
