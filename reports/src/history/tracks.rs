//! What a kernel is followed by from run to run.

use std::collections::HashMap;

use crate::model::{CellId, KernelInfo, RunResults};

/// What each kernel is followed by: its spec, unless several kernels of the run share it.
pub(super) struct Tracks<'a>(HashMap<&'a str, &'a str>);

impl<'a> Tracks<'a> {
    pub(super) fn new(run: &'a RunResults) -> Tracks<'a> {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for kernel in &run.kernels {
            *uses.entry(&kernel.spec).or_default() += 1;
        }
        let track = |kernel: &'a KernelInfo| match uses[kernel.spec.as_str()] {
            1 => kernel.spec.as_str(),
            _ => kernel.label.as_str(),
        };
        Tracks(
            run.kernels
                .iter()
                .map(|kernel| (kernel.label.as_str(), track(kernel)))
                .collect(),
        )
    }

    pub(super) fn of<'b>(&self, id: &'b CellId) -> &'b str
    where
        'a: 'b,
    {
        self.0
            .get(id.kernel.as_str())
            .copied()
            .unwrap_or(&id.kernel)
    }
}
