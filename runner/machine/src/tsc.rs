//! The host's time-stamp counter, which a guest in real time reads as its own.

use std::time::{Duration, Instant};

/// Long enough that reading two clocks one after the other does not matter (below 10 ppm).
const MEASURED: Duration = Duration::from_millis(100);

/// Its rate in kHz; `None` on a host that has none.
#[cfg(target_arch = "x86_64")]
pub fn khz() -> Option<u64> {
    // SAFETY: every x86-64 processor has the instruction, and the host's kernel allows it.
    let counter = || unsafe { core::arch::x86_64::_rdtsc() };
    let (from, began) = (counter(), Instant::now());
    std::thread::sleep(MEASURED);
    let (to, elapsed) = (counter(), began.elapsed());
    rate(to.checked_sub(from)?, elapsed)
}

/// Its rate in kHz; `None` on a host that has none.
#[cfg(not(target_arch = "x86_64"))]
pub fn khz() -> Option<u64> {
    None
}

fn rate(ticks: u64, elapsed: Duration) -> Option<u64> {
    let khz = u128::from(ticks) * 1_000_000 / elapsed.as_nanos().max(1);
    u64::try_from(khz).ok().filter(|khz| *khz > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_per_millisecond() {
        assert_eq!(
            rate(230_000_000, Duration::from_millis(100)),
            Some(2_300_000)
        );
        assert_eq!(rate(0, MEASURED), None);
    }
}
