//! A run seen from above: kernel × driver, and what each combination showed.

use std::collections::BTreeMap;

use crate::model::{CellId, CellResult, RunResults, Status};

/// Kernel × driver, in matrix order.
#[derive(Debug)]
pub struct Overview<'a> {
    /// Kernel labels.
    pub kernels: Vec<&'a str>,
    /// Driver labels; [`CellId::NO_DRIVER`] comes last where loopback cells exist.
    pub drivers: Vec<&'a str>,
    squares: BTreeMap<&'a str, BTreeMap<&'a str, Square<'a>>>,
}

/// All cells of one kernel and driver.
#[derive(Debug, Default)]
pub struct Square<'a> {
    /// The cells in plan order.
    pub cells: Vec<&'a CellResult>,
}

impl<'a> Overview<'a> {
    /// Sorts the cells of `run` into squares.
    pub fn new(run: &'a RunResults) -> Overview<'a> {
        let mut squares: BTreeMap<_, BTreeMap<_, Square<'a>>> = BTreeMap::new();
        let mut kernels: Vec<&str> = run.kernels.iter().map(|k| k.label.as_str()).collect();
        let mut drivers: Vec<&str> = run.drivers.iter().map(|d| d.label.as_str()).collect();
        for cell in &run.cells {
            let (kernel, driver) = (cell.id.kernel.as_str(), cell.id.driver.as_str());
            // A file written by hand or by a shard may name what its lists leave out.
            for (list, label) in [(&mut kernels, kernel), (&mut drivers, driver)] {
                if !list.contains(&label) {
                    list.push(label);
                }
            }
            let square: &mut Square<'a> = squares
                .entry(kernel)
                .or_default()
                .entry(driver)
                .or_default();
            square.cells.push(cell);
        }
        // A column without a single cell says nothing; the control stands beside the drivers.
        drivers.retain(|driver| squares.values().any(|row| row.contains_key(driver)));
        drivers.sort_by_key(|driver| *driver == CellId::NO_DRIVER);
        Overview {
            kernels,
            drivers,
            squares,
        }
    }

    /// The cells of this kernel and driver, if there are any.
    pub fn square(&self, kernel: &str, driver: &str) -> Option<&Square<'a>> {
        self.squares.get(kernel)?.get(driver)
    }

    /// Every combination of kernel and driver in matrix order, without the loopback controls.
    pub fn combinations(&self) -> impl Iterator<Item = (&'a str, &'a str, &Square<'a>)> {
        self.kernels.iter().flat_map(move |kernel| {
            self.drivers
                .iter()
                .filter(|driver| **driver != CellId::NO_DRIVER)
                .filter_map(move |driver| Some((*kernel, *driver, self.square(kernel, driver)?)))
        })
    }

    /// The heading of a driver's column: its label, or `loopback` for the controls.
    pub fn driver_heading(driver: &str) -> &str {
        if driver == CellId::NO_DRIVER {
            "loopback"
        } else {
            driver
        }
    }
}

impl Square<'_> {
    /// The status that stands for the square: unexpected trouble before expected trouble, then
    /// by [`gravity`].
    pub fn worst(&self) -> Status {
        let surprise = |c: &CellResult| c.status != Status::Clean && !c.as_expected();
        self.cells
            .iter()
            .max_by_key(|c| (surprise(c), gravity(c.status)))
            .map_or(Status::Skipped, |c| c.status)
    }

    /// How many cells have this status.
    pub fn count(&self, status: Status) -> usize {
        self.cells.iter().filter(|c| c.status == status).count()
    }

    /// How many cells have a status that was not expected.
    pub fn unexpected(&self) -> usize {
        self.cells.iter().filter(|c| !c.as_expected()).count()
    }

    /// The worst status with its share of the cells: `clean 10`, `orphan-bug 6/10`.
    pub fn words(&self) -> String {
        let worst = self.worst();
        match (self.count(worst), self.cells.len()) {
            (count, all) if count == all => format!("{worst} {count}"),
            (count, all) => format!("{worst} {count}/{all}"),
        }
    }

    /// What the words alone would not say: that trouble was expected, or that its absence was not.
    pub fn remark(&self) -> Option<String> {
        let by_surprise = |c: &&&CellResult| c.status == Status::Clean && !c.as_expected();
        let surprises = self.cells.iter().filter(by_surprise).count();
        let trouble = !matches!(self.worst(), Status::Clean | Status::Skipped);
        match (surprises, trouble && self.unexpected() == 0) {
            (0, true) => Some("expected".to_owned()),
            (0, false) => None,
            (n, _) => Some(format!("{n} clean by surprise")),
        }
    }
}

/// How much a status matters when one word has to stand for many: what is said about the kernel
/// outranks what could not be said, and a cell that ran outranks one that did not.
pub fn gravity(status: Status) -> u8 {
    match status {
        Status::Skipped => 0,
        Status::Clean => 1,
        Status::Infra => 2,
        Status::Inconclusive => 3,
        Status::OtherFailure => 4,
        Status::OrphanBug => 5,
    }
}

/// Short names for kernels, as people say them: `6.12.95` for `6.12.95+deb12-cloud-amd64`, as
/// long as that is unmistakable within the run.
#[derive(Debug)]
pub struct KernelNames(BTreeMap<String, String>);

impl KernelNames {
    /// Names for the kernels of `run`.
    pub fn new(run: &RunResults) -> KernelNames {
        let overview = Overview::new(run);
        let short: Vec<&str> = overview.kernels.iter().map(|k| version(k)).collect();
        let names = overview.kernels.iter().zip(&short).map(|(label, name)| {
            let unique = short.iter().filter(|other| *other == name).count() == 1;
            let name = if unique { *name } else { *label };
            ((*label).to_owned(), name.to_owned())
        });
        KernelNames(names.collect())
    }

    /// The short name of `label`.
    pub fn short<'a>(&'a self, label: &'a str) -> &'a str {
        self.0.get(label).map_or(label, String::as_str)
    }
}

/// The version at the beginning of a release (`7.0~rc3` of `7.0~rc3-cloud-amd64`), or all of it.
fn version(label: &str) -> &str {
    let digits = label
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(label.len());
    let rc = ["-rc", "~rc"].iter().find_map(|mark| {
        let rest = label[digits..].strip_prefix(mark)?;
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        (len > 0).then_some(mark.len() + len)
    });
    match digits {
        0 => label,
        _ => label[..digits + rc.unwrap_or(0)].trim_end_matches('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_cut_where_people_cut_them() {
        for (label, short) in [
            ("6.12.95+deb12-cloud-amd64", "6.12.95"),
            ("7.0~rc3-cloud-amd64", "7.0~rc3"),
            ("7.1-rc2+", "7.1-rc2"),
            ("2.6.32.69", "2.6.32.69"),
            ("mine", "mine"),
            ("", ""),
        ] {
            assert_eq!(version(label), short);
        }
    }
}
