//! The rule of a bound, pure: the memory and the script in Redis do the same arithmetic.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::world::UnixMillis;

/// A bound: so many tries are free, then each waits longer than the last. What was counted decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Tries before the first wait.
    pub free: u32,
    /// How long after a try the next one counts; the last one repeats.
    pub waits: &'static [Duration],
    /// With each such span since the first try, the tally halves.
    pub halve: Duration,
}

/// What happened so far under one bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Tries that did not succeed, as they were at `since`, and those after it.
    pub tries: u32,
    /// The last of them.
    pub last: UnixMillis,
    /// Since when the tally has not halved.
    pub since: UnixMillis,
}

impl Steps {
    /// Until when the next try is refused; `None` when it may go ahead.
    #[must_use]
    pub fn blocked(&self, tally: Tally, now: UnixMillis) -> Option<UnixMillis> {
        let tally = self.current(tally, now);
        let over = usize::try_from(tally.tries.checked_sub(self.free)?).unwrap_or(usize::MAX);
        let wait = self.waits.get(over).or(self.waits.last())?;
        let until = tally.last.plus(*wait);
        (now < until).then_some(until)
    }

    /// The tally with one more try.
    #[must_use]
    pub fn counted(&self, tally: Tally, now: UnixMillis) -> Tally {
        let tally = self.current(tally, now);
        Tally { tries: tally.tries.saturating_add(1), last: now, since: tally.since }
    }

    /// The tally as it has decayed by now.
    #[must_use]
    pub fn current(&self, tally: Tally, now: UnixMillis) -> Tally {
        let fresh = Tally { tries: 0, last: now, since: now };
        // A clock that was wrong when it was written must not close anything for years.
        if tally.last > now.plus(SKEW) {
            return fresh;
        }
        let halvings = now.since(tally.since).as_millis() / self.halve.as_millis().max(1);
        let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
        match tally.tries.checked_shr(halvings).unwrap_or(0) {
            0 => fresh,
            tries => Tally { tries, since: tally.since.plus(self.halve.saturating_mul(halvings)), ..tally },
        }
    }

    /// When nothing is left of it.
    #[must_use]
    pub fn gone(&self, tally: Tally) -> UnixMillis {
        let halvings = u32::BITS - tally.tries.leading_zeros();
        tally.since.plus(self.halve.saturating_mul(halvings))
    }
}

/// How far the clocks of two nodes may differ.
pub const SKEW: Duration = Duration::from_secs(3600);
