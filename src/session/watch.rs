//! Tunnels and streams end with their session.
//!
//! What this process revokes is told at once. What other nodes do is found by asking the store for every watched
//! session in bulk, a few times a second; deadlines are looked at in the same round. Sessions are watched by `sid`: a new
//! id is no end. A store that does not answer keeps tunnels open for [`GRACE`], then they end (fail closed).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    Sessions, Shared, Unreachable,
    activity::Pulse,
    id::Key,
    record::{Live, Record, Sid},
    store::{SessionStore, Stored},
};
use crate::{identity::account::AccountId, world::UnixMillis};

/// Every session that something in this process watches.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    sessions: Mutex<HashMap<Sid, Watched>>,
    /// When the store last said everything that was asked.
    answered_at: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Watched {
    key: Key,
    account: AccountId,
    pulse: Arc<Pulse>,
    /// The record as it is now; `None` once the session is over.
    state: watch::Sender<Option<Arc<Record>>>,
}

impl Sessions {
    /// Waits until this session is revoked, idle, past its deadline, or has lost a group. For tunnels and streams.
    ///
    /// A new id of the same session is no end. While the store does not answer, this waits up to five seconds more and then
    /// resolves: a tunnel whose session cannot be asked about ends.
    pub async fn ended(&self, live: &Live) {
        let mut state = self.shared.watch.join(live);
        // Joined first, then asked: a revocation in between is told by one or the other.
        let (shared, sid) = (Arc::clone(&self.shared), live.record.sid.clone());
        let first_look = self.shared.service.spawn(async move { shared.look_after(Some(&sid)).await });
        drop(first_look);
        loop {
            let over = match &*state.borrow_and_update() {
                None => true,
                Some(record) => live.record.groups.iter().any(|group| !record.groups.contains(group)),
            };
            if over || state.changed().await.is_err() {
                return;
            }
        }
    }

    /// Bytes came from the client in a tunnel: activity.
    pub fn touch(&self, live: &Live, now: UnixMillis) {
        self.shared.activity.beat(&live.pulse, now);
    }
}

impl Watch {
    fn join(&self, live: &Live) -> watch::Receiver<Option<Arc<Record>>> {
        let mut sessions = self.sessions();
        let watched = sessions.entry(live.record.sid.clone()).or_insert_with(|| Watched {
            key: live.key,
            account: live.record.account.clone(),
            pulse: Arc::clone(&live.pulse),
            state: watch::Sender::new(Some(Arc::clone(&live.record))),
        });
        watched.state.subscribe()
    }

    /// This session is over.
    pub fn end(&self, sid: &Sid) {
        if let Some(watched) = self.sessions().remove(sid) {
            watched.state.send_replace(None);
        }
    }

    /// An account's sessions proved before `generation` are over, all but one.
    pub fn end_account(&self, account: &AccountId, except: Option<&Sid>, generation: i64) {
        self.sessions().retain(|sid, watched| {
            let older = watched.state.borrow().as_ref().is_none_or(|record| record.proved < generation);
            let over = watched.account == *account && Some(sid) != except && older;
            if over {
                watched.state.send_replace(None);
            }
            !over
        });
    }

    /// This session has a new id.
    pub fn moved(&self, sid: &Sid, key: Key) {
        if let Some(watched) = self.sessions().get_mut(sid) {
            watched.key = key;
            watched.pulse.moved(key);
        }
    }

    /// This session has a new record.
    pub fn rewritten(&self, sid: &Sid, record: Arc<Record>) {
        if let Some(watched) = self.sessions().get(sid) {
            watched.state.send_if_modified(|state| {
                let changed = state.as_ref().is_some_and(|old| old.generation <= record.generation && *old != record);
                if changed {
                    *state = Some(record);
                }
                changed
            });
        }
    }

    /// Drops what nobody waits for any more.
    fn tidy(&self) {
        self.sessions().retain(|_, watched| watched.state.receiver_count() > 0);
    }

    /// The watched sessions that have to be asked about: all of a shared store, else those whose deadline has come.
    fn to_ask(&self, only: Option<&Sid>, shared: bool, now: UnixMillis) -> Vec<(Sid, Key, AccountId)> {
        self.sessions()
            .iter()
            .filter(|(sid, watched)| match only {
                Some(only) => *sid == only,
                None => shared || watched.deadline().is_none_or(|deadline| deadline <= now),
            })
            .map(|(sid, watched)| (sid.clone(), watched.key, watched.account.clone()))
            .collect()
    }

    /// The store said everything that was asked.
    fn answered(&self) {
        *self.answered_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How much longer tunnels may live without an answer.
    fn grace_left(&self) -> Duration {
        let mut answered_at = self.answered_at.lock().unwrap_or_else(PoisonError::into_inner);
        GRACE.saturating_sub(answered_at.get_or_insert_with(Instant::now).elapsed())
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Sid, Watched>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn deadline(&self) -> Option<UnixMillis> {
        self.state.borrow().as_ref().map(|record| record.deadline(self.pulse.seen()))
    }
}

impl Shared {
    /// One round over the watched sessions, or over one that just joined.
    pub(super) async fn look_after(&self, only: Option<&Sid>) {
        self.watch.tidy();
        let asked = self.watch.to_ask(only, self.store.shared(), self.clock.now());
        if only.is_some() {
            // What fails here is asked again in the next round.
            let _ = self.judge(&asked).await;
            return;
        }
        match tokio::time::timeout(self.watch.grace_left(), self.judge(&asked)).await {
            Ok(Ok(())) => self.watch.answered(),
            Ok(Err(_)) if !self.watch.grace_left().is_zero() => {}
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(tunnels = asked.len(), "the session store does not answer: tunnels end");
                for (sid, ..) in &asked {
                    self.watch.end(sid);
                }
            }
        }
    }

    async fn judge(&self, asked: &[(Sid, Key, AccountId)]) -> Result<(), Unreachable> {
        if asked.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = asked.iter().map(|(_, key, _)| *key).collect();
        let found = self.store.read_many(&keys).await?;
        for ((sid, key, account), stored) in asked.iter().zip(found) {
            // Not under that id: over, or under a new one that another node gave it.
            let current = match stored {
                Some(stored) => Some((*key, stored)),
                None => self.find(account, sid).await?,
            };
            self.tell(sid, current);
        }
        Ok(())
    }

    fn tell(&self, sid: &Sid, current: Option<(Key, Stored)>) {
        let Some((key, stored)) = current else {
            self.watch.end(sid);
            return;
        };
        let known = self.known(key, stored);
        if known.record.deadline(known.pulse.seen()) <= self.clock.now() {
            self.watch.end(sid);
        } else {
            self.watch.moved(sid, key);
            self.watch.rewritten(sid, known.record);
        }
    }
}

/// How long tunnels outlive the store's last answer.
const GRACE: Duration = Duration::from_secs(5);
