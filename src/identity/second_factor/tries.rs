//! Wrong codes of each account, across restarted sign-ins: five in ten minutes, wherever they come from.
//!
//! Whoever gets here knows the password, so the bound is tight; `throttle` adds waits that grow beyond it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    identity::{
        Refusal,
        account::AccountId,
        limits::{Key, Limits, key},
        throttle::SKEW,
    },
    world::UnixMillis,
};

/// The windows.
#[derive(Debug)]
pub(in crate::identity) struct Tries {
    limits: Limits,
}

/// The wrong codes of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Window {
    pub began: UnixMillis,
    pub tries: u32,
}

impl Window {
    /// What is known, or a new one when that has ended.
    pub fn current(known: Option<Self>, now: UnixMillis) -> Self {
        let runs = |window: &Self| now < window.until() && window.began <= now.plus(SKEW);
        known.filter(runs).unwrap_or(Self { began: now, tries: 0 })
    }

    /// With one more; `Err` with what is known when it is full.
    pub fn counted(known: Option<Self>, now: UnixMillis) -> Result<Self, Self> {
        let window = Self::current(known, now);
        if window.full() { Err(window) } else { Ok(Self { tries: window.tries + 1, ..window }) }
    }

    /// When it ends.
    pub fn until(&self) -> UnixMillis {
        self.began.plus(Self::SPAN)
    }

    fn full(&self) -> bool {
        self.tries >= Self::TRIES
    }

    pub const TRIES: u32 = 5;
    pub const SPAN: Duration = Duration::from_secs(600);
}

impl Tries {
    pub(in crate::identity) fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Counts a try and answers the window with it; or until when there are none.
    ///
    /// # Errors
    /// [`Refusal::Store`]: it may have been counted.
    pub(super) async fn count(
        &self,
        account: &AccountId,
        now: UnixMillis,
    ) -> Result<Result<Counted, UnixMillis>, Refusal> {
        let counted = self.limits.count(name(account), now).await?;
        Ok(counted
            .map(|window| Counted { left: Window::TRIES.saturating_sub(window.tries), until: window.until() })
            .map_err(|full| full.until()))
    }

    /// The last try was not judged.
    pub(super) async fn take_back(&self, account: &AccountId) {
        unneeded(self.limits.take_back(name(account)).await);
    }

    /// The right code came.
    pub(super) async fn clear(&self, account: &AccountId) {
        unneeded(self.limits.clear(name(account)).await);
    }

    /// Until when no code is taken; `None` when one is.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub(super) async fn blocked(&self, account: &AccountId, now: UnixMillis) -> Result<Option<UnixMillis>, Refusal> {
        let window = self.limits.window(name(account), now).await?;
        Ok(window.full().then(|| window.until()))
    }
}

/// A try that was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Tries left after it.
    pub left: u32,
    /// When there are new ones.
    pub until: UnixMillis,
}

fn name(account: &AccountId) -> Key {
    key(&["tries", &account.0])
}

/// Too much stays counted for ten minutes: no reason to fail.
fn unneeded(done: Result<(), crate::storage::redis::Unreachable>) {
    if let Err(error) = done {
        tracing::debug!(error = %error.0, "a code that should not count stays counted");
    }
}
