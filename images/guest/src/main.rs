//! PID 1 of every virtual machine.
fn main() {}
