//! The near cache: warm lookups never leave the thread.
//!
//! A miss takes a fill guard *before* it asks the store; a write removes the key *after* the store has changed. A fill
//! that a removal overtakes is used once and not kept, so that nothing stale stays (measured in the design: 0 of 384).
//! In front of the embedded store, whose one writer is this process, it is always open. In front of Redis it is open on a
//! *lease*: `tracking.rs` prolongs it with every heartbeat of the link that tells of changes; when that misses one, the cache
//! is emptied and closed. Readers look at the lease themselves, so that a stalled heartbeat task prolongs nothing. It goes by a
//! clock that nobody sets.

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use quick_cache::{
    UnitWeighter,
    sync::{Cache, DefaultLifecycle, PlaceholderGuard},
};

use super::{activity::Pulse, id::Key, record::Record};
use crate::world::{LATEST_TICK, UnixMillis, ticking};

/// A session as this process knows it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub record: Arc<Record>,
    pub pulse: Arc<Pulse>,
    pub read_at: UnixMillis,
}

/// A bounded cache in front of a store; closed, it gives and keeps nothing.
#[derive(Debug)]
pub(crate) struct Near {
    cache: Cache<Key, Known, UnitWeighter, Hashing>,
    began: Instant,
    /// The same moment by the clock that readers look at.
    began_ticking: u64,
    /// Until when what it holds may be given out, in milliseconds since `began`.
    lease: AtomicU64,
    /// Counts links; changes under `turn` only.
    link: AtomicU64,
    turn: Mutex<()>,
}

/// The right to put what the store answers into the cache, unless a removal comes first.
pub(crate) enum Fill<'a> {
    /// Known already (or just filled by somebody else).
    Known(Known),
    /// Ask the store, then [`Fill::put`].
    Ask(Box<Asking<'a>>),
    /// Ask the store; nothing is kept.
    Through,
}

/// A fill under way.
pub(crate) struct Asking<'a> {
    near: &'a Near,
    link: u64,
    key: Key,
    guard: PlaceholderGuard<'a, Key, Known, UnitWeighter, Hashing, DefaultLifecycle<Key, Known>>,
}

impl Known {
    /// Not asked about for so long that even a cache that is told of every change asks again.
    pub fn old(&self, now: UnixMillis) -> bool {
        now.since(self.read_at) > OLDEST
    }
}

impl Near {
    /// A cache that keeps what it is given.
    pub fn open() -> Self {
        Self::leased(FOR_EVER)
    }

    /// A cache that keeps nothing until a link has begun and its lease is prolonged.
    pub fn closed() -> Self {
        Self::leased(0)
    }

    fn leased(until: u64) -> Self {
        let hashing = Hashing::default();
        Self {
            cache: Cache::with(CAPACITY, CAPACITY as u64, UnitWeighter, hashing, DefaultLifecycle::default()),
            began: Instant::now(),
            began_ticking: ticking(),
            lease: AtomicU64::new(until),
            link: AtomicU64::new(0),
            turn: Mutex::default(),
        }
    }

    /// Whether what it holds may be given out.
    pub fn live(&self) -> bool {
        let lease = self.lease.load(Ordering::Acquire);
        lease == FOR_EVER || ticking().saturating_sub(self.began_ticking) < lease
    }

    /// A warm lookup.
    pub fn get(&self, key: &Key) -> Option<Known> {
        if self.live() { self.cache.get(key) } else { None }
    }

