//! Which account a number (or address) waits for. The provider keeps one code per destination: two accounts that waited
//! for the same one would share it. So the second has to wait until the first one's verification ends.
//!
//! This process's own memory, bounded by refusing: nothing that still waits is ever forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;

use crate::{identity::account::AccountId, verify::Destination, world::UnixMillis};

/// Destinations by the hash of their text: no list of numbers lies in memory.
#[derive(Debug, Default)]
pub(in crate::identity) struct Pending {
    waiting: Mutex<HashMap<[u8; 32], Wait>>,
}

#[derive(Debug)]
struct Wait {
    account: AccountId,
    until: UnixMillis,
}

/// How a claim went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It was free.
    Fresh,
    /// It waited for this account already.
    Renewed,
}

impl Pending {
    /// Lets the destination wait for this account; or tells until when it waits for another.
    pub(super) fn claim(&self, to: &Destination, account: &AccountId, now: UnixMillis) -> Result<Claim, UnixMillis> {
        let key = key(to);
        let mut waiting = self.lock();
        let before = waiting.get(&key).filter(|wait| now < wait.until);
        let claim = match before {
            Some(wait) if wait.account != *account => return Err(wait.until),
            Some(_) => Claim::Renewed,
            None => Claim::Fresh,
        };
        if waiting.len() >= ROOM {
            waiting.retain(|_, wait| now < wait.until);
            if waiting.len() >= ROOM && claim == Claim::Fresh {
                return Err(now.plus(LIFE));
            }
        }
        waiting.insert(key, Wait { account: account.clone(), until: now.plus(LIFE) });
        Ok(claim)
    }

    /// The account's verification ended.
    pub(super) fn release(&self, to: &Destination, account: &AccountId) {
        let key = key(to);
        let mut waiting = self.lock();
        if waiting.get(&key).is_some_and(|wait| wait.account == *account) {
            waiting.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Wait>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(to: &Destination) -> [u8; 32] {
    let (kind, text) = match to {
        Destination::Phone(number) => ("phone", number.clone()),
        // The mailbox is the same however its case is written.
        Destination::Email(address) => ("email", address.to_lowercase()),
    };
    let mut key = [0; 32];
    for (place, byte) in
        key.iter_mut().zip(digest::digest(&digest::SHA256, format!("{kind}\0{text}").as_bytes()).as_ref())
    {
        *place = *byte;
    }
    key
}

/// How long a verification lives (VERIFY-API). Counted from the last send, which is never too short.
pub(super) const LIFE: Duration = Duration::from_secs(600);
const ROOM: usize = 100_000;
