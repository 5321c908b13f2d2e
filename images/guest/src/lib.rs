//! The agent that is PID 1 of every virtual machine.
//!
//! [`init`] is its life: it boots, finds out what the kernel has ([`facts`]), warms it up
//! ([`warmup`]), says "ready", spins until a job is there, runs it ([`job`]) and hands the evidence
//! out ([`evidence`]). While a script runs ([`stage`]), the [`collectors`] watch it.
//!
//! Everything here works on Linux 2.6.32 or has a fall-back; nothing uses the network to speak to
//! the host, or asks the host anything.

pub mod capture;
pub mod collectors;
pub mod counters;
pub mod driver;
pub mod evidence;
pub mod facts;
pub mod fw_cfg;
pub mod init;
pub mod job;
pub mod loopback;
pub mod modules;
pub mod mounts;
pub mod observer;
pub mod packetdrill;
pub mod pit;
pub mod port;
pub mod probe;
pub mod quiet;
pub mod sampler;
pub mod ss;
pub mod stage;
pub mod sys;
pub mod warmup;
