//! `socket()` and what makes connections of it.

use std::os::fd::{FromRawFd as _, OwnedFd};

use super::address::{self, Written};
use super::{Arguments, Invoke, Returned};
use crate::flows::{End, FlowId, Phase};
use crate::packet::protocol;
use crate::run::World;
use crate::stop::{Stop, failed};

/// Room for any socket address.
const ADDRESS_ROOM: usize = 128;

/// `socket(DOMAIN, TYPE, PROTOCOL)`
pub fn socket(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let domain = if args.is_any(0) {
        address::family(&world.config)
    } else {
        args.int(0, world)?
    };
    let kind = args.int(1, world)?;
    let number = args.int(2, world)?;
    let protocol = match (kind & 0xf, number) {
        (libc::SOCK_STREAM, 0) => protocol::TCP,
        (libc::SOCK_DGRAM, 0) => protocol::UDP,
        (_, number) => number as u8,
    };
    Ok(Box::new(move || {
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(domain, kind, number) };
        Returned::descriptor(fd).then(move |world, script| {
            if fd >= 0 {
                let flow = world.flows.open(protocol);
                // SAFETY: the descriptor is new and nobody else's.
                let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                world.descriptors.add(script, fd, Some(flow));
                if protocol != protocol::TCP {
                    world.flows.put_under_test(flow);
                }
            }
            Ok(())
        })
    }))
}

/// `bind(FD, ADDRESS, LENGTH)`
pub fn bind(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let fd = args.descriptor(0, world)?;
    let flow = flow_of(world, args)?;
    let local: End = (world.config.local, world.config.bind_port);
    let (bytes, end) = match address::written(args.get(1)?, &world.config.defines)? {
        Written::Any => (address::encode(&world.config, local), Some(local)),
        Written::Null => return failed("bind() without an address"),
        Written::Bytes(bytes, end) => (bytes, end),
    };
    let length = length(args, 2, bytes.len(), world)?;
    Ok(Box::new(move || {
        // SAFETY: the kernel reads at most the length, which is inside of the buffer or refused.
        let result = unsafe { libc::bind(fd, bytes.as_ptr().cast(), length) };
        let bound = local_end(fd).or(end);
        Returned::new(result).then(move |world, _| {
            if let (0, Some(flow), Some(end)) = (result, flow, bound) {
                world.flows.get_mut(flow).local.1 = end.1;
            }
            Ok(())
        })
    }))
}

/// The address length that the script gives, or the right one for `...`.
fn length(
    args: &Arguments,
    index: usize,
    right: usize,
    world: &World,
) -> Result<libc::socklen_t, Stop> {
    if args.is_any(index) {
        return Ok(right as libc::socklen_t);
    }
    let length = args.length(index, world)?;
    if length > right {
        return failed(format!(
            "an address length of {length} is more than the {right} bytes of the address"
        ));
    }
    Ok(length as libc::socklen_t)
}

/// `listen(FD, BACKLOG)`
pub fn listen(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(2)?;
    let fd = args.descriptor(0, world)?;
    let flow = flow_of(world, args)?;
    let backlog = args.int(1, world)?;
    Ok(Box::new(move || {
        // SAFETY: no pointers.
        let result = unsafe { libc::listen(fd, backlog) };
        let local = local_end(fd);
        Returned::new(result).then(move |world, _| {
            if let (0, Some(flow)) = (result, flow) {
                let flow = world.flows.get_mut(flow);
                flow.phase = Phase::Listening;
                if let Some(local) = local {
                    flow.local.1 = local.1;
                }
            }
            Ok(())
        })
    }))
}

