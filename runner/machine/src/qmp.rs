//! QMP, QEMU's control protocol, behind one small interface.
//!
//! `qapi` speaks it, but was generated from an older schema than the QEMUs in use: one event it
//! does not know ends its connection. So a filter in front drops unknown events line by line.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use qapi::futures::{QapiEvents, QapiService, QmpStreamTokio};
use qapi::qmp;
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::cmdline::CLOCK_BASE_YEAR;

/// The longest line taken from QEMU; its longest known answers are some kilobytes.
const MAX_LINE: usize = 1 << 20;

/// What QEMU tells on its own that matters to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The guest runs (after a restore: for the first time).
    Resumed,
    /// The guest ended or was reset; QEMU's own word for the reason.
    Shutdown(String),
    /// QEMU stopped the guest by itself: it cannot go on executing it.
    Stopped,
    /// The answer to [`Qmp::ask_guest_time`]: how far the guest's real-time clock is from
    /// the beginning of [`CLOCK_BASE_YEAR`].
    GuestTime(Duration),
}

/// Why a QMP command failed.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// QEMU refused the command.
    #[error("QEMU refuses `{command}`: {reason}")]
    Refused {
        /// Which command.
        command: &'static str,
        /// QEMU's words.
        reason: String,
    },
    /// The connection ended.
    #[error("QEMU's control connection ended during `{command}`: {source}")]
    Lost {
        /// Which command.
        command: &'static str,
        /// How.
        source: io::Error,
    },
}

type Reader = QmpStreamTokio<KnownEvents<BufReader<OwnedReadHalf>>>;

/// A connection to one QEMU.
pub struct Qmp {
    service: QapiService<QmpStreamTokio<OwnedWriteHalf>>,
    events: QapiEvents<Reader>,
    seen: VecDeque<Event>,
    asked: Option<BoxFuture<'static, qapi::ExecuteResult<qmp::qom_get>>>,
}

impl Qmp {
    /// Waits for the greeting and negotiates.
    pub async fn open(stream: UnixStream) -> Result<Qmp, QmpError> {
        let lost = |source| QmpError::Lost {
            command: "qmp_capabilities",
            source,
        };
        let (read, write) = stream.into_split();
        let read = KnownEvents::new(BufReader::new(read));
        let negotiation = QmpStreamTokio::open_split(read, write)
            .await
            .map_err(lost)?;
        let stream = negotiation.negotiate().await.map_err(lost)?;
        let (service, events) = stream.into_parts();
        Ok(Qmp {
            service,
            events,
            seen: VecDeque::new(),
            asked: None,
        })
    }

