//! Turns the results of a run into what people and machines read.
//!
//! [`model`] is what a run *is*; every other module is a consumer of it, and none is special.

pub mod model;
