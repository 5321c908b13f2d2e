//! Bytes in and out of one buffer.

use tunfarm_lang::ast::{Action, Expr, Script};
use tunfarm_lang::symbols::Definitions;

use super::address::{self, Written};
use super::values::{self, MAX_BUFFER};
use super::{Arguments, Invoke, Returned, socket};
use crate::flows::Phase;
use crate::run::World;
use crate::stop::{Broken, Stop, failed};

/// The largest buffer that is made before a script starts.
const MAX_ROOM: usize = 8 << 20;

/// Memory for the longest read of a script, already mapped: page faults in the middle of a call
/// take longer than the call itself.
pub fn room_for(script: &Script, names: &Definitions) -> Vec<u8> {
    let lengths = script
        .events
        .iter()
        .filter_map(|event| match &event.action {
            Action::Syscall(call)
                if matches!(call.name.node.as_str(), "read" | "recv" | "recvfrom") =>
            {
                let length = values::number(call.arguments.get(2)?, names).ok()?;
                usize::try_from(length).ok()
            }
            _ => None,
        });
    let longest = lengths.max().unwrap_or(0).min(MAX_ROOM);
    // Not zeros: those would be pages that are mapped when they are first written.
    vec![1; longest]
}

/// What a script writes where a buffer goes.
enum Buffer {
    /// `...`: any content.
    Any,
    /// `NULL` or a number: an address that is not ours.
    Address(usize),
    /// A string: this content.
    Exactly(Vec<u8>),
    /// A string with `...`: content that begins so.
    Prefix(Vec<u8>),
}

fn buffer(world: &World, args: &Arguments, index: usize) -> Result<Buffer, Stop> {
    let expr = args.get(index)?;
    Ok(match &expr.node {
        Expr::Ellipsis => Buffer::Any,
        Expr::String(text) => Buffer::Exactly(text.clone()),
        Expr::StringPrefix(text) => Buffer::Prefix(text.clone()),
        _ => Buffer::Address(values::number(expr, &world.config.defines)? as usize),
    })
}

/// `read(FD, BUFFER, LENGTH)`, `recv(…, FLAGS)`, `recvfrom(…, FLAGS, ADDRESS, LENGTH)`
pub fn receive(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    let is_read = args.name() == "read";
    args.exactly(match args.name() {
        "read" => 3,
        "recv" => 4,
        _ => 6,
    })?;
    let fd = args.descriptor(0, world)?;
    let wanted = buffer(world, args, 1)?;
    let length = args.length(2, world)?;
    let flags = if is_read { 0 } else { args.int(3, world)? };
    let mut data = if length <= world.room.len() {
        std::mem::take(&mut world.room)
    } else {
        vec![0u8; length]
    };
    Ok(Box::new(move || {
        let pointer = match wanted {
            Buffer::Address(address) => address as *mut libc::c_void,
            _ => data.as_mut_ptr().cast(),
        };
        // SAFETY: the buffer has the length it says; an address that the script makes up is
        // checked by the kernel, which is what such a script wants to see. (It can only be an
        // address below the first page or beyond the user's half: see `MAX_BUFFER` for the rest.)
        let result = unsafe {
            if is_read {
                libc::read(fd, pointer, length)
            } else {
                libc::recvfrom(
                    fd,
                    pointer,
                    length,
                    flags,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                )
            }
        };
        let returned = Returned::new(result as i64);
        returned.then(move |world, _| {
            let came = &data[..(result.max(0) as usize).min(length)];
            let checked = match wanted {
                Buffer::Exactly(text) if text != came => differ(&text, came),
                Buffer::Prefix(text) if !came.starts_with(&text) => differ(&text, came),
                _ => Ok(()),
            };
            if data.len() > world.room.len() {
                world.room = data;
            }
            checked
        })
    }))
}

/// How much of a buffer an error shows.
const SHOWN: usize = 64;

fn differ(expected: &[u8], actual: &[u8]) -> Result<(), Stop> {
    let show = |bytes: &[u8]| {
        let text = bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string();
        format!("\"{text}\" ({} bytes)", bytes.len())
    };
    Err(Broken::new("the data differ")
        .field("data", show(expected), show(actual))
        .into())
}

/// `write(FD, BUFFER, LENGTH)`, `send(…, FLAGS)`, `sendto(…, FLAGS, ADDRESS, LENGTH)`
pub fn send(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    let is_write = args.name() == "write";
    args.exactly(match args.name() {
        "write" => 3,
        "send" => 4,
        _ => 6,
    })?;
    let fd = args.descriptor(0, world)?;
    let given = buffer(world, args, 1)?;
    let length = args.length(2, world)?;
    let flags = if is_write { 0 } else { args.int(3, world)? };
    let (mut data, address) = match given {
        Buffer::Address(address) => (Vec::new(), Some(address)),
        Buffer::Any => (vec![0; length], None),
        Buffer::Exactly(text) | Buffer::Prefix(text) => (text, None),
    };
    if address.is_none() && data.len() < length {
        // A C string has its terminator, and a longer length would read beyond it.
        data.resize(length, 0);
    }
    let to = destination(world, args)?;
    Ok(Box::new(move || {
        let pointer = address.map_or(data.as_ptr().cast(), |a| a as *const libc::c_void);
        // SAFETY: the buffer has at least the length it says (at most `MAX_BUFFER`); a made-up
        // address is the kernel's to refuse.
        let result = unsafe {
            match &to {
                _ if is_write => libc::write(fd, pointer, length),
                None => libc::send(fd, pointer, length, flags),
                Some(to) => libc::sendto(
                    fd,
                    pointer,
                    length,
                    flags,
                    to.as_ptr().cast(),
                    to.len() as libc::socklen_t,
                ),
            }
        };
        let returned = Returned::new(result as i64);
        if flags & libc::MSG_ZEROCOPY != 0 {
            // The kernel goes on reading these pages until it says so in the error queue.
            std::mem::forget(data);
        }
        returned
    }))
}

/// The address of `sendto()`; one that opens a connection is expected from now on.
fn destination(world: &mut World, args: &Arguments) -> Result<Option<Vec<u8>>, Stop> {
    if args.name() != "sendto" {
        return Ok(None);
    }
    let flow = socket::flow_of(world, args)?;
    let remote = (world.config.remote, world.config.connect_port);
    let (bytes, end) = match address::written(args.get(4)?, &world.config.defines)? {
        Written::Any => (address::encode(&world.config, remote), Some(remote)),
        Written::Null => return Ok(None),
        Written::Bytes(bytes, end) => (bytes, end),
    };
    if bytes.len() > MAX_BUFFER {
        return failed("an address of that length");
    }
    if let (Some(flow), Some(end)) = (flow, end)
        && world.flows.get(flow).phase == Phase::New
    {
        // Fast open, or a datagram.
        socket::expect_connection(world, flow, end);
    }
    Ok(Some(bytes))
}
