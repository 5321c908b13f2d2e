//! Making an edit's changes to the source.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use super::description::{Action, Anchor, Edit, Names, Step};
use crate::c::{
    Function, FunctionError, Statement, StatementKind, Token, TokenKind, functions_named, line_of,
    statements, tokenise,
};

/// Source files by their path relative to the kernel's source.
pub type Files = BTreeMap<PathBuf, String>;

/// A step of an edit that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("edit `{edit}`, step {step}, in {}: {refusal}", file.display())]
pub struct EditRefused {
    /// The edit.
    pub edit: String,
    /// The step, from 1.
    pub step: usize,
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub refusal: Box<Refusal>,
}

/// Why a step was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is not part of this kernel's driver.
    #[error("this kernel's driver has no such file")]
    NoFile,
    /// No function of that name is defined there.
    #[error("there is no function `{function}`{}", meant(nearest))]
    NoFunction {
        /// The function.
        function: String,
        /// The function that was perhaps meant.
        nearest: Option<String>,
    },
    /// Several are.
    #[error("`{function}` is defined {} times, on lines {}", lines.len(), list(lines))]
    SeveralFunctions {
        /// The function.
        function: String,
        /// Where.
        lines: Vec<usize>,
    },
    /// The function makes no such call.
    #[error("`{function}` (line {line}) does not call {names}{}", meant(nearest))]
    NoCall {
        /// The function.
        function: String,
        /// Where it begins.
        line: usize,
        /// The call.
        names: Names,
        /// The call that was perhaps meant.
        nearest: Option<String>,
    },
    /// It makes several.
    #[error("`{function}` calls {names} {} times, on lines {}", lines.len(), list(lines))]
    SeveralCalls {
        /// The function.
        function: String,
        /// The call.
        names: Names,
        /// Where.
        lines: Vec<usize>,
    },
    /// The call is part of a larger expression, so it cannot be dropped, moved or replaced alone.
    #[error("the call of `{call}` on line {line} is not a statement of its own: `{code}`")]
    NotAStatement {
        /// The call.
        call: String,
        /// Where.
        line: usize,
        /// That line.
        code: String,
    },
    /// The function cannot be taken apart.
    #[error(
        "`{function}` (line {line}) cannot be taken apart: its brackets or semicolons do not fit"
    )]
    NotUnderstood {
        /// The function.
        function: String,
        /// Where it begins.
        line: usize,
    },
    /// The function makes a call that it must not make already.
    #[error("`{function}` already calls {names}, on line {line}")]
    AlreadyThere {
        /// The function.
        function: String,
        /// The call.
        names: Names,
        /// Where.
        line: usize,
    },
    /// There is no `#include` to add one to.
    #[error("it has no `#include` after which another could go")]
    NoInclude,
}

fn meant(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|n| format!("; did you mean `{n}`?"))
        .unwrap_or_default()
}

fn list(lines: &[usize]) -> String {
    lines
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Makes all changes of `edit` to `files`, or none.
pub fn apply(edit: &Edit, files: &Files) -> Result<Files, EditRefused> {
    let mut changed = files.clone();
    for (number, step) in edit.steps.iter().enumerate() {
        let refused = |refusal| EditRefused {
            edit: edit.name.clone(),
            step: number + 1,
            file: step.file.clone(),
            refusal: Box::new(refusal),
        };
        let text = changed
            .get_mut(&step.file)
            .ok_or_else(|| refused(Refusal::NoFile))?;
        *text = apply_step(step, text).map_err(refused)?;
    }
    Ok(changed)
}

/// Makes one change to the text of its file.
pub fn apply_step(step: &Step, text: &str) -> Result<String, Refusal> {
    if let (Some(unless), Some(function)) = (&step.unless, step.action.function()) {
        let body = Body::find(text, function)?;
        if let Some(at) = body.calls(unless).first() {
            return Err(Refusal::AlreadyThere {
                function: function.to_owned(),
                names: unless.clone(),
                line: line_of(text, body.tokens[*at].span.start),
            });
        }
    }
    match &step.action {
        Action::Include { header } => include(text, header),
        Action::Drop { function, call } => {
            let body = Body::find(text, function)?;
            let statement = body.call_statement(call)?;
            Ok(without(text, &statement))
        }
        Action::Replace {
            function,
            call,
            code,
        } => {
            let body = Body::find(text, function)?;
            let statement = body.call_statement(call)?;
            let code = indented(code, indent_at(text, statement.span.start));
            let code = if statement.alone {
                code
            } else {
                format!("{{ {} }}", one_line(&code))
            };
            Ok(splice(text, statement.span.clone(), code.trim()))
        }
        Action::Insert { function, code, to } => insert(text, function, code, to),
        Action::Move { function, call, to } => {
            let body = Body::find(text, function)?;
            let statement = body.call_statement(call)?;
            let code = text[statement.span.clone()].to_owned();
            // Both places are looked up before anything changes, so that a refusal names lines
            // of the text that was given.
            body.anchor(to.names())?;
            insert(&without(text, &statement), function, &code, to)
        }
    }
}

fn insert(text: &str, function: &str, code: &str, to: &Anchor) -> Result<String, Refusal> {
    let body = Body::find(text, function)?;
    let span = body.anchor(to.names())?;
    let indent = indent_at(text, span.start);
    let code = indented(code, indent);
    Ok(match to {
        Anchor::Before(_) => splice(text, span.start..span.start, &format!("{code}\n{indent}")),
        Anchor::After(_) => splice(text, span.end..span.end, &format!("\n{indent}{code}")),
    })
}

fn include(text: &str, header: &str) -> Result<String, Refusal> {
    let tokens = tokenise(text);
    // An include inside a conditional may not be reached: only those at the top count.
    let mut depth = 0usize;
    let mut last = None;
    for token in tokens.iter().filter(|t| t.kind == TokenKind::Directive) {
        let directive = token.text(text)[1..].trim_start();
        if directive.starts_with("if") {
            depth += 1;
        } else if directive.starts_with("endif") {
            depth = depth.saturating_sub(1);
        } else if directive.starts_with("include") && depth == 0 {
            if directive.contains(&format!("<{header}>")) {
                return Ok(text.to_owned());
            }
            last = Some(token.span.end);
        }
    }
    let at = last.ok_or(Refusal::NoInclude)?;
    Ok(splice(text, at..at, &format!("\n#include <{header}>")))
}

fn splice(text: &str, span: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..span.start], &text[span.end..])
}

