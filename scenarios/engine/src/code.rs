//! `%{ … }%` blocks.

use tunfarm_lang::ast::Code;

use crate::run::World;
use crate::stop::{Stop, unsupported};

/// Runs a block.
pub fn run(world: &mut World, code: &Code) -> Result<(), Stop> {
    let _ = (world, code);
    unsupported("code blocks")
}
