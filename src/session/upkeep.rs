//! What goes on in the background while the room is open: watching, writing activity, sweeping.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{Sessions, Shared, Store, Unreachable, activity::Beat, store::SessionStore, tracking};

/// Begins the tasks; they end when the last [`Sessions`] is gone.
pub(super) fn begin(shared: &Arc<Shared>) {
    let room = Arc::downgrade(shared);
    shared.service.spawn(watch(room.clone()));
    if let Store::Redis(redis) = &shared.store {
        shared.service.spawn(tracking::keep(room.clone(), Arc::clone(redis)));
    }
    // A quarter of the write interval, so that activity is written when it is due and not much later.
    let write = (shared.settings.idle.min(shared.settings.remember) / 16).clamp(WRITE_SOONEST, WRITE_LATEST);
    shared.service.spawn(every(write, room.clone(), async |shared: Arc<Shared>| shared.write_activity(false).await));
    shared.service.spawn(every(SWEEP, room, async |shared: Arc<Shared>| shared.sweep().await));
}

impl Sessions {
    /// Writes the activity that still waits in memory. For the end of the process.
    pub async fn flush(&self) {
        let written = self
            .shared
            .on_service(|shared| async move {
                shared.write_activity(true).await;
                Ok::<_, Unreachable>(())
            })
            .await;
        if let Err(error) = written {
            tracing::warn!(error = %error.0, "the last activity was not written");
        }
    }
}

impl Shared {
    pub(super) async fn write_activity(&self, all: bool) {
        let now = self.clock.now();
        let due = self.activity.due(now, all);
        if due.is_empty() {
            return;
        }
        let beats: Vec<Beat> = due.iter().map(|(_, beat)| *beat).collect();
        match self.store.beat(&beats, now).await {
            Ok(()) => self.activity.written(&due),
            Err(error) => tracing::debug!(error = %error.0, sessions = beats.len(), "activity waits for the store"),
        }
    }

    pub(super) async fn sweep(&self) {
        self.activity.tidy();
        if let Err(error) = self.store.sweep(self.clock.now()).await {
            tracing::warn!(error = %error.0, "sessions that ran out could not be cleared away");
        }
    }
}

/// Looks after what is watched: a few times a second, and at once when something is told about it.
async fn watch(room: Weak<Shared>) {
    let Some(told) = room.upgrade().map(|shared| shared.watch.told()) else { return };
    let mut looked_at = Instant::now();
    loop {
        let _ = timeout(LOOK.saturating_sub(looked_at.elapsed()), told.notified()).await;
        let Some(shared) = room.upgrade() else { return };
        let round = looked_at.elapsed() >= LOOK;
        if round {
            looked_at = Instant::now();
        }
        shared.look_after(round).await;
    }
}

async fn every<W>(span: Duration, room: Weak<Shared>, mut work: W)
where
    W: AsyncFnMut(Arc<Shared>),
{
    loop {
        sleep(span).await;
        let Some(shared) = room.upgrade() else { return };
        work(shared).await;
    }
}

/// Between two looks at the watched sessions.
const LOOK: Duration = Duration::from_millis(250);
const WRITE_SOONEST: Duration = Duration::from_millis(50);
const WRITE_LATEST: Duration = Duration::from_secs(5);
const SWEEP: Duration = Duration::from_secs(60);