/// `text` without the statement.
fn without(text: &str, statement: &CallStatement) -> String {
    // An `if` or `else` needs a body, and compilers warn of a lonely semicolon.
    let left = if statement.alone { "" } else { "{ }" };
    splice(text, statement.removal(text), left)
}

/// The white space with which the line that holds `at` begins.
fn indent_at(text: &str, at: usize) -> &str {
    let line = line_start(text, at);
    let rest = &text[line..];
    &rest[..rest.len() - rest.trim_start_matches([' ', '\t']).len()]
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |p| p + 1)
}

/// `code` with its common indentation replaced by `indent`, without the first line's and without
/// a last line feed.
fn indented(code: &str, indent: &str) -> String {
    let lines: Vec<&str> = code.trim_end().lines().collect();
    let common = lines
        .iter()
        .filter(|l| !l.trim().is_empty())
        .skip(usize::from(
            lines.len() > 1 && !lines[0].starts_with([' ', '\t']),
        ))
        .map(|l| l.len() - l.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0);
    let common = if lines.first().is_some_and(|l| l.starts_with([' ', '\t'])) {
        common
    } else {
        0
    };
    lines
        .iter()
        .enumerate()
        .map(|(number, line)| match (number, line.trim().is_empty()) {
            (_, true) => String::new(),
            (0, false) => line[common..].to_owned(),
            (_, false) => format!("{indent}{}", &line[common..]),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn one_line(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A function's body, taken apart.
struct Body<'a> {
    text: &'a str,
    name: &'a str,
    line: usize,
    tokens: Vec<Token>,
    body: Range<usize>,
    statements: Vec<Statement>,
}

/// A statement that is nothing but a call.
struct CallStatement {
    span: Range<usize>,
    /// It stands in a block, so it may go without a trace; otherwise it is the body of an `if`
    /// or a loop.
    alone: bool,
}

impl CallStatement {
    /// What to take away: the whole line, when nothing else stands on it.
    fn removal(&self, text: &str) -> Range<usize> {
        let start = line_start(text, self.span.start);
        let end = text[self.span.end..]
            .find('\n')
            .map_or(text.len(), |p| self.span.end + p + 1);
        let around = [&text[start..self.span.start], &text[self.span.end..end]];
        if !self.alone {
            return self.span.clone();
        }
        if around.iter().any(|s| !s.trim().is_empty()) {
            return self.span.clone();
        }
        // Of two empty lines that would come together, one goes too.
        let after = text[end..].strip_prefix('\n').map(|_| end + 1);
        match after.filter(|_| text[..start].ends_with("\n\n")) {
            Some(after) => start..after,
            None => start..end,
        }
    }
}

impl<'a> Body<'a> {
    fn find(text: &'a str, name: &'a str) -> Result<Body<'a>, Refusal> {
        let tokens = tokenise(text);
        let found = functions_named(text, &tokens, name).map_err(
            |FunctionError::Unbalanced(function)| Refusal::NotUnderstood {
                line: text.find(&function).map_or(0, |at| line_of(text, at)),
                function,
            },
        )?;
        let [Function { name_at, body }] = found.as_slice() else {
            if found.is_empty() {
                return Err(Refusal::NoFunction {
                    function: name.to_owned(),
                    nearest: nearest_call(text, &tokens, name),
                });
            }
            return Err(Refusal::SeveralFunctions {
                function: name.to_owned(),
                lines: found.iter().map(|f| line_of(text, f.name_at)).collect(),
            });
        };
        let line = line_of(text, *name_at);
        let statements =
            statements(text, &tokens, body.clone()).ok_or_else(|| Refusal::NotUnderstood {
                function: name.to_owned(),
                line,
            })?;
        Ok(Body {
            text,
            name,
            line,
            body: body.clone(),
            statements,
            tokens,
        })
    }

    /// The tokens at which calls of `names` stand.
    fn calls(&self, names: &Names) -> Vec<usize> {
        self.body
            .clone()
            .filter(|at| {
                let token = &self.tokens[*at];
                token.kind == TokenKind::Word
                    && names.0.iter().any(|n| n == token.text(self.text))
                    && self.tokens.get(at + 1).is_some_and(|t| t.is(b'('))
            })
            .collect()
    }

    /// The token at which the one call of `names` stands.
    fn call(&self, names: &Names) -> Result<usize, Refusal> {
        let calls = self.calls(names);
        match calls.as_slice() {
            [one] if !Statement::path(&self.statements, *one).is_empty() && !self.hidden(*one) => {
                Ok(*one)
            }
            [] => Err(Refusal::NoCall {
                function: self.name.to_owned(),
                line: self.line,
                nearest: names
                    .0
                    .iter()
                    .find_map(|n| nearest_call(self.text, &self.tokens[self.body.clone()], n)),
                names: names.clone(),
            }),
            [one] => Err(self.not_a_statement(*one)),
            several => Err(Refusal::SeveralCalls {
                function: self.name.to_owned(),
                names: names.clone(),
                lines: several
                    .iter()
                    .map(|at| line_of(self.text, self.tokens[*at].span.start))
                    .collect(),
            }),
        }
    }

    /// The token stands in a branch of the preprocessor that takes no part in the structure.
    fn hidden(&self, at: usize) -> bool {
        self.tokens[at].elsewhere && !self.tokens[self.body.start].elsewhere
    }

    fn span(&self, statement: &Statement) -> Range<usize> {
        let first = &self.tokens[statement.tokens.start];
        let last = &self.tokens[statement.tokens.end - 1];
        first.span.start..last.span.end
    }

    fn call_statement(&self, names: &Names) -> Result<CallStatement, Refusal> {
        let at = self.call(names)?;
        let path = Statement::path(&self.statements, at);
        let (Some(statement), parent) = (path.last(), path.iter().rev().nth(1)) else {
            return Err(self.not_a_statement(at));
        };
        // `a->b.call(…);` and `(void)call(…);` are calls and nothing else; so is any statement in
        // which no bracket is open at the call, its bracket is followed by the semicolon, and
        // nothing is assigned or returned.
        let before = &self.tokens[statement.tokens.start..at];
        let depth = |open, close| {
            let count = |c| before.iter().filter(|t| t.is(c)).count();
            count(open) == count(close)
        };
        let plain = statement.kind == StatementKind::Simple
            && depth(b'(', b')')
            && depth(b'[', b']')
            && !before.iter().any(|t| {
                t.is(b'=')
                    || t.is(b'?')
                    || t.is(b',')
                    || t.is(b'&')
                    || matches!(t.text(self.text), "return" | "else")
            });
        let mut open = 0usize;
        let close = (at + 1..statement.tokens.end).find(|i| {
            let token = &self.tokens[*i];
            open += usize::from(token.is(b'('));
            open -= usize::from(token.is(b')') && open > 0);
            open == 0
        });
        if !plain || close.map(|c| c + 2) != Some(statement.tokens.end) {
            return Err(self.not_a_statement(at));
        }
        Ok(CallStatement {
            span: self.span(statement),
            alone: parent.is_none_or(|p| p.kind == StatementKind::Block),
        })
    }

    /// The outermost statement that makes the call and still stands in the same block.
    fn anchor(&self, names: &Names) -> Result<Range<usize>, Refusal> {
        let at = self.call(names)?;
        let path = Statement::path(&self.statements, at);
        // From inside out: the body of an `if` without braces is no place for a second statement.
        let mut place = path.len() - 1;
        while place > 0 && path[place - 1].kind == StatementKind::Control {
            place -= 1;
        }
        Ok(self.span(path[place]))
    }

    fn not_a_statement(&self, at: usize) -> Refusal {
        let token = &self.tokens[at];
        let start = line_start(self.text, token.span.start);
        Refusal::NotAStatement {
            call: token.text(self.text).to_owned(),
            line: line_of(self.text, token.span.start),
            code: self.text[start..]
                .lines()
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
        }
    }
}

/// The called or defined name that `name` was probably meant to be.
fn nearest_call(text: &str, tokens: &[Token], name: &str) -> Option<String> {
    let calls = tokens
        .windows(2)
        .filter(|w| w[0].kind == TokenKind::Word && w[1].is(b'('))
        .map(|w| w[0].text(text))
        .filter(|known| *known != name);
    tunfarm_config::nearest(name, calls).map(str::to_owned)
}
