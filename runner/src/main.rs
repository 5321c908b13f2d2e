//! The `tunfarm` command.
fn main() {}
