//! What is wrong, in the words a kernel maintainer would use.

use crate::attention::expected_trouble;
use crate::history::{Past, Standing, Turn};
use crate::model::{CellResult, RunResults, Status};
use crate::overview::{KernelNames, Overview, Square};
use crate::text::counted;

/// How many combinations a sentence names before it says `and N more`.
const NAMED: usize = 4;

/// What a run showed, in a few sentences: used at the top of the HTML report, in the Markdown
/// summary, at the end of the console's output and in mails.
///
/// `2 of 18 combinations have the tun orphan bug: 6.12.95 with no-orphan, 7.3.4 with no-orphan.`
///
/// With a `past`, it ends with what is new and what is fixed: `New since yesterday: none.`
pub fn sentence(run: &RunResults, past: Option<&Past>) -> String {
    sentences(run, past).join(" ")
}

/// [`sentence`], one by one: the first is the headline.
pub fn sentences(run: &RunResults, past: Option<&Past>) -> Vec<String> {
    let overview = Overview::new(run);
    let names = KernelNames::new(run);
    let combinations: Vec<_> = overview.combinations().collect();
    let mut said = Vec::new();

    if run.cells.is_empty() {
        said.push("No cell was run.".to_owned());
    } else if combinations.is_empty() {
        said.push(format!(
            "Only loopback controls were run: {}.",
            clean_of(run)
        ));
    } else if !run.cells.iter().any(looks_for_the_bug) && run.cells.iter().any(|c| judged(c.status))
    {
        said.push(format!(
            "Nothing that ran looks for the tun orphan bug: {}.",
            clean_of(run)
        ));
    } else {
        said.push(the_bug(&combinations, &names));
    }
    said.extend(past.and_then(|past| news(past, &names)));
    said.extend(elsewhere(&overview, &names));
    let surprises: Vec<&CellResult> = run
        .cells
        .iter()
        .filter(|c| c.status == Status::Clean && expected_trouble(c))
        .collect();
    if !surprises.is_empty() {
        let listed = list(surprises.iter().map(|c| cell_name(c, &names)));
        said.push(format!("Expected to fail, but clean now: {listed}."));
    }
    if run.interrupted {
        said.push("The run was interrupted: cells are missing.".to_owned());
    }
    said
}

