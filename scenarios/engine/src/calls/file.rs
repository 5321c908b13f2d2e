//! Files and pipes, and bytes that go from one descriptor to another.

use std::os::fd::{FromRawFd as _, OwnedFd};

use tunfarm_lang::ast::Expr;

use super::{Arguments, Invoke, Returned, values};
use crate::run::World;
use crate::stop::{Stop, failed};
use crate::sys;

/// `open(PATH, FLAGS)`, `open(PATH, FLAGS, MODE)`
pub fn open(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    let path = values::text(args.get(0)?)?;
    let flags = args.int(1, world)?;
    let mode = if args.has(2) { args.int(2, world)? } else { 0 };
    let Ok(path) = sys::c_string(&path) else {
        return failed("a path with a NUL in it");
    };
    Ok(Box::new(move || {
        // SAFETY: a terminated string.
        let fd = unsafe { libc::open(path.as_ptr(), flags, mode) };
        Returned::descriptor(fd).then(move |world, script| {
            if fd >= 0 {
                // SAFETY: the descriptor is new and nobody else's.
                let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                world.descriptors.add(script, fd, None);
            }
            Ok(())
        })
    }))
}

/// `pipe([READ, WRITE])`: the numbers are the script's own.
pub fn pipe(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(1)?;
    let names = &world.config.defines;
    let (read, write) = match &args.get(0)?.node {
        Expr::Array(items) if items.len() == 2 => (
            values::number(&items[0], names)?,
            values::number(&items[1], names)?,
        ),
        other => return failed(format!("{other:?} is not an array of two descriptors")),
    };
    Ok(Box::new(move || {
        let mut fds = [-1i32; 2];
        // SAFETY: the array has room for two descriptors.
        let result = unsafe { libc::pipe(fds.as_mut_ptr()) };
        Returned::new(result).then(move |world, _| {
            if result == 0 {
                for (script, fd) in [(read, fds[0]), (write, fds[1])] {
                    // SAFETY: the descriptor is new and nobody else's.
                    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                    world.descriptors.add(script, fd, None);
                }
            }
            Ok(())
        })
    }))
}

/// An offset argument: `[0]`, or `NULL` and `...` for none.
fn offset(world: &World, args: &Arguments, index: usize) -> Result<Option<i64>, Stop> {
    if args.is_null(index) || args.is_any(index) {
        return Ok(None);
    }
    args.number(index, world).map(Some)
}

/// `sendfile(OUT, IN, [OFFSET], COUNT)`
pub fn sendfile(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(4)?;
    let out = args.descriptor(0, world)?;
    let input = args.descriptor(1, world)?;
    let mut offset = offset(world, args, 2)?;
    let count = args.number(3, world)? as usize;
    Ok(Box::new(move || {
        let pointer = offset
            .as_mut()
            .map_or(std::ptr::null_mut(), |o| &raw mut *o);
        // SAFETY: the pointer is null or to an offset of ours.
        Returned::new(unsafe { libc::sendfile(out, input, pointer, count) } as i64)
    }))
}

/// `splice(IN, [OFFSET], OUT, [OFFSET], LENGTH, FLAGS)`
pub fn splice(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(6)?;
    let input = args.descriptor(0, world)?;
    let mut from = offset(world, args, 1)?;
    let out = args.descriptor(2, world)?;
    let mut to = offset(world, args, 3)?;
    let length = args.number(4, world)? as usize;
    let flags = args.int(5, world)? as u32;
    Ok(Box::new(move || {
        let pointer = |offset: &mut Option<i64>| {
            offset
                .as_mut()
                .map_or(std::ptr::null_mut(), |o| &raw mut *o)
        };
        // SAFETY: the pointers are null or to offsets of ours.
        Returned::new(unsafe {
            libc::splice(
                input,
                pointer(&mut from),
                out,
                pointer(&mut to),
                length,
                flags,
            )
        } as i64)
    }))
}
