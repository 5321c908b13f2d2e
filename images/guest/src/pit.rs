//! The 8254 interval timer, which nobody may need.
//!
//! It comes out of reset counting 18.2 times a second. A kernel whose clock events come from the
//! local APIC leaves it so, with its interrupt masked; but the emulator goes on computing its two
//! edges a period, and that is most of what an idle virtual second costs.

use std::io;

use crate::port::Ports;
use crate::sys;

/// Mode/command register and the counter of channel 0 (Intel 8254 data sheet).
const COMMAND: u16 = 0x43;
const CHANNEL_0: u16 = 0x40;
/// Channel 0, low then high byte, mode 0: counts once and stays silent.
const ONCE: u8 = 0x30;
/// Longer than a tick of any kernel, in nanoseconds.
const WATCHED_NS: i64 = 100_000_000;

/// Stops the timer unless the kernel takes interrupts from it. A kernel that wants it later
/// programs it anew.
pub fn stop_if_unused(ports: &Ports) -> io::Result<()> {
    let before = interrupts();
    sys::sleep_until(sys::monotonic_ns() + WATCHED_NS);
    if before.is_none() || before != interrupts() {
        return Ok(());
    }
    ports.write(COMMAND, &[ONCE])?;
    ports.write(CHANNEL_0, &[0, 0])
}

/// How many interrupts line 0 has had; `None` where `/proc/interrupts` cannot be read.
fn interrupts() -> Option<u64> {
    Some(count_of_line_0(&sys::read("/proc/interrupts").ok()?))
}

/// The sum over the processors; 0 if the line is not used at all.
fn count_of_line_0(text: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("0:"));
    line.map_or(0, |line| {
        line.split_whitespace()
            .map_while(|n| n.parse::<u64>().ok())
            .sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_0_is_found_and_summed() {
        let text = "           CPU0       CPU1\n  0:         21          2   IO-APIC   2-edge      timer\n  8: 5 6 rtc0\n LOC: 7 8\n";
        assert_eq!(count_of_line_0(text), 23);
        assert_eq!(count_of_line_0("  10:  5  x\nLOC: 9\n"), 0);
    }
}
