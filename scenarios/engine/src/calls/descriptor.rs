//! Calls on descriptors of any kind.

use std::os::fd::{FromRawFd as _, OwnedFd};

use tunfarm_lang::ast::Expr;

use super::{Arguments, Invoke, Returned, values};
use crate::flows::FlowId;
use crate::run::World;
use crate::stop::{Broken, Stop, failed};

/// `close(FD)`
pub fn close(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(1)?;
    let script = args.number(0, world)?;
    values::handle(world, script)?;
    let Some(handle) = world.descriptors.remove(script) else {
        return failed(format!("the script has no open descriptor {script}"));
    };
    if let Some(flow) = handle.flow {
        let closed = !world.descriptors.holds(flow);
        world.flows.get_mut(flow).closed = closed;
    }
    let fd = handle.into_live();
    // SAFETY: the descriptor was ours, and nobody has it any more.
    Ok(Box::new(move || Returned::new(unsafe { libc::close(fd) })))
}

/// `dup(FD)`
pub fn dup(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(1)?;
    let fd = args.descriptor(0, world)?;
    let flow = flow_of(world, args)?;
    Ok(Box::new(move || {
        // SAFETY: no pointers.
        duplicate(unsafe { libc::dup(fd) }, flow)
    }))
}

/// `dup2(FD, NEW)`: the script's new number is one of its own, whatever the kernel's is.
pub fn dup2(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(2)?;
    let fd = args.descriptor(0, world)?;
    let flow = flow_of(world, args)?;
    Ok(Box::new(move || {
        // SAFETY: no pointers.
        duplicate(unsafe { libc::dup(fd) }, flow)
    }))
}

fn duplicate(new: i32, flow: Option<FlowId>) -> Returned {
    Returned::descriptor(new).then(move |world, script| {
        if new >= 0 {
            // SAFETY: the descriptor is new and nobody else's.
            let new = unsafe { OwnedFd::from_raw_fd(new) };
            world.descriptors.add(script, new, flow);
        }
        Ok(())
    })
}

fn flow_of(world: &mut World, args: &Arguments) -> Result<Option<FlowId>, Stop> {
    let script = args.number(0, world)?;
    Ok(values::handle(world, script)?.flow)
}

/// `fcntl(FD, COMMAND)`, `fcntl(FD, COMMAND, NUMBER)`
pub fn fcntl(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    let fd = args.descriptor(0, world)?;
    let command = args.int(1, world)?;
    let value = if args.has(2) { args.int(2, world)? } else { 0 };
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        let flow = flow_of(world, args)?;
        return Ok(Box::new(move || {
            // SAFETY: no pointers.
            duplicate(unsafe { libc::fcntl(fd, command, value) }, flow)
        }));
    }
    Ok(Box::new(move || {
        // SAFETY: these commands take a number.
        Returned::new(unsafe { libc::fcntl(fd, command, value) })
    }))
}

/// `ioctl(FD, REQUEST)`, `ioctl(FD, REQUEST, [NUMBER])`: the number must be what comes out.
pub fn ioctl(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    let fd = args.descriptor(0, world)?;
    let request = args.number(1, world)? as libc::Ioctl;
    if args.has(2) && args.is_null(2) {
        return Ok(Box::new(move || {
            // SAFETY: a null pointer is what the script wants to see refused.
            Returned::new(unsafe { libc::ioctl(fd, request, std::ptr::null_mut::<i32>()) })
        }));
    }
    let expected = match args.has(2) {
        true => match &args.get(2)?.node {
            Expr::Ellipsis => None,
            _ => Some(args.number(2, world)?),
        },
        false => None,
    };
    let given = expected.unwrap_or(0) as i32;
    Ok(Box::new(move || {
        // Room for more than an int: some requests write a structure.
        let mut value = [0i32; 32];
        value[0] = given;
        // SAFETY: the pointer is to a buffer of ours.
        let returned = Returned::new(unsafe { libc::ioctl(fd, request, value.as_mut_ptr()) });
        let got = value[0];
        returned.then(move |_, _| match expected {
            Some(expected) if expected != i64::from(got) => {
                Err(Broken::new(format!("ioctl() gave {got}, not {expected}"))
                    .field("value", expected.to_string(), got.to_string())
                    .into())
            }
            _ => Ok(()),
        })
    }))
}
