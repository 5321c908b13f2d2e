//! Times: ranges that are ranges, absolute times that do not go backwards.

use super::Checker;
use crate::ast::{Action, Direction, Event, Nanos, When};
use crate::diagnostic::Diagnostic;

/// The last absolute time, as far as the script alone tells.
#[derive(Default)]
pub(super) struct Times {
    last_absolute: Option<Nanos>,
}

impl Times {
    pub(super) fn check(&mut self, checker: &mut Checker<'_>, event: &Event) {
        let span = event.when.span;
        match event.when.node {
            When::Absolute(at) => {
                if let Some(before) = self.last_absolute.filter(|before| at < *before) {
                    checker.report(
                        Diagnostic::new(span, "this event comes before the one above it")
                            .label(format!("expected {before} or later")),
                    );
                }
                self.last_absolute = Some(at);
            }
            When::AbsoluteRange(from, to) | When::RelativeRange(from, to) => {
                if to < from {
                    checker.report(
                        Diagnostic::new(span, "this range of times ends before it starts")
                            .label(format!("expected an end of {from} or later")),
                    );
                }
                if matches!(event.when.node, When::AbsoluteRange(..)) {
                    self.last_absolute = Some(from);
                }
            }
            When::Relative(_) | When::Any => {}
        }
        let outbound = matches!(&event.action,
            Action::Packet(packet) if packet.direction.node == Direction::Outbound);
        let one_time = matches!(event.when.node, When::Absolute(_) | When::Relative(_));
        if !one_time && !outbound {
            checker.report(
                Diagnostic::new(
                    span,
                    "only a packet from the kernel can come at one of several times",
                )
                .label("expected one time, such as `1.5` or `+.1`"),
            );
        }
        if let (Action::Syscall(syscall), When::Absolute(start) | When::Relative(start)) =
            (&event.action, event.when.node)
            && let Some(until) = syscall.until.filter(|until| until.node < start)
        {
            checker.report(
                Diagnostic::new(until.span, "this call returns before it is made")
                    .label(format!("expected {start} or later, counted like the start")),
            );
        }
    }
}
