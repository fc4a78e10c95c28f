//! Who was noted as seen lately, so that "last seen" costs a write a minute and not one a request.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{identity::account::AccountId, world::UnixMillis};

/// Accounts noted within the last minute, bounded: of those who do not fit, some are noted a minute later.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    at: HashMap<AccountId, UnixMillis>,
    /// When the full map was last cleared of old entries.
    swept: UnixMillis,
}

const INTERVAL: Duration = Duration::from_secs(60);
const ACCOUNTS_AT_MOST: usize = 4096;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Seen {
    /// Whether this account should be noted now; says so once a minute.
    pub(super) fn due(&self, account: &AccountId, now: UnixMillis) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = noted.at.get_mut(account) {
            let due = now.since(*at) >= INTERVAL;
            if due {
                *at = now;
            }
            return due;
        }
        noted.room(now) && noted.at.insert(account.clone(), now).is_none()
    }
}

impl Noted {
    fn room(&mut self, now: UnixMillis) -> bool {
        if self.at.len() >= ACCOUNTS_AT_MOST && now.since(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            self.at.retain(|_, at| now.since(*at) < INTERVAL);
        }
        self.at.len() < ACCOUNTS_AT_MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountId {
        AccountId(name.into())
    }

    #[test]
    fn an_account_is_noted_once_a_minute() {
        let seen = Seen::default();
        let due = |name, at| seen.due(&account(name), UnixMillis(at));
        assert!(due("ada", 1_000));
        assert!(!due("ada", 60_999));
        assert!(due("ben", 60_999));
        assert!(due("ada", 61_000));
        assert!(!due("ada", 61_001));
    }

    #[test]
    fn the_list_is_bounded_and_makes_room_again() {
        let seen = Seen::default();
        for number in 0..ACCOUNTS_AT_MOST {
            assert!(seen.due(&account(&number.to_string()), UnixMillis(1_000)));
        }
        assert!(!seen.due(&account("one more"), UnixMillis(2_000)));
        assert!(seen.due(&account("one more"), UnixMillis(70_000)));
    }
}