fn the_bug(combinations: &[(&str, &str, &Square<'_>)], names: &KernelNames) -> String {
    let all = combinations.len();
    let having: Vec<_> = combinations
        .iter()
        .filter(|(_, _, square)| square.count(Status::OrphanBug) > 0)
        .collect();
    let judged = combinations
        .iter()
        .filter(|(_, _, s)| {
            let speaks = |c: &&&CellResult| judged(c.status) && looks_for_the_bug(c);
            s.cells.iter().find(speaks).is_some()
        })
        .count();
    if having.is_empty() {
        return match (judged, all) {
            (0, 1) => "The one combination could not be judged.".to_owned(),
            (0, a) => format!("None of {a} combinations could be judged."),
            (1, 1) => "The one combination does not have the tun orphan bug.".to_owned(),
            (j, a) if j == a => format!("None of {a} combinations has the tun orphan bug."),
            (1, a) => format!(
                "The one combination of {a} that could be judged does not have the tun orphan bug."
            ),
            (j, a) => format!(
                "None of the {j} combinations (of {a}) that could be judged has the tun orphan bug."
            ),
        };
    }
    let verb = if having.len() == 1 { "has" } else { "have" };
    let expected = |square: &Square<'_>| {
        let bug = |c: &&&CellResult| c.status == Status::OrphanBug;
        square.cells.iter().filter(bug).all(|c| c.as_expected())
    };
    let (known, new): (Vec<_>, Vec<_>) = having.iter().partition(|(_, _, s)| expected(s));
    let name = |places: &[&&(&str, &str, &Square<'_>)]| {
        list(
            places
                .iter()
                .map(|(kernel, driver, _)| format!("{} with {driver}", names.short(kernel))),
        )
    };
    let listed = match (new.as_slice(), known.as_slice()) {
        (new, []) => format!(": {}", name(new)),
        ([], known) => format!(", as expected: {}", name(known)),
        (new, known) => format!(": {}; as expected: {}", name(new), name(known)),
    };
    format!(
        "{} of {} {verb} the tun orphan bug{listed}.",
        having.len(),
        counted(all, "combination")
    )
}

/// Statuses that say something about the kernel.
fn judged(status: Status) -> bool {
    matches!(
        status,
        Status::Clean | Status::OrphanBug | Status::OtherFailure
    )
}

/// A cell without witnesses shows that its script came true, and nothing about the bug.
fn looks_for_the_bug(cell: &CellResult) -> bool {
    !cell.witnesses.is_empty() || cell.status == Status::OrphanBug
}

/// `11 of 12 clean`.
fn clean_of(run: &RunResults) -> String {
    let clean = |c: &&CellResult| c.status == Status::Clean;
    let count = run.cells.iter().filter(clean).count();
    format!("{count} of {} clean", run.cells.len())
}

/// Everything unexpected that is not the bug on a driver, one sentence for each kind.
fn elsewhere(overview: &Overview<'_>, names: &KernelNames) -> Vec<String> {
    let mut sentences = Vec::new();
    let kinds = [
        (Status::OrphanBug, "shows the bug's symptom over loopback"),
        (Status::OtherFailure, "fails otherwise"),
        (Status::Inconclusive, "is inconclusive"),
        (Status::Infra, "could not be run"),
    ];
    for (status, what) in kinds {
        let mut places = Vec::new();
        let mut cells = 0;
        for kernel in &overview.kernels {
            for driver in &overview.drivers {
                let control = *driver == crate::model::CellId::NO_DRIVER;
                if status == Status::OrphanBug && !control {
                    continue;
                }
                let Some(square) = overview.square(kernel, driver) else {
                    continue;
                };
                let here = square
                    .cells
                    .iter()
                    .filter(|c| c.status == status && !c.as_expected())
                    .count();
                if here > 0 {
                    cells += here;
                    let link = if control { "over" } else { "with" };
                    let driver = Overview::driver_heading(driver);
                    places.push(format!("{} {link} {driver}", names.short(kernel)));
                }
            }
        }
        if cells > 0 {
            let what = match (cells, status) {
                (1, _) => what.to_owned(),
                (_, Status::OrphanBug) => what.replacen("shows", "show", 1),
                (_, Status::OtherFailure) => what.replacen("fails", "fail", 1),
                _ => what.replacen("is ", "are ", 1),
            };
            sentences.push(format!(
                "{} {what}: {}.",
                counted(cells, "cell"),
                list(places.into_iter())
            ));
        }
    }
    sentences
}

/// `New since yesterday: none.`, and what got well.
fn news(past: &Past, names: &KernelNames) -> Option<String> {
    let than = past.than.as_ref()?;
    let places = |turn| {
        let mut places: Vec<String> = Vec::new();
        for Standing { id, .. } in past.with(turn) {
            let driver = Overview::driver_heading(&id.driver);
            let place = format!("{} with {driver}", names.short(&id.kernel));
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    };
    let (new, fixed) = (places(Turn::New), places(Turn::Fixed));
    let new = if new.is_empty() {
        "none".to_owned()
    } else {
        list(new.into_iter())
    };
    let mut text = format!("New since {than}: {new}.");
    if !fixed.is_empty() {
        text.push_str(&format!(" Fixed: {}.", list(fixed.into_iter())));
    }
    Some(text)
}

fn cell_name(cell: &CellResult, names: &KernelNames) -> String {
    let id = &cell.id;
    format!(
        "{} with {}, {} over {}",
        names.short(&id.kernel),
        id.driver,
        id.scenario,
        id.lane()
    )
}

/// `a, b, c and 3 more`.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.len() <= NAMED + 1 {
        return items.join(", ");
    }
    let more = items.len() - NAMED;
    format!("{} and {more} more", items[..NAMED].join(", "))
}
