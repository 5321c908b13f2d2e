//! Errors as people read them.

use std::fmt;

use super::{Diagnostic, Errors};
use crate::ast::Source;

/// A line longer than this is shown in part, around the mark.
const MAX_SHOWN: usize = 160;

impl fmt::Display for Errors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.found.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            render(out, &self.source_text, diagnostic)?;
        }
        if self.left_out > 0 {
            writeln!(
                out,
                "\nand {} more errors in {}",
                self.left_out,
                self.source_text.file()
            )?;
        }
        Ok(())
    }
}

/// One error: message, place, line, mark, help.
fn render(out: &mut fmt::Formatter<'_>, source: &Source, error: &Diagnostic) -> fmt::Result {
    let place = source.position(error.span.start);
    let end = source.position(error.span.end);
    let line = source.line(place.line).unwrap_or_default();
    let start_column = place.column as usize - 1;
    let end_column = if end.line == place.line {
        (end.column as usize - 1).max(start_column + 1)
    } else {
        line.chars().count().max(start_column + 1)
    };
    let (shown, offset) = window(line, start_column);
    let text = shown_text(&shown);
    let marked = end_column.saturating_sub(start_column).min(MAX_SHOWN);
    let gutter = " ".repeat(place.line.to_string().len());

    writeln!(out, "error: {}", Printable(&error.message))?;
    let file = Printable(source.file());
    writeln!(out, "{gutter}--> {file}:{}:{}", place.line, place.column)?;
    writeln!(out, "{gutter} |")?;
    writeln!(out, "{} | {}", place.line, text.trim_end())?;
    // The label stands beside the mark, as far right as the mark reaches.
    let indent = " ".repeat(start_column - offset);
    let carets = "^".repeat(marked.min(text.chars().count().max(1)).max(1));
    if error.label.is_empty() {
        writeln!(out, "{gutter} | {indent}{carets}")?;
    } else {
        writeln!(
            out,
            "{gutter} | {indent}{carets} {}",
            Printable(&error.label)
        )?;
    }
    if let Some(help) = &error.help {
        writeln!(out, "{gutter} = help: {}", Printable(help))?;
    }
    Ok(())
}

/// The part of `line` to show so that `column` can be seen, and how many
/// characters of the line come before it.
fn window(line: &str, column: usize) -> (String, usize) {
    if line.chars().count() <= MAX_SHOWN {
        return (line.to_owned(), 0);
    }
    let offset = column.saturating_sub(MAX_SHOWN / 2);
    (line.chars().skip(offset).take(MAX_SHOWN).collect(), offset)
}

/// A line as it may be shown: a tab takes one column, like every character,
/// so that the mark stands under its place.
fn shown_text(line: &str) -> String {
    line.chars().map(visible).collect()
}

/// `character`, or a stand-in where it would move the cursor or more.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        // Marks that reverse what follows on a terminal.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

/// Text of the script inside a message: nothing that a terminal would obey.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|character| fmt::Write::write_char(out, visible(character)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Span;

    fn shown(text: &str, error: Diagnostic) -> String {
        let mut errors = Errors::none(Source::new("t.pkt", text));
        errors.push(error);
        errors.to_string()
    }

    #[test]
    fn marks_the_column() {
        let error = Diagnostic::new(Span::new(6, 9), "bad")
            .label("here")
            .help("try good");
        assert_eq!(
            shown("one\n\ttwo\n", error),
            "error: bad\n --> t.pkt:2:3\n  |\n2 |  two\n  |   ^^ here\n  = help: try good\n"
        );
    }

    #[test]
    fn a_mark_past_the_end_stands_after_the_line() {
        let text = shown("ab", Diagnostic::new(Span::new(2, 2), "short"));
        assert!(text.contains("1 | ab\n  |   ^\n"), "{text}");
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let line = "x".repeat(100_000);
        let text = shown(&line, Diagnostic::new(Span::new(50_000, 90_000), "long"));
        assert!(text.len() < 1000, "{}", text.len());
    }

    #[test]
    fn terminals_get_no_orders() {
        let text = shown(
            "a\u{1b}[2Jb",
            Diagnostic::new(Span::new(0, 1), "bad \u{1b}[31m"),
        );
        assert!(!text.contains('\u{1b}'));
    }
}
