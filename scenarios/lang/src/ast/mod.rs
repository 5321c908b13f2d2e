//! The syntax tree of a script.
//!
//! Everything that an error message may want to point at is a [`Spanned`]: the
//! node and the bytes of the script it came from. Two trees are equal when
//! they mean the same, wherever they stand: comparing ignores spans.
//!
//! The tree is what the text says, not yet what it means on this machine:
//! names (`SOL_SOCKET`, `TFO_COOKIE`) stay names, because the user may define
//! them on the command line; `crate::symbols` has the values.

mod code;
mod expr;
mod option;
mod packet;
mod script;
mod source;
mod tcp;
mod time;

pub use code::{BinaryOp, Code, CodeExpr, CompareOp, Statement, UnaryOp};
pub use expr::{Expr, Field, IntLiteral, Syscall, SyscallResult};
pub use option::{OptionLine, OptionValue};
pub use packet::{
    Direction, Echoed, Encapsulation, GreHeader, IcmpPacket, IpEcn, IpInfo, MplsEntry, Number,
    Packet, PacketBody, PspHeader, UdpPacket,
};
pub use script::{Action, Command, Event, Script};
pub use source::{Position, Source, Span, Spanned};
pub use tcp::{
    AccEcnField, Bytes, SackBlock, Sequence, TcpFlags, TcpOption, TcpOptions, TcpPacket,
};
pub use time::{Nanos, When};
