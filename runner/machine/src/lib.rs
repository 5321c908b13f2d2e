//! A QEMU virtual machine: boot, snapshot, fork, watch, end.
