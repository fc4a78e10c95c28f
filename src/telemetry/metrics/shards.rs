//! One set of counts per data thread, so that threads never write to the same memory; summed when asked.

use std::sync::{Arc, Mutex, PoisonError};

/// The sets of all threads.
#[derive(Debug)]
pub(super) struct Shards<T>(Mutex<Vec<Arc<T>>>);

impl<T> Shards<T> {
    /// One more thread's.
    pub fn add(&self, shard: T) -> Arc<T> {
        let shard = Arc::new(shard);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&shard));
        shard
    }

    /// Every thread's, as of now. What a thread counted stays when the thread is gone.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
