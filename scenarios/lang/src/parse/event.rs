//! The items of a script: options, commands around, events.

use super::{Cursor, Parse, code, expr, option, packet, quoted, when};
use crate::ast::{Action, Event, Script, When};
use crate::diagnostic::{Diagnostic, Errors};

/// Reads the next item into `script`; `false` at the end of the text.
pub(super) fn item(
    cursor: &mut Cursor<'_>,
    script: &mut Script,
    errors: &mut Errors,
) -> Parse<bool> {
    cursor.skip()?;
    if cursor.at_end() {
        return Ok(false);
    }
    if cursor.sees("--") {
        let line = option::option_line(cursor)?;
        if !script.init.is_empty() || !script.events.is_empty() {
            return Err(Box::new(
                Diagnostic::new(line.span, "an option line after the first command or event")
                    .label("expected at the top of the script"),
            ));
        }
        script.options.push(line);
    } else if cursor.sees("`") {
        let command = quoted::command(cursor)?;
        if script.events.is_empty() {
            script.init.push(command);
        } else {
            script.cleanup.push(command);
        }
    } else {
        let event = event(cursor, errors)?;
        if let Some(cleanup) = script.cleanup.first() {
            let diagnostic = Diagnostic::new(
                cleanup.span,
                "a command without a time between events",
            )
            .label("expected a time before it, or no event after it")
            .help(
                "a command without a time after the first event is the clean-up, which comes last",
            );
            script.cleanup.clear();
            errors.push(diagnostic);
        }
        script.events.push(event);
    }
    Ok(true)
}

/// One event: a time and an action.
fn event(cursor: &mut Cursor<'_>, errors: &mut Errors) -> Parse<Event> {
    let start = cursor.at();
    let times = when::times(cursor)?;
    cursor.skip()?;
    let action = match cursor.peek() {
        Some('<' | '>') => Action::Packet(packet::packet(cursor)?),
        Some('`') => Action::Command(quoted::command(cursor)?),
        Some('%') => Action::Code(code::block(cursor, errors)?),
        Some(first) if first.is_ascii_alphabetic() || first == '_' => {
            Action::Syscall(expr::syscall(cursor, times.until)?)
        }
        _ => {
            return Err(cursor.expected("a packet (`<` or `>`), a system call, a command or `%{`"));
        }
    };
    if let (Some(until), Action::Packet(_) | Action::Command(_) | Action::Code(_)) =
        (times.until, &action)
    {
        return Err(Box::new(
            Diagnostic::new(until.span, "only a system call can block until a time")
                .label("expected no `...` before this event"),
        ));
    }
    if times.until.is_some() && !matches!(times.when.node, When::Absolute(_) | When::Relative(_)) {
        return Err(cursor.expected("one time before `...`"));
    }
    let span = cursor.since(start);
    after_event(cursor)?;
    Ok(Event {
        when: times.when,
        action,
        span,
    })
}

/// Whether something that can follow an event comes next.
fn after_event(cursor: &mut Cursor<'_>) -> Parse<()> {
    cursor.skip()?;
    let next = cursor.at_end()
        || cursor.sees("`")
        || cursor.sees("--")
        || cursor
            .peek()
            .is_some_and(|first| matches!(first, '+' | '*' | '.' | '-') || first.is_ascii_digit());
    // Whatever stands on a line of its own is that line's error, not this one's.
    if cursor.sees("{") {
        return Err(Box::new(
            Diagnostic::new(cursor.here(), "packets mutated by `{…}` are not supported")
                .label("expected the end of this event"),
        ));
    }
    if next || cursor.on_new_line() {
        Ok(())
    } else {
        Err(cursor.expected("the end of this event"))
    }
}
