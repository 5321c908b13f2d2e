//! Waiting for events: `poll()` and `epoll`.

use std::os::fd::{FromRawFd as _, OwnedFd};

use tunfarm_lang::ast::{Expr, Field};

use super::{Arguments, Invoke, Returned, values};
use crate::run::World;
use crate::stop::{Broken, Stop, failed};

/// The most descriptors in one call.
const MAX_EVENTS: usize = 1024;

/// `poll([{fd=…, events=…, revents=…}], COUNT, TIMEOUT)`
pub fn poll(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let items = match &args.get(0)?.node {
        Expr::Array(items) if items.len() <= MAX_EVENTS => items.as_slice(),
        Expr::Ellipsis => &[],
        other => return failed(format!("{other:?} is not an array of pollfd")),
    };
    let mut entries = Vec::new();
    let mut wanted = Vec::new();
    for item in items {
        let Some(fields) = values::fields(&item.node) else {
            return failed("a pollfd is {fd=…, events=…, revents=…}");
        };
        let script = number(world, fields, "fd")?.unwrap_or(-1);
        let events = number(world, fields, "events")?.unwrap_or(0);
        wanted.push(number(world, fields, "revents")?);
        entries.push(libc::pollfd {
            fd: if script < 0 {
                -1
            } else {
                values::handle(world, script)?.live()
            },
            events: events as i16,
            revents: 0,
        });
    }
    let count = args.number(1, world)? as libc::nfds_t;
    let timeout = args.int(2, world)?;
    Ok(Box::new(move || {
        let count = count.min(entries.len() as libc::nfds_t);
        // SAFETY: the array has at least `count` entries.
        let result = unsafe { libc::poll(entries.as_mut_ptr(), count, timeout) };
        Returned::new(result).then(move |_, _| {
            let mut broken = Broken::new("poll() gave other events");
            for (at, (wanted, entry)) in wanted.iter().zip(&entries).enumerate() {
                if let Some(wanted) = wanted
                    && *wanted as i16 != entry.revents
                {
                    broken = broken.field(
                        &format!("revents of entry {}", at + 1),
                        format!("{wanted:#x}"),
                        format!("{:#x}", entry.revents),
                    );
                }
            }
            if broken.mismatches.is_empty() {
                Ok(())
            } else {
                Err(broken.into())
            }
        })
    }))
}

fn number(world: &World, fields: &[Field], name: &str) -> Result<Option<i64>, Stop> {
    match values::member(fields, name) {
        Some(field) if !matches!(field.value.node, Expr::Ellipsis) => {
            values::number(&field.value, &world.config.defines).map(Some)
        }
        _ => Ok(None),
    }
}

/// `epoll_create(SIZE)`
pub fn create(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(1)?;
    let size = args.int(0, world)?;
    Ok(Box::new(move || {
        // SAFETY: no pointers.
        let fd = unsafe { libc::epoll_create(size) };
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

/// What the script has in an `epoll_event`: the event mask, and the data with the script's own
/// descriptor numbers, which the kernel hands back as they are.
fn event(world: &World, expr: &Expr) -> Result<Option<libc::epoll_event>, Stop> {
    let Some(fields) = values::fields(expr) else {
        return Ok(None);
    };
    let events = number(world, fields, "events")?.unwrap_or(0) as u32;
    let mut data = 0;
    for name in ["fd", "ptr", "u32", "u64"] {
        if let Some(n) = number(world, fields, name)? {
            data = n as u64;
        }
    }
    Ok(Some(libc::epoll_event { events, u64: data }))
}

/// `epoll_ctl(EPFD, OPERATION, FD, EVENT)`
pub fn control(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(4)?;
    let epoll = args.descriptor(0, world)?;
    let operation = args.int(1, world)?;
    let fd = args.descriptor(2, world)?;
    let event = event(world, &args.get(3)?.node)?;
    Ok(Box::new(move || {
        let mut event = event;
        let pointer = event.as_mut().map_or(std::ptr::null_mut(), |e| &raw mut *e);
        // SAFETY: the pointer is null or to an event of ours.
        Returned::new(unsafe { libc::epoll_ctl(epoll, operation, fd, pointer) })
    }))
}

/// `epoll_wait(EPFD, EVENT, MOST, TIMEOUT)`: the first event must be what comes.
pub fn wait(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(4)?;
    let epoll = args.descriptor(0, world)?;
    let expr = args.get(1)?;
    let wanted = event(world, &expr.node)?;
    let has_data = values::fields(&expr.node).is_some_and(|fields| fields.len() > 1);
    let most = args.int(2, world)?;
    let timeout = args.int(3, world)?;
    Ok(Box::new(move || {
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; MAX_EVENTS];
        // SAFETY: the array has at least as many entries as are asked for.
        let result = unsafe {
            libc::epoll_wait(
                epoll,
                events.as_mut_ptr(),
                most.min(MAX_EVENTS as i32),
                timeout,
            )
        };
        Returned::new(result).then(move |_, _| {
            let (Some(wanted), 1..) = (wanted, result) else {
                return Ok(());
            };
            let (expected, got) = (wanted.events, events[0].events);
            if expected != got {
                return Err(Broken::new("epoll_wait() gave other events")
                    .field("events", format!("{expected:#x}"), format!("{got:#x}"))
                    .into());
            }
            let (expected, got) = (wanted.u64, events[0].u64);
            if has_data && expected != got {
                return Err(Broken::new("epoll_wait() gave other data")
                    .field("data", expected.to_string(), got.to_string())
                    .into());
            }
            Ok(())
        })
    }))
}