    /// The next event. Dropping the future loses nothing.
    pub async fn event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.seen.pop_front() {
                return Ok(event);
            }
            tokio::select! {
                event = self.events.next() => match event {
                    Some(Ok(event)) => note(&mut self.seen, event),
                    Some(Err(error)) => return Err(error),
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                },
                answer = taken(&mut self.asked) => {
                    self.asked = None;
                    if let Some(elapsed) = answer.ok().as_ref().and_then(since_base) {
                        return Ok(Event::GuestTime(elapsed));
                    }
                }
            }
        }
    }

    /// Loads device state from `path` into a machine started with `-incoming defer`; the guest
    /// runs as soon as that is done ([`Event::Resumed`]).
    pub async fn load_state(&mut self, path: &std::path::Path) -> Result<(), QmpError> {
        self.ignore_shared().await?;
        self.execute(qmp::migrate_incoming {
            channels: None,
            exit_on_error: None,
            uri: Some(format!("file:{}", path.display())),
        })
        .await
        .map(drop)
    }

    /// RAM is in a file of its own: the stream holds device state alone.
    async fn ignore_shared(&mut self) -> Result<(), QmpError> {
        self.execute(qmp::migrate_set_capabilities {
            capabilities: vec![qmp::MigrationCapabilityStatus {
                capability: qmp::MigrationCapability::x_ignore_shared,
                state: true,
            }],
        })
        .await
        .map(drop)
    }

    /// Asks for the guest's time; the answer comes as an event, because QEMU may not answer
    /// before its evidence has been read. A machine that cannot tell gives none.
    pub fn ask_guest_time(&mut self) {
        if self.asked.is_none() {
            let query = qmp::qom_get {
                path: "/machine".to_owned(),
                property: "rtc-time".to_owned(),
            };
            self.asked = Some(self.service.execute(query).boxed());
        }
    }

    /// Stops the guest for good and writes its device state to `path`. Not stopped before: that
    /// would be part of the state, and the restored guest would not run by itself.
    pub async fn save_state(&mut self, path: &std::path::Path) -> Result<(), QmpError> {
        let refused = |reason: String| QmpError::Refused {
            command: "migrate",
            reason,
        };
        self.ignore_shared().await?;
        self.execute(qmp::migrate {
            channels: None,
            detach: None,
            resume: None,
            uri: Some(format!("file:{}", path.display())),
        })
        .await?;
        loop {
            let info = self.execute(qmp::query_migrate {}).await?;
            match info.status {
                Some(qmp::MigrationStatus::completed) => return Ok(()),
                Some(qmp::MigrationStatus::failed | qmp::MigrationStatus::cancelled) => {
                    return Err(refused(
                        info.error_desc
                            .unwrap_or_else(|| "it does not say why".to_owned()),
                    ));
                }
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn execute<C>(&mut self, command: C) -> Result<C::Ok, QmpError>
    where
        C: qapi::qmp::QmpCommand,
    {
        let answer = self.service.execute(command);
        futures::pin_mut!(answer);
        loop {
            let event = tokio::select! {
                biased;
                answer = &mut answer => {
                    return answer.map_err(|error| match error {
                        qapi::ExecuteError::Qapi(error) => QmpError::Refused {
                            command: C::NAME,
                            reason: error.desc,
                        },
                        qapi::ExecuteError::Io(source) => QmpError::Lost {
                            command: C::NAME,
                            source,
                        },
                    });
                }
                // One command at a time: a question still under way holds the connection until
                // its answer is taken.
                _ = taken(&mut self.asked) => {
                    self.asked = None;
                    continue;
                }
                event = self.events.next() => event,
            };
            match event {
                Some(Ok(event)) => note(&mut self.seen, event),
                Some(Err(source)) => {
                    return Err(QmpError::Lost {
                        command: C::NAME,
                        source,
                    });
                }
                None => {
                    return Err(QmpError::Lost {
                        command: C::NAME,
                        source: io::ErrorKind::UnexpectedEof.into(),
                    });
                }
            }
        }
    }
}

/// The answer of a question under way; never, if there is none.
async fn taken<T>(pending: &mut Option<BoxFuture<'static, T>>) -> T {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}

/// The distance of a `struct tm`, as QEMU's `rtc-time` has it, from the clock's base.
fn since_base(time: &qapi::Any) -> Option<Duration> {
    let field = |name| time.get(name)?.as_u64();
    // tm_year counts from 1900. Days of whole years are exact enough for a limit.
    let years = field("tm_year")?.checked_sub(CLOCK_BASE_YEAR - 1900)?;
    let month_starts = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month = month_starts.get(usize::try_from(field("tm_mon")?).ok()?)?;
    let days = years
        .checked_mul(365)?
        .checked_add(month + field("tm_mday")?.checked_sub(1)?)?;
    let hours = days.checked_mul(24)?.checked_add(field("tm_hour")?)?;
    let minutes = hours.checked_mul(60)?.checked_add(field("tm_min")?)?;
    let seconds = minutes.checked_mul(60)?.checked_add(field("tm_sec")?)?;
    Some(Duration::from_secs(seconds))
}

fn note(seen: &mut VecDeque<Event>, event: qmp::Event) {
    use qapi::Enum;
    match event {
        qmp::Event::RESUME { .. } => seen.push_back(Event::Resumed),
        qmp::Event::STOP { .. } => seen.push_back(Event::Stopped),
        qmp::Event::SHUTDOWN { data, .. } => {
            seen.push_back(Event::Shutdown(data.reason.name().to_owned()));
        }
        _ => {}
    }
}

/// Passes lines through, except events that `qapi` does not know.
struct KnownEvents<R> {
    inner: R,
    /// The line being gathered, or (once whole and known) handed out.
    line: Vec<u8>,
    /// How much of a whole line is handed out; `None` while gathering.
    out: Option<usize>,
}

impl<R> KnownEvents<R> {
    fn new(inner: R) -> Self {
        KnownEvents {
            inner,
            line: Vec::new(),
            out: None,
        }
    }
}

/// Anything that is no event, and events that `qapi` can read.
fn known(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Named {
        event: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice::<Named>(line) {
        Ok(Named { event: Some(_) }) => serde_json::from_slice::<qmp::Event>(line).is_ok(),
        _ => true,
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for KnownEvents<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if let Some(done) = this.out {
                let rest = &this.line[done..];
                let n = rest.len().min(into.remaining());
                into.put_slice(&rest[..n]);
                this.out = Some(done + n);
                if done + n == this.line.len() {
                    this.line.clear();
                    this.out = None;
                }
                return Poll::Ready(Ok(()));
            }
            let ready = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx))?;
            if ready.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let (take, whole) = match ready.iter().position(|b| *b == b'\n') {
                Some(at) => (at + 1, true),
                None => (ready.len(), false),
            };
            this.line.extend_from_slice(&ready[..take]);
            Pin::new(&mut this.inner).consume(take);
            if this.line.len() > MAX_LINE {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a QMP line without end",
                )));
            }
            if whole {
                if known(&this.line) {
                    this.out = Some(0);
                } else {
                    this.line.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn unknown_events_never_reach_the_parser() {
        let stamp = r#""timestamp":{"seconds":1,"microseconds":2}"#;
        let known = format!("{{\"event\":\"RESUME\",{stamp}}}\r\n");
        let unknown = format!("{{\"event\":\"CPU_TELEPATHY\",\"data\":{{}},{stamp}}}\r\n");
        let answer = "{\"return\":{},\"id\":1}\r\n";
        let text = format!("{unknown}{known}{unknown}{unknown}{answer}");
        for capacity in [1, 7, 4096] {
            let mut out = String::new();
            KnownEvents::new(BufReader::with_capacity(capacity, text.as_bytes()))
                .read_to_string(&mut out)
                .await
                .unwrap();
            assert_eq!(out, format!("{known}{answer}"), "capacity {capacity}");
        }
    }

    #[tokio::test]
    async fn a_line_without_end_is_an_error() {
        let endless = BufReader::new(tokio::io::repeat(b'x'));
        let mut out = Vec::new();
        let error = KnownEvents::new(endless)
            .read_to_end(&mut out)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "a QMP line without end");
    }
}
