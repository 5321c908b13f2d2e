//! What a run looks like on a terminal: progress while it goes on, a table at its end.

pub mod show;
pub mod table;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::history::Past;
use crate::model::{CellResult, Event, RunResults, Status};
use crate::reporter::Consumer;
use crate::text;

/// Reports a run to people: live on a terminal, in plain lines elsewhere.
///
/// Progress goes to standard error, the table at the end to standard output.
pub struct Console {
    /// Where the table goes.
    out: Box<dyn Write + Send>,
    progress: Progress,
    style: Style,
    /// Where the run's files are, for the last lines.
    dir: Option<PathBuf>,
    past: Option<LookUp>,
    done: usize,
    cells: usize,
    unexpected: usize,
    preparing: Vec<String>,
}

/// Finds out what earlier runs say about a run.
type LookUp = Box<dyn FnMut(&RunResults) -> Option<Past> + Send>;

enum Progress {
    /// A bar that is painted again and again.
    Live(ProgressBar),
    /// A line for each event.
    Plain(Box<dyn Write + Send>),
}

/// Whether words are coloured. They stay words either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With ANSI colours.
    Colour,
    /// Without.
    Mono,
}

impl Style {
    /// Colour if standard output is a terminal and `NO_COLOR` is not set
    /// (<https://no-color.org>).
    pub fn of_stdout() -> Style {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        if io::stdout().is_terminal() && !refused {
            Style::Colour
        } else {
            Style::Mono
        }
    }

    /// `text` in the colour of `status`.
    pub fn paint(self, status: Status, text: &str) -> String {
        let code = match status {
            Status::Clean => "32",
            Status::Skipped => "2",
            Status::OrphanBug => "1;31",
            Status::OtherFailure => "31",
            Status::Inconclusive => "33",
            Status::Infra => "35",
        };
        match self {
            Style::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Style::Mono => text.to_owned(),
        }
    }
}

impl Console {
    /// On this process's standard output and error; `dir` is where the run's files will be.
    pub fn stdio(dir: Option<PathBuf>) -> Console {
        let progress = if io::stderr().is_terminal() {
            let bar = bar(ProgressDrawTarget::stderr());
            // A download or a boot takes a while without an event; the clock shows it goes on.
            bar.enable_steady_tick(Duration::from_millis(250));
            Progress::Live(bar)
        } else {
            Progress::Plain(Box::new(io::stderr()))
        };
        Console::with(Box::new(io::stdout()), progress, Style::of_stdout(), dir)
    }

    /// Plain lines to `progress`, the table to `out`.
    pub fn plain(
        out: impl Write + Send + 'static,
        progress: impl Write + Send + 'static,
        dir: Option<PathBuf>,
    ) -> Console {
        let progress = Progress::Plain(Box::new(progress));
        Console::with(Box::new(out), progress, Style::Mono, dir)
    }

    fn with(
        out: Box<dyn Write + Send>,
        progress: Progress,
        style: Style,
        dir: Option<PathBuf>,
    ) -> Console {
        Console {
            out,
            progress,
            style,
            dir,
            past: None,
            done: 0,
            cells: 0,
            unexpected: 0,
            preparing: Vec::new(),
        }
    }

    /// The same, saying at the end what is new since the last run; `look_up` is asked once.
    pub fn with_past(
        self,
        look_up: impl FnMut(&RunResults) -> Option<Past> + Send + 'static,
    ) -> Console {
        Console {
            past: Some(Box::new(look_up)),
            ..self
        }
    }

    /// One line that stays, above the bar if there is one.
    fn line(&mut self, line: &str) -> io::Result<()> {
        let line = text::printable(line);
        match &mut self.progress {
            Progress::Live(bar) => {
                bar.println(line);
                Ok(())
            }
            Progress::Plain(out) => writeln!(out, "{line}"),
        }
    }

    fn refresh(&self) {
        let Progress::Live(bar) = &self.progress else {
            return;
        };
        bar.set_position(self.done as u64);
        let mut message = match self.unexpected {
            0 => String::new(),
            n => format!("{n} unexpected  "),
        };
        if let Some(first) = self.preparing.first() {
            message.push_str(first);
            if self.preparing.len() > 1 {
                message.push_str(&format!(" and {} more", self.preparing.len() - 1));
            }
        }
        bar.set_message(text::one_line(&message));
    }

    fn cell_finished(&mut self, cell: &CellResult) -> io::Result<()> {
        self.done += 1;
        self.unexpected += usize::from(!cell.as_expected());
        // A live bar shows what goes well by moving; only what needs a look is worth a line.
        if matches!(self.progress, Progress::Live(_)) && cell.as_expected() {
            return Ok(());
        }
        let width = self.cells.to_string().len();
        let mut line = format!(
            "[{:>width$}/{}] {}: {}",
            self.done, self.cells, cell.id, cell.status
        );
        if cell.status != Status::Clean {
            if cell.as_expected() && cell.status != Status::Skipped {
                line.push_str(" (expected)");
            }
            line.push_str(&format!(": {}", text::one_line(&cell.reason)));
        } else if !cell.as_expected() {
            line.push_str(" (unexpected)");
        }
        self.line(&line)
    }

    fn finished(&mut self, run: &RunResults) -> io::Result<()> {
        if let Progress::Live(bar) = &self.progress {
            bar.finish_and_clear();
        }
        let past = self.past.as_mut().and_then(|look_up| look_up(run));
        let text = table::render(run, past.as_ref(), self.style, self.dir.as_deref());
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

fn bar(target: ProgressDrawTarget) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), target);
    bar.set_style(
        ProgressStyle::with_template(
            "{spinner} {pos}/{len} cells {wide_bar} {elapsed_precise} {msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

impl Consumer for Console {
    fn name(&self) -> String {
        "the console".into()
    }

    fn take(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted { cells, kernels, .. } => {
                self.cells = *cells;
                if let Progress::Live(bar) = &self.progress {
                    bar.set_length(*cells as u64);
                }
                self.line(&format!(
                    "{} on {}",
                    text::counted(*cells, "cell"),
                    text::counted(*kernels, "kernel")
                ))?;
            }
            Event::Preparing { what, kernel } => {
                if matches!(self.progress, Progress::Plain(_)) {
                    self.line(&format!("{kernel}: {what} …"))?;
                }
                self.preparing.push(what.clone());
            }
            Event::Prepared { what, kernel, ms } => {
                if let Some(at) = self.preparing.iter().position(|w| w == what) {
                    self.preparing.remove(at);
                }
                self.line(&format!("{kernel}: {what}: {:.1} s", ms / 1000.0))?;
            }
            Event::KernelReady { kernel } => {
                for note in kernel.facts.iter().flat_map(|facts| &facts.notes) {
                    self.line(&format!("{}: {}", kernel.label, text::one_line(note)))?;
                }
            }
            Event::CellStarted { .. } => {}
            Event::CellFinished { result } => self.cell_finished(result)?,
            Event::Note { text } => self.line(&format!("note: {}", text::one_line(text)))?,
            Event::RunFinished { results } => self.finished(results)?,
        }
        self.refresh();
        Ok(())
    }
}
