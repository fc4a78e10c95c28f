//! What only the outside world can give: the time and random bytes.
//!
//! Rules take both as arguments ([`UnixMillis`], `[u8; N]`), so that they are pure and tables test them; the
//! composition root hands a [`Clock`] and an [`Entropy`] to the rooms that ask for them. Nothing else in the
//! crate reads the system clock for a decision or asks the operating system for randomness.

pub mod client;
#[cfg(test)]
mod replay;
pub mod roots;
pub mod vault;

#[cfg(test)]
pub(crate) use self::replay::replay;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z: the one form of time in records, SQL and on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This moment plus `span`, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `span` before.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this moment lies; zero when it does not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole seconds since the epoch, as `exp` and `auth_time` want them (RFC 7519 `NumericDate`).
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Where "now" comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that tests move by hand.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The current time.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match self {
            Self::System => UnixMillis(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            ),
            Self::Manual(millis) => UnixMillis(millis.load(Ordering::SeqCst)),
        }
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: UnixMillis) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.0)))
    }

    /// Moves a manual clock forward; the system clock is not ours to move.
    pub fn advance(&self, span: Duration) {
        if let Self::Manual(millis) = self {
            millis.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// Milliseconds of a clock that only goes forward, since some moment. It goes by the kernel's last tick, which costs a fifth of
/// what the exact time does, and every request asks several times.
#[must_use]
pub fn ticking() -> u64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    u64::try_from(time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)).unwrap_or(0)
}

/// How late [`ticking`] may be at most: a tick of a kernel that ticks a hundred times a second.
pub const LATEST_TICK: Duration = Duration::from_millis(10);

/// The operating system could not give random bytes; nothing secret can be made without them.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes (is /dev/urandom there?)")]
pub struct NoEntropy;

/// Where random bytes come from: the operating system, or a counter that tests can predict.
#[derive(Clone)]
pub enum Entropy {
    /// `getrandom(2)`.
    System,
    /// Distinct but predictable bytes. Only tests make one.
    Counting(Arc<AtomicI64>),
}

impl Entropy {
    /// `N` fresh bytes.
    ///
    /// # Errors
    /// [`NoEntropy`] when the operating system has none.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], NoEntropy> {
        let mut bytes = [0; N];
        match self {
            Self::System => getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?,
            Self::Counting(count) => {
                let count = count.fetch_add(1, Ordering::SeqCst).to_be_bytes();
                for (place, byte) in bytes.iter_mut().rev().zip(count.iter().rev()) {
                    *place = *byte;
                }
            }
        }
        Ok(bytes)
    }

    /// The predictable source for tests.
    #[must_use]
    pub fn counting() -> Self {
        Self::Counting(Arc::new(AtomicI64::new(1)))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "Entropy::System",
            Self::Counting(_) => "Entropy::Counting",
        })
    }
}