    /// A miss: the cached answer of somebody who asked first, or the right to fill it.
    pub async fn fill(&self, key: &Key) -> Fill<'_> {
        // Read before the lease is looked at: if the link changes after this, the answer is not kept.
        let link = self.link.load(Ordering::Acquire);
        if !self.live() {
            return Fill::Through;
        }
        match self.cache.get_value_or_guard_async(key).await {
            Ok(known) => Fill::Known(known),
            Err(guard) => Fill::Ask(Box::new(Asking { near: self, link, key: *key, guard })),
        }
    }

    /// The store has changed under this key: forget it, and let no fill under way come after.
    pub fn remove(&self, key: &Key) {
        self.cache.remove(key);
    }

    /// Everything in the store may have changed.
    pub fn clear(&self) {
        self.cache.clear();
    }

    /// A new link is being made; its number. What older links said counts no more.
    pub fn begin(&self) -> u64 {
        let _turn = self.turn();
        self.close()
    }

    /// This link is alive: what the cache holds may be given out until then.
    pub fn prolong(&self, link: u64, until: Instant) {
        let _turn = self.turn();
        if self.link.load(Ordering::Acquire) == link {
            self.lease.store(self.stamp(until), Ordering::Release);
        }
    }

    /// This link is dead: empty and closed.
    pub fn shut(&self, link: u64) {
        let _turn = self.turn();
        if self.link.load(Ordering::Acquire) == link {
            self.close();
        }
    }

    fn close(&self) -> u64 {
        self.lease.store(0, Ordering::Release);
        let link = self.link.fetch_add(1, Ordering::AcqRel) + 1;
        // After the number has changed: a fill that comes later sees the change and takes its answer out again.
        self.cache.clear();
        link
    }

    /// On the scale of the clock that readers look at; earlier by as much as that may be late.
    fn stamp(&self, at: Instant) -> u64 {
        let since = at.duration_since(self.began).saturating_sub(LATEST_TICK);
        u64::try_from(since.as_millis()).unwrap_or(FOR_EVER - 1)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fill<'_> {
    /// Keeps an answer, unless a removal or the end of the link came first.
    pub fn put(self, known: &Known) {
        let Self::Ask(asking) = self else { return };
        let Asking { near, link, key, guard } = *asking;
        let same = || near.link.load(Ordering::Acquire) == link;
        // Refused when the key was removed meanwhile: then the answer is used once and not kept.
        if same() && guard.insert(known.clone()).is_ok() && !same() {
            near.remove(&key);
        }
    }
}

/// A key is a SHA-256 already: its first bytes are as good as any hash of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FirstBytes(u64);

type Hashing = BuildHasherDefault<FirstBytes>;

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        // Keys write one number; whatever else is hashed is still hashed to something.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A lease without an end.
const FOR_EVER: u64 = u64::MAX;
/// Sessions kept in memory; about 1 KiB each.
const CAPACITY: usize = 50_000;
/// However well informed, a cache asks again after this long.
const OLDEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key([1; 32]);
    const NOW: UnixMillis = UnixMillis(0);

    fn known() -> Known {
        let record = Arc::new(Record::for_testing());
        let pulse = Arc::new(Pulse::new(&record, KEY, NOW));
        Known { record, pulse, read_at: NOW }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn filled(near: &Near) {
        near.fill(&KEY).await.put(&known());
    }

    #[tokio::test]
    async fn a_fill_overtaken_by_a_removal_is_not_kept() {
        let near = Near::open();
        let fill = near.fill(&KEY).await;
        near.remove(&KEY);
        fill.put(&known());
        assert!(near.get(&KEY).is_none());
    }

    #[tokio::test]
    async fn an_undisturbed_fill_is_kept() {
        let near = Near::open();
        filled(&near).await;
        assert!(near.get(&KEY).is_some());
        near.remove(&KEY);
        assert!(near.get(&KEY).is_none());
    }

    #[tokio::test]
    async fn a_closed_cache_keeps_nothing() {
        let near = Near::closed();
        filled(&near).await;
        near.prolong(near.begin(), soon());
        assert!(near.get(&KEY).is_none());
    }

    #[tokio::test]
    async fn nothing_is_given_out_past_the_lease() {
        let near = Near::closed();
        let link = near.begin();
        near.prolong(link, soon());
        filled(&near).await;
        assert!(near.get(&KEY).is_some());
        near.prolong(link, Instant::now());
        assert!(!near.live() && near.get(&KEY).is_none());
        near.prolong(link, soon());
        assert!(near.live() && near.get(&KEY).is_some());
    }

    #[tokio::test]
    async fn a_dead_link_empties_the_cache_and_prolongs_nothing() {
        let near = Near::closed();
        let link = near.begin();
        near.prolong(link, soon());
        filled(&near).await;
        near.shut(link);
        near.prolong(link, soon());
        assert!(!near.live());
        near.prolong(near.begin(), soon());
        assert!(near.get(&KEY).is_none());
    }

    #[tokio::test]
    async fn an_answer_asked_for_under_an_older_link_is_not_kept() {
        let near = Near::closed();
        near.prolong(near.begin(), soon());
        let fill = near.fill(&KEY).await;
        near.prolong(near.begin(), soon());
        fill.put(&known());
        assert!(near.get(&KEY).is_none());
    }
}
