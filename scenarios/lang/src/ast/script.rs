//! A script: option lines, commands around, events in between.

use super::{Code, OptionLine, Packet, Source, Span, Spanned, Syscall, When};

/// A whole script.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The text it was parsed from, for messages.
    pub source: Source,
    /// `--name=value` lines, in order.
    pub options: Vec<Spanned<OptionLine>>,
    /// Commands in back-ticks before the first event: run before the clock
    /// starts. (The original allows one.)
    pub init: Vec<Spanned<Command>>,
    /// What happens, in order.
    pub events: Vec<Event>,
    /// Commands in back-ticks, without a time, after the last event: run at
    /// the end whatever happened. (The original allows one.)
    pub cleanup: Vec<Spanned<Command>>,
}

impl PartialEq for Script {
    /// Whether both say the same; names of files and places do not count.
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
            && self.init == other.init
            && self.events == other.events
            && self.cleanup == other.cleanup
    }
}

/// One event: a time and what happens then.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub when: Spanned<When>,
    /// What.
    pub action: Action,
    /// The whole event, time included.
    pub span: Span,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when && self.action == other.action
    }
}

/// What an event does or expects.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A packet to inject (`<`) or to expect (`>`).
    Packet(Packet),
    /// A system call to make, with the result to expect.
    Syscall(Syscall),
    /// A shell command in back-ticks; it must exit with 0.
    Command(Spanned<Command>),
    /// A `%{ … }%` block over the socket's `tcp_info`.
    Code(Spanned<Code>),
}

/// A shell command: the text between the back-ticks, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(pub String);
