//! The near cache: warm lookups never leave the thread.
//!
//! A miss takes a fill guard *before* it asks the store; a write removes the key *after* the store has changed. A fill
//! that a removal overtakes is used once and not kept, so that nothing stale stays (measured in the design: 0 of 384).
//! Only the embedded store, whose one writer is this process, stands behind it; with Redis every request reads through
//! until its invalidation link exists (`CLIENT TRACKING … BCAST`: its pushes will call [`Near::remove`] and
//! [`Near::clear`], and [`Near::open`] will follow the link's heartbeat).

use std::sync::Arc;

use quick_cache::sync::{Cache, PlaceholderGuard};

use super::{activity::Pulse, id::Key, record::Record};

/// A session as this process knows it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub record: Arc<Record>,
    pub pulse: Arc<Pulse>,
}

/// A bounded cache in front of a store; closed, it holds nothing.
#[derive(Debug)]
pub(crate) struct Near {
    cache: Option<Cache<Key, Known>>,
}

/// The right to put what the store answers into the cache, unless a removal comes first.
pub(crate) enum Fill<'a> {
    /// Known already (or just filled by somebody else).
    Known(Known),
    /// Ask the store, then [`Fill::put`].
    Ask(Box<PlaceholderGuard<'a, Key, Known, quick_cache::UnitWeighter, quick_cache::DefaultHashBuilder, Lifecycle>>),
    /// Ask the store; nothing is kept.
    Through,
}

type Lifecycle = quick_cache::sync::DefaultLifecycle<Key, Known>;

impl Near {
    /// A cache that keeps what it is given.
    pub fn open() -> Self {
        Self { cache: Some(Cache::new(CAPACITY)) }
    }

    /// A cache that keeps nothing.
    pub fn closed() -> Self {
        Self { cache: None }
    }

    /// A warm lookup.
    pub fn get(&self, key: &Key) -> Option<Known> {
        self.cache.as_ref()?.get(key)
    }

    /// A miss: the cached answer of somebody who asked first, or the right to fill it.
    pub async fn fill(&self, key: &Key) -> Fill<'_> {
        match &self.cache {
            None => Fill::Through,
            Some(cache) => match cache.get_value_or_guard_async(key).await {
                Ok(known) => Fill::Known(known),
                Err(guard) => Fill::Ask(Box::new(guard)),
            },
        }
    }

    /// The store has changed under this key: forget it, and let no fill under way come after.
    pub fn remove(&self, key: &Key) {
        if let Some(cache) = &self.cache {
            cache.remove(key);
        }
    }
}

impl Fill<'_> {
    /// Keeps an answer, unless a removal came first.
    pub fn put(self, known: &Known) {
        if let Self::Ask(guard) = self {
            // Refused when the key was removed meanwhile: then the answer is used once and not kept.
            let _ = guard.insert(known.clone());
        }
    }
}

/// Sessions kept in memory; about 1 KiB each.
const CAPACITY: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::UnixMillis;

    fn known() -> Known {
        let record = Arc::new(Record::for_testing());
        let pulse = Arc::new(Pulse::new(&record, Key([1; 32]), UnixMillis(0)));
        Known { record, pulse }
    }

    #[tokio::test]
    async fn a_fill_overtaken_by_a_removal_is_not_kept() {
        let near = Near::open();
        let fill = near.fill(&Key([1; 32])).await;
        near.remove(&Key([1; 32]));
        fill.put(&known());
        assert!(near.get(&Key([1; 32])).is_none());
    }

    #[tokio::test]
    async fn an_undisturbed_fill_is_kept() {
        let near = Near::open();
        near.fill(&Key([1; 32])).await.put(&known());
        assert!(near.get(&Key([1; 32])).is_some());
        near.remove(&Key([1; 32]));
        assert!(near.get(&Key([1; 32])).is_none());
    }

    #[tokio::test]
    async fn a_closed_cache_keeps_nothing() {
        let near = Near::closed();
        near.fill(&Key([1; 32])).await.put(&known());
        assert!(near.get(&Key([1; 32])).is_none());
    }
}
