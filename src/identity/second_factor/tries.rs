//! Wrong codes of each account, across restarted sign-ins: five in ten minutes, wherever they come from.
//!
//! Whoever gets here knows the password, so the bound is tight; `throttle` adds waits that grow beyond it. This process's
//! own memory, bounded: the least used windows go first.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quick_cache::unsync::Cache;

use crate::{identity::account::AccountId, world::UnixMillis};

/// The windows.
#[derive(Debug)]
pub(in crate::identity) struct Tries {
    windows: Mutex<Cache<AccountId, Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: UnixMillis,
    tries: u32,
}

impl Default for Tries {
    fn default() -> Self {
        Self { windows: Mutex::new(Cache::new(WINDOWS)) }
    }
}

impl Tries {
    /// Counts a try and tells how many are left after it; or until when there are none.
    pub(super) fn count(&self, account: &AccountId, now: UnixMillis) -> Result<u32, UnixMillis> {
        let mut windows = self.lock();
        let window = current(&windows, account, now);
        if window.tries >= TRIES {
            return Err(window.began.plus(WINDOW));
        }
        let tries = window.tries + 1;
        windows.insert(account.clone(), Window { tries, ..window });
        Ok(TRIES - tries)
    }

    /// The last try was not judged.
    pub(super) fn take_back(&self, account: &AccountId) {
        if let Some(mut window) = self.lock().get_mut(account) {
            window.tries = window.tries.saturating_sub(1);
        }
    }

    /// The right code came.
    pub(super) fn clear(&self, account: &AccountId) {
        self.lock().remove(account);
    }

    /// Until when no code is taken; `None` when one is.
    pub(super) fn blocked(&self, account: &AccountId, now: UnixMillis) -> Option<UnixMillis> {
        let window = current(&self.lock(), account, now);
        (window.tries >= TRIES).then(|| window.began.plus(WINDOW))
    }

    /// When the account's window ends.
    pub(super) fn until(&self, account: &AccountId, now: UnixMillis) -> UnixMillis {
        current(&self.lock(), account, now).began.plus(WINDOW)
    }

    fn lock(&self) -> MutexGuard<'_, Cache<AccountId, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current(windows: &Cache<AccountId, Window>, account: &AccountId, now: UnixMillis) -> Window {
    let known = windows.get(account).copied();
    known.filter(|window| now < window.began.plus(WINDOW)).unwrap_or(Window { began: now, tries: 0 })
}

const TRIES: u32 = 5;
const WINDOW: Duration = Duration::from_secs(600);
const WINDOWS: usize = 100_000;
