//! Boots kernels, runs close scenarios in them and judges what they did.
