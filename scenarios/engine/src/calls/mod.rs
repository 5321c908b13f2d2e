//! System calls of a script: what goes in, the call itself, what must come out.
//!
//! A call is prepared (arguments become buffers), invoked (here or on a thread of its own), and
//! checked. One file holds one family.

mod address;
mod control;
mod descriptor;
mod file;
mod io;
mod message;
mod option;
mod poll;
mod socket;
mod values;
mod vector;

use tunfarm_lang::ast::{Expr, Syscall, When};
use tunfarm_lang::symbols;

use crate::clock::seconds;
use crate::run::{Window, World};
use crate::stop::{Broken, Stop, unsupported};
pub use io::room_for;
pub use values::Arguments;

/// What remains to be looked at when a call has returned: outputs, side effects. The number is
/// the result that the script wrote.
pub type After = Box<dyn FnOnce(&mut World, i64) -> Result<(), Stop> + Send>;

/// The call itself.
pub type Invoke = Box<dyn FnOnce() -> Returned + Send>;

/// What a call returned.
pub struct Returned {
    value: i64,
    errno: i32,
    kind: Kind,
    after: Option<After>,
}

/// What kind of number a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A number that must be the script's.
    Number,
    /// A descriptor, for which the script has a number of its own.
    Descriptor,
}

impl Returned {
    /// The return value of a libc function; must be made before anything else can change `errno`.
    pub fn new(value: impl Into<i64>) -> Returned {
        let value = value.into();
        let errno = if value == -1 {
            std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
        } else {
            0
        };
        Returned {
            value,
            errno,
            kind: Kind::Number,
            after: None,
        }
    }

    /// It is a descriptor.
    pub fn descriptor(value: i32) -> Returned {
        Returned {
            kind: Kind::Descriptor,
            ..Returned::new(value)
        }
    }

    /// With something to look at afterwards, if the call did what the script expected.
    #[must_use]
    pub fn then(
        mut self,
        after: impl FnOnce(&mut World, i64) -> Result<(), Stop> + Send + 'static,
    ) -> Returned {
        self.after = Some(Box::new(after));
        self
    }

    /// Whether it succeeded.
    pub fn is_ok(&self) -> bool {
        self.value >= 0
    }

    fn show(&self) -> String {
        match self.errno {
            0 => self.value.to_string(),
            errno => format!(
                "{} {} ({})",
                self.value,
                errno_name(errno),
                std::io::Error::from_raw_os_error(errno)
            ),
        }
    }
}

fn errno_name(errno: i32) -> String {
    symbols::errno_name(errno).map_or_else(|| format!("errno {errno}"), str::to_owned)
}

/// Makes the call of a line and checks it; a blocking one goes on by itself.
pub fn perform(
    world: &mut World,
    call: &Syscall,
    when: When,
    base_us: i64,
    window: &Window,
) -> Result<(), Stop> {
    let invoke = prepare(world, call)?;
    if let Some(until) = &call.until {
        let now = world.clock.now_us();
        let text = format!("{} [begins]", world.text);
        world.log.say(now, world.line, &text);
        let relative = matches!(when, When::Relative(_));
        let until = window.return_at(until.node, base_us, relative, &world.config);
        return world.start_blocking(call, invoke, until);
    }
    world.watchdog.arm(world.call_limit_us());
    let returned = invoke();
    world.watchdog.disarm();
    let at_us = world.clock.now_us();
    check(world, call, returned, at_us)?;
    window.check(at_us, &format!("the return of {}()", call.name.node))
}

fn prepare(world: &mut World, call: &Syscall) -> Result<Invoke, Stop> {
    let args = Arguments::new(call);
    match call.name.node.as_str() {
        "socket" => socket::socket(world, &args),
        "bind" => socket::bind(world, &args),
        "listen" => socket::listen(world, &args),
        "accept" => socket::accept(world, &args, false),
        "accept4" => socket::accept(world, &args, true),
        "connect" => socket::connect(world, &args),
        "shutdown" => socket::shutdown(world, &args),
        "getsockname" => socket::name(world, &args, false),
        "getpeername" => socket::name(world, &args, true),
        "setsockopt" => option::set(world, &args),
        "getsockopt" => option::get(world, &args),
        "read" | "recv" | "recvfrom" => io::receive(world, &args),
        "write" | "send" | "sendto" => io::send(world, &args),
        "readv" | "writev" => vector::transfer(world, &args),
        "sendmsg" => message::send(world, &args),
        "recvmsg" => message::receive(world, &args),
        "poll" => poll::poll(world, &args),
        "epoll_create" => poll::create(world, &args),
        "epoll_ctl" => poll::control(world, &args),
        "epoll_wait" => poll::wait(world, &args),
        "open" => file::open(world, &args),
        "pipe" => file::pipe(world, &args),
        "sendfile" => file::sendfile(world, &args),
        "splice" => file::splice(world, &args),
        "close" => descriptor::close(world, &args),
        "dup" => descriptor::dup(world, &args),
        "dup2" => descriptor::dup2(world, &args),
        "fcntl" => descriptor::fcntl(world, &args),
        "ioctl" => descriptor::ioctl(world, &args),
        other => unsupported(format!("the system call {other}()")),
    }
}

/// Compares what a call returned with what the script says.
pub fn check(
    world: &mut World,
    call: &Syscall,
    returned: Returned,
    at_us: i64,
) -> Result<(), Stop> {
    let name = &call.name.node;
    let shown = returned.show();
    let text = format!("{} [returned {shown}]", world.text);
    world.log.say(at_us, world.line, &text);
    let any = call.result.value.node == Expr::Ellipsis;
    let expected = if any {
        returned.value
    } else {
        values::number(&call.result.value, &world.config.defines)?
    };
    let right = match returned.kind {
        Kind::Number => returned.value == expected,
        Kind::Descriptor => (returned.value >= 0) == (expected >= 0),
    };
    let errno_right = match &call.result.errno {
        Some(errno) => symbols::errno(&errno.node) == Some(returned.errno),
        None => true,
    };
    if !right || !errno_right {
        let mut text = expected.to_string();
        if let Some(errno) = &call.result.errno {
            text += &format!(" {}", errno.node);
        }
        let mut broken = Broken::new(format!("{name}() returned {shown}, not {text}")).field(
            "return value",
            text,
            shown,
        );
        if returned.errno == libc::EINTR {
            broken.notes.push(format!(
                "the call did not return by itself and was ended at {}",
                seconds(at_us)
            ));
        }
        return Err(broken.into());
    }
    match returned.after {
        Some(after) => after(world, expected),
        None => Ok(()),
    }
}
