//! The word to stop, said once to every connection of every thread.
//!
//! A connection asks on each wake whether it was said. A token alone would take a lock for that, one that all threads share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    said: Arc<AtomicBool>,
    token: CancellationToken,
}

impl Stop {
    /// Wakes everyone who waits.
    pub fn say(&self) {
        self.said.store(true, Relaxed);
        self.token.cancel();
    }

    /// Costs one load.
    pub fn was_said(&self) -> bool {
        self.said.load(Relaxed)
    }

    /// Resolves once it was said.
    pub fn heard(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }
}