/// `accept(FD, ADDRESS, LENGTH)`, `accept4(FD, ADDRESS, LENGTH, FLAGS)`
pub fn accept(world: &mut World, args: &Arguments, four: bool) -> Result<Invoke, Stop> {
    args.exactly(if four { 4 } else { 3 })?;
    let fd = args.descriptor(0, world)?;
    let flags = if four { args.int(3, world)? } else { 0 };
    Ok(Box::new(move || {
        let mut bytes = [0u8; ADDRESS_ROOM];
        let mut room = bytes.len() as libc::socklen_t;
        let address = bytes.as_mut_ptr().cast();
        // SAFETY: the address has the room it says. accept4() is newer (2.6.28) than any kernel
        // this runs on, but its plain sister is what most scripts mean.
        let new = unsafe {
            if four {
                libc::accept4(fd, address, &raw mut room, flags)
            } else {
                libc::accept(fd, address, &raw mut room)
            }
        };
        let peer = address::decode(&bytes[..(room as usize).min(bytes.len())]);
        Returned::descriptor(new).then(move |world, script| {
            if new >= 0 {
                let flow = peer.and_then(|peer| world.flows.with_peer(peer));
                // SAFETY: the descriptor is new and nobody else's.
                let new = unsafe { OwnedFd::from_raw_fd(new) };
                world.descriptors.add(script, new, flow);
            }
            Ok(())
        })
    }))
}

/// `connect(FD, ADDRESS, LENGTH)`
pub fn connect(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let fd = args.descriptor(0, world)?;
    let flow = flow_of(world, args)?;
    let remote: End = (world.config.remote, world.config.connect_port);
    let (bytes, end) = match address::written(args.get(1)?, &world.config.defines)? {
        Written::Any => (address::encode(&world.config, remote), Some(remote)),
        Written::Null => return failed("connect() without an address"),
        Written::Bytes(bytes, end) => (bytes, end),
    };
    let length = length(args, 2, bytes.len(), world)?;
    if let (Some(flow), Some(end)) = (flow, end) {
        expect_connection(world, flow, end);
    }
    Ok(Box::new(move || {
        // SAFETY: the kernel reads at most the length, which is inside of the buffer.
        let result = unsafe { libc::connect(fd, bytes.as_ptr().cast(), length) };
        let returned = Returned::new(result);
        let local = local_end(fd);
        returned.then(move |world, _| {
            if let (Some(flow), Some(local), Some(_)) = (flow, local, end) {
                world.flows.get_mut(flow).local.1 = local.1;
            }
            Ok(())
        })
    }))
}

/// Notes that the kernel is about to open a connection from a socket.
pub fn expect_connection(world: &mut World, flow: FlowId, remote: End) {
    if world.flows.get(flow).protocol == protocol::TCP {
        world.flows.get_mut(flow).connecting(remote);
    } else {
        world.flows.get_mut(flow).remote = remote;
        world.flows.put_under_test(flow);
    }
}

/// `shutdown(FD, HOW)`
pub fn shutdown(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(2)?;
    let fd = args.descriptor(0, world)?;
    let how = args.int(1, world)?;
    Ok(Box::new(move || {
        // SAFETY: no pointers.
        Returned::new(unsafe { libc::shutdown(fd, how) })
    }))
}

/// `getsockname(FD, ADDRESS, LENGTH)` and `getpeername`; the address is not compared.
pub fn name(world: &mut World, args: &Arguments, peer: bool) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let fd = args.descriptor(0, world)?;
    Ok(Box::new(move || {
        let mut bytes = [0u8; ADDRESS_ROOM];
        let mut room = bytes.len() as libc::socklen_t;
        let address = bytes.as_mut_ptr().cast();
        // SAFETY: the address has the room it says.
        Returned::new(unsafe {
            if peer {
                libc::getpeername(fd, address, &raw mut room)
            } else {
                libc::getsockname(fd, address, &raw mut room)
            }
        })
    }))
}

/// The kernel's own end of a socket.
fn local_end(fd: i32) -> Option<End> {
    let mut bytes = [0u8; ADDRESS_ROOM];
    let mut room = bytes.len() as libc::socklen_t;
    // SAFETY: the address has the room it says.
    let result = unsafe { libc::getsockname(fd, bytes.as_mut_ptr().cast(), &raw mut room) };
    if result != 0 {
        return None;
    }
    address::decode(&bytes[..(room as usize).min(bytes.len())])
}

/// The flow behind the call's first argument.
pub fn flow_of(world: &mut World, args: &Arguments) -> Result<Option<FlowId>, Stop> {
    let script = args.number(0, world)?;
    Ok(super::values::handle(world, script)?.flow)
}
