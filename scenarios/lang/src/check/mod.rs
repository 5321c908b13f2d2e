//! What a script may say and cannot mean: unknown names, wrong numbers of
//! arguments, sequence numbers that do not add up, times that go backwards.
//!
//! Every rule here holds on every kernel; what depends on the kernel under
//! test is for the engine to say.

mod code;
mod event;
mod expr;
mod option;
mod packet;
mod structure;
mod syscall;
mod tcp_option;

use crate::ast::{Action, Script};
use crate::diagnostic::{Diagnostic, Errors, MAX_DIAGNOSTICS, nearest};
use crate::parse;
use crate::symbols::{Definitions, ICMP_V4, ICMP_V6, IcmpType};

/// Everything in `script` that cannot be right, with no definitions of the
/// user's own.
#[must_use]
pub fn check(script: &Script) -> Errors {
    check_with(script, &Definitions::new())
}

/// Everything in `script` that cannot be right where `definitions` hold; past
/// [`MAX_DIAGNOSTICS`] errors the rest is not looked at.
#[must_use]
pub fn check_with(script: &Script, definitions: &Definitions) -> Errors {
    let definitions = &definitions.clone().with_lines_of(script);
    let mut checker = Checker {
        definitions,
        icmp: icmp_tables(script),
        errors: Errors::none(script.source.clone()),
    };
    for line in &script.options {
        option::check(&mut checker, line);
    }
    let mut clock = event::Times::default();
    let mut names = code::Names::default();
    for event in &script.events {
        // What comes after would only be counted, and looking for the nearest
        // known word is slow.
        if checker.errors.len() >= MAX_DIAGNOSTICS {
            break;
        }
        clock.check(&mut checker, event);
        match &event.action {
            Action::Packet(packet) => packet::check(&mut checker, packet),
            Action::Syscall(syscall) => syscall::check(&mut checker, syscall),
            Action::Code(block) => names.check(&mut checker, block),
            Action::Command(_) => {}
        }
    }
    let mut errors = checker.errors;
    errors.sort();
    errors
}

/// Reads and checks the script `text`, called `file` in messages: everything
/// wrong with it at once.
///
/// # Errors
/// What [`crate::parse()`] and [`check_with`] find, in the order of the lines.
pub fn parse_and_check(
    text: &str,
    file: &str,
    definitions: &Definitions,
) -> Result<Script, Errors> {
    let (script, mut errors) = parse::parse_all(text, file);
    errors.extend(check_with(&script, definitions));
    errors.sort();
    errors.into_result(script)
}

/// The ICMP of the IP version that the script is for; of both if it does not say.
fn icmp_tables(script: &Script) -> &'static [&'static [IcmpType]] {
    let mut lines = script.options.iter().rev();
    let fixed = lines.find(|line| line.name.node == "ip_version");
    let version = fixed
        .and_then(|line| line.value.as_ref())
        .map(|value| value.node.to_string());
    match version.as_deref() {
        Some("ipv6") => &[ICMP_V6],
        Some("ipv4" | "ipv4-mapped-ipv6") => &[ICMP_V4],
        _ => &[ICMP_V4, ICMP_V6],
    }
}

/// What a check works with.
struct Checker<'a> {
    definitions: &'a Definitions,
    icmp: &'static [&'static [IcmpType]],
    errors: Errors,
}

impl Checker<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.errors.push(diagnostic);
    }

    /// Reports that `word` is not known, with the nearest of `known` or else
    /// with `otherwise` as help.
    fn report_unknown<'k>(
        &mut self,
        diagnostic: Diagnostic,
        word: &str,
        known: impl IntoIterator<Item = &'k str>,
        otherwise: Option<String>,
    ) {
        // Errors that are only counted need no help, which is slow to find.
        let kept = self.errors.len() < MAX_DIAGNOSTICS;
        let near = if kept { nearest(word, known) } else { None };
        self.report(match (near, otherwise) {
            (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
            (None, Some(otherwise)) => diagnostic.help(otherwise),
            (None, None) => diagnostic,
        });
    }
}
