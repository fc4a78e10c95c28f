//! Which account a number (or address) waits for. The provider keeps one code per destination: two accounts that waited
//! for the same one would share it. So the second has to wait until the first one's verification ends. But who proved to
//! have the number never waits for somebody who only says so: a sign-in takes it from an enrolment, whose verification ends.
//!
//! This process's own memory, bounded by refusing: nothing that still waits is ever forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;

use crate::{
    identity::account::AccountId,
    verify::{Destination, Started},
    world::UnixMillis,
};

/// Destinations by the hash of their text: no list of numbers lies in memory.
#[derive(Debug, Default)]
pub(in crate::identity) struct Pending {
    waiting: Mutex<HashMap<[u8; 32], Wait>>,
}

/// What a destination waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    account: AccountId,
    until: UnixMillis,
    /// The account's own factor, not one being enrolled.
    proved: bool,
    /// What was sent, once it was.
    pub(super) started: Option<Started>,
}

/// How a claim went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It was free.
    Fresh,
    /// It waited for this account already.
    Renewed,
    /// It waited for another account's enrolment, which has lost it.
    Taken(Wait),
}

impl Pending {
    /// Lets the destination wait for this account; or tells until when it waits for another. `proved`: the account has
    /// shown before that it is theirs.
    pub(super) fn claim(
        &self,
        to: &Destination,
        account: &AccountId,
        proved: bool,
        now: UnixMillis,
    ) -> Result<Claim, UnixMillis> {
        let key = key(to);
        let mut waiting = self.lock();
        let before = waiting.get(&key).filter(|wait| now < wait.until);
        let claim = match before {
            Some(wait) if wait.account != *account && proved && !wait.proved => Claim::Taken(wait.clone()),
            Some(wait) if wait.account != *account => return Err(wait.until),
            Some(_) => Claim::Renewed,
            None => Claim::Fresh,
        };
        let started = before.filter(|wait| wait.account == *account).and_then(|wait| wait.started.clone());
        if waiting.len() >= ROOM {
            waiting.retain(|_, wait| now < wait.until);
            if waiting.len() >= ROOM && claim == Claim::Fresh {
                return Err(now.plus(LIFE));
            }
        }
        waiting.insert(key, Wait { account: account.clone(), until: now.plus(LIFE), proved, started });
        Ok(claim)
    }

    /// The claim came to nothing: as it was before.
    pub(super) fn undo(&self, to: &Destination, account: &AccountId, claim: Claim) {
        match claim {
            Claim::Fresh => self.release(to, account),
            Claim::Renewed => {}
            Claim::Taken(before) => {
                self.lock().insert(key(to), before);
            }
        }
    }

    /// What was sent for the claim.
    pub(super) fn sent(&self, to: &Destination, account: &AccountId, started: &Started) {
        if let Some(wait) = self.lock().get_mut(&key(to)).filter(|wait| wait.account == *account) {
            wait.started = Some(started.clone());
        }
    }

    /// Whether the destination waits for another account by now.
    pub(super) fn lost(&self, to: &Destination, account: &AccountId, now: UnixMillis) -> bool {
        self.lock().get(&key(to)).is_some_and(|wait| wait.account != *account && now < wait.until)
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
