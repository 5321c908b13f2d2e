//! Makes what boots: kernels out of packages, the tools layer, the initramfs.
