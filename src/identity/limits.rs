//! Where counted tries, wrong codes and waiting numbers are kept: in Redis when sessions are there, so that all nodes share
//! them; else in this process's memory, bounded, with `data_dir/throttle.db` behind it, so that a restart forgets nothing.
//!
//! Every operation is one step that nothing comes between. Keys are hashes: no list of names or numbers lies anywhere.

mod file;
mod own;
mod scripts;
mod shared;

#[cfg(test)]
mod contract;

use std::{path::Path, sync::Arc, time::Duration};

use aws_lc_rs::digest;

pub use self::own::NotOpened;
use self::{own::Own, shared::Shared};
use super::{
    account::AccountId,
    second_factor::{Claim, Wait, Window},
    throttle::Steps,
};
use crate::{
    storage::redis::{Link, Unreachable},
    verify::Started,
    world::{Clock, UnixMillis},
};

/// The backend, chosen in `app`. Cheap to clone. By default: memory alone, as commands need it.
#[derive(Clone, Debug)]
pub enum Limits {
    /// This process's own.
    Own(Arc<Own>),
    /// All nodes' together.
    Shared(Arc<Shared>),
}

/// One try under the bounds there are. The pair stands first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub pair: Option<(Key, Steps)>,
    pub network: Option<(Key, Steps)>,
    pub subject: Option<(Key, Steps)>,
    /// Where this is known, the pair alone judges.
    pub usual: Option<Key>,
    /// The network counts (and judges) a pair once.
    pub distinct: bool,
}

/// What a try turned out to be.
#[derive(Clone, Debug)]
pub(super) struct Correction {
    /// These start anew.
    pub forgotten: Vec<Key>,
    /// These lose one try.
    pub taken_back: Vec<Key>,
    /// This is known from now on.
    pub usual: Option<Key>,
}

/// The first half of a SHA-256: whatever was typed, an entry has one small size.
pub(super) type Key = [u8; 16];

/// The subject stands last in every list and the rest holds no NUL: no two lists meet.
pub(super) fn key(parts: &[&str]) -> Key {
    let hash = digest::digest(&digest::SHA256, parts.join("\0").as_bytes());
    let mut key = Key::default();
    for (place, byte) in key.iter_mut().zip(hash.as_ref()) {
        *place = *byte;
    }
    key
}

impl Default for Limits {
    fn default() -> Self {
        Self::Own(Arc::new(Own::default()))
    }
}

macro_rules! either {
    ($self:ident, $store:ident => $done:expr, $asked:expr) => {
        match $self {
            Self::Own($store) => Ok($done),
            Self::Shared($store) => $asked.await,
        }
    };
}

impl Limits {
    /// Memory, and `data_dir/throttle.db` behind it. Call it on the service runtime, as the only process on that folder.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn embedded(data_dir: &Path) -> Result<Self, NotOpened> {
        Ok(Self::Own(Arc::new(Own::open(data_dir).await?)))
    }

    /// Redis, over the link that the sessions use.
    #[must_use]
    pub fn shared(link: Link) -> Self {
        Self::Shared(Arc::new(Shared::new(link)))
    }

    /// Writes what changed, about once a second, for ever. `app` spawns it.
    pub async fn keep(self, clock: Clock) {
        match self {
            Self::Own(own) => own.keep(&clock).await,
            Self::Shared(_) => {}
        }
    }

    /// Writes what changed and closes: at the end of the program.
    pub async fn close(&self) {
        match self {
            Self::Own(own) => own.close().await,
            Self::Shared(_) => {}
        }
    }

    /// Counts a try under all its bounds, if none refuses it; else until when.
    pub(super) async fn admit(
        &self,
        admission: &Admission,
        now: UnixMillis,
    ) -> Result<Option<UnixMillis>, Unreachable> {
        either!(self, store => store.admit(admission, now), store.admit(admission, now))
    }

    /// Corrects what was counted.
    pub(super) async fn correct(&self, correction: &Correction, now: UnixMillis) -> Result<(), Unreachable> {
        either!(self, store => store.correct(correction, now), store.correct(correction))
    }

    /// Counts a wrong code; its window, with it or, when it was full before, without ([`Err`]).
    pub(super) async fn count(&self, key: Key, now: UnixMillis) -> Result<Result<Window, Window>, Unreachable> {
        either!(self, store => store.count(key, now), store.count(key, now))
    }

    /// The last wrong code was none.
    pub(super) async fn take_back(&self, key: Key) -> Result<(), Unreachable> {
        either!(self, store => store.take_back(key), store.take_back(key))
    }

    /// No wrong codes any more.
    pub(super) async fn clear(&self, key: Key) -> Result<(), Unreachable> {
        either!(self, store => store.clear(key), store.clear(key))
    }

    /// The window as it is now.
    pub(super) async fn window(&self, key: Key, now: UnixMillis) -> Result<Window, Unreachable> {
        either!(self, store => store.window(key, now), store.window(key, now))
    }

    /// Lets a destination wait for an account; or tells until when it waits for another.
    pub(super) async fn claim(
        &self,
        key: Key,
        wanted: Wait,
        now: UnixMillis,
    ) -> Result<Result<Claim, UnixMillis>, Unreachable> {
        either!(self, store => store.claim(key, wanted, now), store.claim(key, wanted, now))
    }

    /// Gives a destination back to whom it was taken from, if it still waits for `account`.
    pub(super) async fn restore(&self, key: Key, account: &AccountId, before: Wait) -> Result<(), Unreachable> {
        either!(self, store => store.restore(key, account, before), store.restore(key, account, before))
    }

    /// What was sent for the claim.
    pub(super) async fn sent(&self, key: Key, account: &AccountId, started: &Started) -> Result<(), Unreachable> {
        either!(self, store => store.sent(key, account, started), store.sent(key, account, started))
    }

    /// Whether the destination waits for another account by now.
    pub(super) async fn lost(&self, key: Key, account: &AccountId, now: UnixMillis) -> Result<bool, Unreachable> {
        either!(self, store => store.lost(key, account, now), store.lost(key, account, now))
    }

    /// The destination waits for this account no more.
    pub(super) async fn release(&self, key: Key, account: &AccountId) -> Result<(), Unreachable> {
        either!(self, store => store.release(key, account), store.release(key, account))
    }
}

/// How long a network counts as usual after the last success there.
const USUAL: Duration = Duration::from_secs(90 * 24 * 3600);
/// Tallies kept, about 64 bytes each in memory; the least used go first.
const TALLIES: usize = 200_000;
/// Usual networks kept.
const USUALS: usize = 50_000;
/// Windows of wrong codes kept.
const WINDOWS: usize = 100_000;
/// Destinations that wait. Bounded by refusing: none of them is ever forgotten.
const WAITS: usize = 100_000;
