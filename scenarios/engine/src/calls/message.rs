//! `sendmsg()` and `recvmsg()`.

use tunfarm_lang::ast::{Expr, Field, Spanned};

use super::address::{self, Written};
use super::control::{self, Wanted};
use super::values;
use super::vector::Pieces;
use super::{Arguments, Invoke, Returned, socket};
use crate::flows::Phase;
use crate::run::World;
use crate::stop::{Broken, Stop, failed};

/// Room for control messages, in words of 8 bytes.
const CONTROL_WORDS: usize = 512;
/// Room for any socket address.
const ADDRESS_ROOM: usize = 128;

/// The parts of a `msghdr` in a script.
struct Header<'a> {
    name: Option<&'a Field>,
    pieces: Pieces,
    flags: Option<i32>,
    control: Option<&'a Spanned<Expr>>,
}

fn header<'a>(world: &World, args: &Arguments<'a>) -> Result<Header<'a>, Stop> {
    let Some(fields) = values::fields(&args.get(1)?.node) else {
        return failed("a message is {msg_name(…)=…, msg_iov(…)=[…], …}");
    };
    let names = &world.config.defines;
    let pieces = match values::member(fields, "msg_iov") {
        Some(field) => Pieces::parse(&field.value, names)?,
        None => return failed("a message needs msg_iov"),
    };
    let flags = match values::member(fields, "msg_flags") {
        Some(field) => Some(values::number(&field.value, names)? as i32),
        None => None,
    };
    Ok(Header {
        name: values::member(fields, "msg_name"),
        pieces,
        flags,
        control: values::member(fields, "msg_control").map(|f| &f.value),
    })
}

/// `sendmsg(FD, MESSAGE, FLAGS)`
pub fn send(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let fd = args.descriptor(0, world)?;
    let flags = args.int(2, world)?;
    let mut message = header(world, args)?;
    let to = destination(world, args, message.name)?;
    let mut control = match message.control {
        Some(control) => control::encode(control, &world.config.defines)?,
        None => Vec::new(),
    };
    Ok(Box::new(move || {
        let mut vectors = message.pieces.vectors();
        // SAFETY: plain data for which all zeros is a value.
        let mut native: libc::msghdr = unsafe { std::mem::zeroed() };
        if let Some(to) = &to {
            native.msg_name = to.as_ptr().cast_mut().cast();
            native.msg_namelen = to.len() as libc::socklen_t;
        }
        native.msg_iov = vectors.as_mut_ptr();
        native.msg_iovlen = vectors.len() as _;
        if !control.is_empty() {
            native.msg_control = control.as_mut_ptr().cast();
            native.msg_controllen = size_of_val(control.as_slice()) as _;
        }
        // SAFETY: every pointer in the header is to memory of the length it says.
        let returned = Returned::new(unsafe { libc::sendmsg(fd, &raw const native, flags) } as i64);
        if flags & libc::MSG_ZEROCOPY != 0 {
            message.pieces.leak();
        }
        returned
    }))
}

fn destination(
    world: &mut World,
    args: &Arguments,
    name: Option<&Field>,
) -> Result<Option<Vec<u8>>, Stop> {
    let flow = socket::flow_of(world, args)?;
    let Some(flow) = flow.filter(|f| world.flows.get(*f).phase == Phase::New) else {
        // A connected socket's peer is known.
        return Ok(None);
    };
    let remote = (world.config.remote, world.config.connect_port);
    let written = match name {
        Some(field) => address::written(&field.value, &world.config.defines)?,
        None => Written::Null,
    };
    let (bytes, end) = match written {
        Written::Any => (address::encode(&world.config, remote), Some(remote)),
        Written::Null => return Ok(None),
        Written::Bytes(bytes, end) => (bytes, end),
    };
    if let Some(end) = end {
        socket::expect_connection(world, flow, end);
    }
    Ok(Some(bytes))
}

/// `recvmsg(FD, MESSAGE, FLAGS)`: the message's flags and control messages must be what comes.
pub fn receive(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let fd = args.descriptor(0, world)?;
    let flags = args.int(2, world)?;
    let Header {
        mut pieces,
        flags: wanted_flags,
        control,
        ..
    } = header(world, args)?;
    let wanted: Option<Vec<Wanted>> = match control {
        Some(control) => Some(control::parse(control, &world.config.defines)?),
        None => None,
    };
    Ok(Box::new(move || {
        let mut vectors = pieces.vectors();
        let mut name = [0u8; ADDRESS_ROOM];
        let mut control = vec![0u64; CONTROL_WORDS];
        // SAFETY: plain data for which all zeros is a value.
        let mut native: libc::msghdr = unsafe { std::mem::zeroed() };
        native.msg_name = name.as_mut_ptr().cast();
        native.msg_namelen = name.len() as libc::socklen_t;
        native.msg_iov = vectors.as_mut_ptr();
        native.msg_iovlen = vectors.len() as _;
        native.msg_control = control.as_mut_ptr().cast();
        native.msg_controllen = size_of_val(control.as_slice()) as _;
        // SAFETY: every pointer in the header is to memory of the length it says.
        let returned = Returned::new(unsafe { libc::recvmsg(fd, &raw mut native, flags) } as i64);
        let came = if returned.is_ok() {
            control::walk(&native)
        } else {
            Vec::new()
        };
        let got_flags = native.msg_flags;
        returned.then(move |world, result| {
            if result < 0 {
                return Ok(());
            }
            if let Some(wanted) = wanted_flags
                && wanted != got_flags
            {
                return Err(Broken::new("the message has other flags")
                    .field(
                        "msg_flags",
                        format!("{wanted:#x}"),
                        format!("{got_flags:#x}"),
                    )
                    .into());
            }
            match wanted {
                Some(wanted) => control::compare(world, &wanted, &came),
                None => Ok(()),
            }
        })
    }))
}
