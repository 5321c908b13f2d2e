//! Seeded faults against what was said of them: the farm's own test.
//!
//! A farm that calls a dropped packet the orphan bug, or the orphan bug clean, is wrong about
//! every other driver too. The truth comes with each shipped edit ([`Seeded`]); this module only
//! compares.

use crate::model::{CellResult, IsBug, RunResults, Seeded, Status};
use crate::overview::{KernelNames, Overview, Square};
use crate::text::counted;

/// Truth in rows, verdicts in columns.
#[derive(Debug)]
pub struct Confusion<'a> {
    /// One row for each seeded driver that has cells.
    pub rows: Vec<Row<'a>>,
}

/// One seeded fault over all kernels.
#[derive(Debug)]
pub struct Row<'a> {
    /// The driver's label.
    pub driver: &'a str,
    /// What it does, in one sentence.
    pub about: &'a str,
    /// What it is known to be.
    pub seeded: &'a Seeded,
    /// Cells by status, in the order of [`Status::ALL`].
    pub counts: [usize; Status::ALL.len()],
    /// Kernels on which at least one cell could be judged.
    pub judged: usize,
    /// What was said and is not true, by kernel.
    pub misjudged: Vec<String>,
}

impl<'a> Confusion<'a> {
    /// Holds the cells of `run` against what their drivers are known to be; `None` without a
    /// seeded driver.
    pub fn new(run: &'a RunResults) -> Option<Confusion<'a>> {
        let overview = Overview::new(run);
        let names = KernelNames::new(run);
        let rows: Vec<Row<'a>> = run
            .drivers
            .iter()
            .filter_map(|d| Some((d, d.seeded.as_ref()?)))
            .map(|(driver, seeded)| {
                let mut row = Row {
                    driver: &driver.label,
                    about: &driver.about,
                    seeded,
                    counts: [0; Status::ALL.len()],
                    judged: 0,
                    misjudged: Vec::new(),
                };
                for kernel in &overview.kernels {
                    if let Some(square) = overview.square(kernel, &driver.label) {
                        row.add(names.short(kernel), square);
                    }
                }
                row
            })
            .filter(|row| row.counts.iter().sum::<usize>() > 0)
            .collect();
        (!rows.is_empty()).then_some(Confusion { rows })
    }

    /// Everything that was misjudged: `edit on kernel: what`.
    pub fn misjudged(&self) -> impl Iterator<Item = String> + '_ {
        self.rows.iter().flat_map(|row| {
            row.misjudged
                .iter()
                .map(move |what| format!("{} on {what}", row.driver))
        })
    }

    /// The whole in one sentence.
    pub fn sentence(&self) -> String {
        let judged: usize = self.rows.iter().map(|r| r.judged).sum();
        let wrong: usize = self.rows.iter().map(|r| r.misjudged.len()).sum();
        let combinations = counted(judged, "combination");
        match wrong {
            0 => format!("{combinations} with a seeded fault: each got a true verdict."),
            n => format!("{combinations} with a seeded fault: {n} misjudged."),
        }
    }
}

impl Row<'_> {
    fn add(&mut self, kernel: &str, square: &Square<'_>) {
        for (count, status) in self.counts.iter_mut().zip(Status::ALL) {
            *count += square.count(status);
        }
        let judged: Vec<&CellResult> = square
            .cells
            .iter()
            .copied()
            .filter(|c| speaks(c.status))
            .collect();
        if judged.is_empty() {
            return;
        }
        self.judged += 1;
        let said = |status| judged.iter().any(|c| c.status == status);
        let falsely: Vec<String> = judged
            .iter()
            .filter(|c| c.status != Status::Clean && !self.seeded.allows(c.status))
            .map(|c| format!("{}/{} is {}", c.id.scenario, c.id.lane(), c.status))
            .collect();
        let unseen = !self.seeded.expect.iter().any(|s| said(*s));
        if !falsely.is_empty() {
            self.misjudged
                .push(format!("{kernel}: {}", falsely.join(", ")));
        } else if unseen {
            self.misjudged
                .push(format!("{kernel}: no scenario noticed it"));
        }
    }

    /// Is it the bug: one word or two.
    pub fn truth(&self) -> &'static str {
        match self.seeded.is_bug {
            IsBug::Yes => "the bug",
            IsBug::UnderCondition => "the bug, under its condition",
            IsBug::No => "not the bug",
        }
    }

    /// `4 of 4 kernels right`, or what is wrong.
    pub fn remark(&self) -> String {
        match self.misjudged.as_slice() {
            [] if self.judged == 0 => "could not be judged".to_owned(),
            [] => format!("right on {}", counted(self.judged, "kernel")),
            wrong => format!("misjudged on {}", wrong.join("; ")),
        }
    }
}

