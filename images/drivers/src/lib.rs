//! Builds of tun for a kernel: stock, edited, patched.
