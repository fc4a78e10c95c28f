//! Passive ejection: an address that could not be reached is left alone for a while, longer each time.
//!
//! Only what happens between us and the address counts, never what its application answers. While all is well this is one
//! relaxed load, and no clock is read.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Of one endpoint.
#[derive(Default)]
pub(super) struct Rest {
    /// In a row.
    failures: AtomicU32,
    until: Mutex<Option<Instant>>,
}

impl Rest {
    /// Whether it should be left alone.
    pub fn now(&self) -> bool {
        self.failures() > 0
            && self.until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at > Instant::now())
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures.load(Relaxed)
    }

    /// It could not be reached, or broke off at once.
    pub fn failed(&self) {
        let before = self.failures.fetch_add(1, Relaxed);
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + pause(before));
    }

    /// It answered.
    pub fn over(&self) {
        if self.failures() > 0 {
            self.failures.store(0, Relaxed);
        }
    }
}

/// Doubles from a second to a minute.
fn pause(failures_before: u32) -> Duration {
    FIRST.saturating_mul(1 << failures_before.min(6)).min(LONGEST)
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let pauses = [0, 1, 2, 3, 4, 5, 6, 7, 99].map(|before| pause(before).as_secs());
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_rest_ends_with_an_answer() {
        let rest = Rest::default();
        assert!(!rest.now());
        rest.failed();
        assert!(rest.now());
        rest.over();
        assert!(!rest.now());
    }
}
