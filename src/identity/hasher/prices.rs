//! What hashes of other systems cost on this machine, in Argon2's KiB times passes.
//!
//! Processors differ by a factor of two or so in how these compare, and time would tell whose hash is of another system. So
//! each comparison's processor time is held against that of Argon2 here, and mends the table's estimate for its kind.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use super::foreign::KINDS;

/// The estimates, mended. Races between threads lose an observation, no more.
#[derive(Debug)]
pub(super) struct Prices {
    /// Picoseconds for a unit of work by Argon2; 0 before the first.
    argon2: AtomicU64,
    kinds: [Price; KINDS],
}

#[derive(Debug)]
struct Price {
    /// Thousandths of the table's estimate; 0 before the first comparison.
    mended: AtomicU64,
    /// The dearest one met, by the table.
    dearest: AtomicU64,
}

impl Prices {
    pub(super) fn new() -> Self {
        let price = || Price { mended: AtomicU64::new(0), dearest: AtomicU64::new(0) };
        Self { argon2: AtomicU64::new(0), kinds: std::array::from_fn(|_| price()) }
    }

    /// Argon2 took so long for that much work.
    pub(super) fn took_argon2(&self, work: u64, time: Duration) {
        if let Some(each) = picoseconds(time).checked_div(work) {
            mend(&self.argon2, each);
        }
    }

    /// A comparison of that kind took so long, which the table says to be that much work; how much it really was.
    pub(super) fn took(&self, kind: usize, estimate: u64, time: Duration) -> u64 {
        let Some(price) = self.kinds.get(kind) else { return estimate };
        price.dearest.fetch_max(estimate, Ordering::Relaxed);
        let work = picoseconds(time).checked_div(self.argon2.load(Ordering::Relaxed));
        if let Some(thousandths) = work.and_then(|work| work.saturating_mul(1000).checked_div(estimate)) {
            // Bounded: what disturbed one comparison must not make every failure endless.
            mend(&price.mended, thousandths.clamp(CHEAPEST, DEAREST));
        }
        price.of(estimate)
    }

    /// The dearest comparison so far.
    pub(super) fn dearest(&self) -> u64 {
        self.kinds.iter().map(|price| price.of(price.dearest.load(Ordering::Relaxed))).max().unwrap_or(0)
    }
}

impl Price {
    fn of(&self, estimate: u64) -> u64 {
        match self.mended.load(Ordering::Relaxed) {
            0 => estimate,
            thousandths => estimate.saturating_mul(thousandths) / 1000,
        }
    }
}

/// The first observation counts whole, later ones an eighth.
fn mend(place: &AtomicU64, seen: u64) {
    let known = place.load(Ordering::Relaxed);
    let mended = if known == 0 { seen } else { (known.saturating_mul(7).saturating_add(seen)) / 8 };
    place.store(mended.max(1), Ordering::Relaxed);
}

fn picoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_mul(1000)
}

/// What this thread worked so far: waiting for a processor is not in it.
pub(super) fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

const CHEAPEST: u64 = 250;
const DEAREST: u64 = 4000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_estimate_is_mended_by_what_comparisons_take_here() {
        let prices = Prices::new();
        assert_eq!(prices.took(0, 1000, 50 * MS), 1000, "nothing to hold it against yet");
        prices.took_argon2(1000, 10 * MS);
        assert_eq!(prices.took(0, 1000, 20 * MS), 2000, "twice as dear as the table says");
        assert_eq!(prices.took(1, 1000, 5 * MS), 500, "each kind by itself");
        assert_eq!(prices.took(0, 1000, 12 * MS), 1900, "one comparison alone turns little");
        assert_eq!(prices.dearest(), 1900);
        for _ in 0..100 {
            prices.took(0, 1000, 15 * MS);
        }
        assert!(prices.dearest().abs_diff(1500) <= 10, "{}", prices.dearest());
    }

    #[test]
    fn no_single_comparison_makes_failures_endless() {
        let prices = Prices::new();
        prices.took_argon2(1000, 10 * MS);
        assert_eq!(prices.took(2, 1000, Duration::from_hours(1)), 4000);
        assert_eq!(prices.took(3, 0, 5 * MS), 0, "what costs nothing by the table");
    }

    #[test]
    fn work_is_what_the_thread_did_and_not_what_it_waited() {
        let before = worked();
        std::hint::black_box((0..1_000_000_u64).fold(1, |product: u64, factor| product.wrapping_mul(factor | 1)));
        assert!(worked() > before);
    }
}