impl Seeded {
    /// May a cell say this? `orphan-bug` only of what is the bug, whatever `expect` says.
    fn allows(&self, status: Status) -> bool {
        self.expect.contains(&status) && (status != Status::OrphanBug || self.is_bug != IsBug::No)
    }
}

/// Says something about the driver.
fn speaks(status: Status) -> bool {
    matches!(
        status,
        Status::Clean | Status::OrphanBug | Status::OtherFailure
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, clean, id, infra, orphan_bug, other_failure};
    use tunfarm_protocol::Datapath;

    const KERNEL: &str = "6.12.95+deb13-cloud-amd64";

    fn judged(is_bug: IsBug, expect: &[Status], said: &[(&str, Status)]) -> (usize, Vec<String>) {
        let cells = said
            .iter()
            .map(|(scenario, status)| {
                let id = id(KERNEL, "no-orphan", scenario, Datapath::Tun);
                match status {
                    Status::Clean => clean(id),
                    Status::OrphanBug => orphan_bug(id, &[]),
                    Status::OtherFailure => other_failure(id),
                    _ => infra(id),
                }
            })
            .collect();
        let mut run = fixtures::run(&[KERNEL], &["no-orphan"], &["closing"], cells);
        run.drivers[0].seeded = Some(Seeded {
            is_bug,
            expect: expect.to_vec(),
        });
        let confusion = Confusion::new(&run).expect("a seeded driver");
        let wrong = confusion.misjudged().collect();
        (confusion.rows[0].judged, wrong)
    }

    #[test]
    fn the_bug_has_to_be_seen_somewhere_and_may_hide_elsewhere() {
        let bug = |said: &[_]| judged(IsBug::Yes, &[Status::OrphanBug], said);
        let seen = [
            ("closing", Status::OrphanBug),
            ("close-wait", Status::Clean),
        ];
        assert_eq!(bug(&seen), (1, vec![]));
        let unseen = [("closing", Status::Clean), ("close-wait", Status::Clean)];
        assert_eq!(
            bug(&unseen).1,
            ["no-orphan on 6.12.95: no scenario noticed it"]
        );
        let other = [
            ("closing", Status::OrphanBug),
            ("close-wait", Status::OtherFailure),
        ];
        assert_eq!(
            bug(&other).1,
            ["no-orphan on 6.12.95: close-wait/tun is other-failure"]
        );
    }

    #[test]
    fn what_is_not_the_bug_is_never_called_it() {
        let said = [("closing", Status::OrphanBug)];
        // Not even where a description asks for it.
        let expect = [Status::OtherFailure, Status::OrphanBug];
        let (_, wrong) = judged(IsBug::No, &expect, &said);
        assert_eq!(wrong, ["no-orphan on 6.12.95: closing/tun is orphan-bug"]);
        let said = [
            ("closing", Status::OtherFailure),
            ("close-wait", Status::Clean),
        ];
        assert_eq!(judged(IsBug::No, &expect, &said), (1, vec![]));
    }

    #[test]
    fn trouble_of_the_farm_is_no_verdict() {
        let said = [("closing", Status::Infra)];
        assert_eq!(judged(IsBug::Yes, &[Status::OrphanBug], &said), (0, vec![]));
    }

    #[test]
    fn a_run_without_seeded_faults_has_no_such_matrix() {
        let cells = vec![clean(id(KERNEL, "stock", "closing", Datapath::Tun))];
        let run = fixtures::run(&[KERNEL], &["stock"], &["closing"], cells);
        assert!(Confusion::new(&run).is_none());
    }
}
