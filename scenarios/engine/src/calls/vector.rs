//! Buffers in pieces: `readv()`, `writev()`, and the iovec of messages.

use tunfarm_lang::ast::{Expr, Spanned};
use tunfarm_lang::symbols::Definitions;

use super::values::{self, MAX_BUFFER};
use super::{Arguments, Invoke, Returned};
use crate::run::World;
use crate::stop::{Stop, failed};

/// The most pieces the kernel takes (`UIO_MAXIOV`).
const MAX_PIECES: usize = 1024;

/// Pieces of memory, owned.
pub struct Pieces {
    buffers: Vec<Vec<u8>>,
}

impl Pieces {
    /// Reads `[{..., 1000}, {"text", 4}]`.
    pub fn parse(expr: &Spanned<Expr>, names: &Definitions) -> Result<Pieces, Stop> {
        let items = match &expr.node {
            Expr::Array(items) => items.as_slice(),
            Expr::Ellipsis => &[],
            other => return failed(format!("{other:?} is not an array of buffers")),
        };
        if items.len() > MAX_PIECES {
            return failed(format!(
                "{} buffers are more than {MAX_PIECES}",
                items.len()
            ));
        }
        let mut buffers = Vec::with_capacity(items.len());
        let mut total = 0;
        for item in items {
            let Some([base, length]) = values::fields(&item.node) else {
                return failed("a buffer is {content, length}");
            };
            let length = values::length(values::number(&length.value, names)?)?;
            total += length;
            if total > MAX_BUFFER {
                return failed(format!("the buffers are more than {MAX_BUFFER} bytes"));
            }
            let mut buffer = match &base.value.node {
                Expr::String(text) | Expr::StringPrefix(text) => text.clone(),
                _ => Vec::new(),
            };
            buffer.resize(length, 0);
            buffers.push(buffer);
        }
        Ok(Pieces { buffers })
    }

    /// As the kernel takes them; they point into `self`.
    pub fn vectors(&mut self) -> Vec<libc::iovec> {
        self.buffers
            .iter_mut()
            .map(|b| libc::iovec {
                iov_base: b.as_mut_ptr().cast(),
                iov_len: b.len(),
            })
            .collect()
    }

    /// Leaves the memory where it is for ever: the kernel may still read it.
    pub fn leak(self) {
        std::mem::forget(self);
    }
}

/// `readv(FD, [PIECES], COUNT)`, `writev(…)`
pub fn transfer(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(3)?;
    let write = args.name() == "writev";
    let fd = args.descriptor(0, world)?;
    let mut pieces = Pieces::parse(args.get(1)?, &world.config.defines)?;
    let count = args.int(2, world)?;
    Ok(Box::new(move || {
        let vectors = pieces.vectors();
        let count = count.min(vectors.len() as i32);
        // SAFETY: the vectors point to buffers with the lengths they say, and there are at least
        // `count` of them.
        let result = unsafe {
            if write {
                libc::writev(fd, vectors.as_ptr(), count)
            } else {
                libc::readv(fd, vectors.as_ptr(), count)
            }
        };
        Returned::new(result as i64)
    }))
}
