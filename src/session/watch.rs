//! Tunnels and streams end with their session.
//!
//! What this process revokes is told at once. What other nodes do, Redis tells (`tracking.rs`): the sessions it names are
//! asked about at once. While it does not tell, every watched session is asked about in bulk, a few times a second;
//! deadlines are looked at in the same round. Sessions are watched by `sid`: a new id is no end. A store that does not
//! answer keeps tunnels open for [`GRACE`], then they end (fail closed).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

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
    sessions: Mutex<Table>,
    /// Somebody is to be asked about at once.
    told: Arc<Notify>,
    /// When the store last said everything that was asked.
    answered_at: Mutex<Option<Instant>>,
}

/// The watched sessions by both of their names.
#[derive(Debug, Default)]
struct Table {
    by_sid: HashMap<Sid, Watched>,
    by_key: HashMap<Key, Sid>,
    /// To be asked about at once.
    changed: HashSet<Sid>,
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

    /// Bytes came from the client in a tunnel: activity. (A token has none.)
    pub fn touch(&self, live: &Live, now: UnixMillis) {
        if live.record.token.is_none() {
            self.shared.activity.beat(&live.pulse, now);
        }
    }
}

impl Watch {
    /// Joined first, then asked about: a revocation in between is told by one or the other.
    fn join(&self, live: &Live) -> watch::Receiver<Option<Arc<Record>>> {
        let mut table = self.table();
        let sid = &live.record.sid;
        let receiver = match table.by_sid.get(sid) {
            Some(watched) => watched.state.subscribe(),
            None => table.insert(live),
        };
        table.changed.insert(sid.clone());
        self.told.notify_one();
        receiver
    }

    /// Wakes whoever looks after what has changed.
    pub fn told(&self) -> Arc<Notify> {
        Arc::clone(&self.told)
    }

    /// The store tells that this record has changed.
    pub fn changed(&self, key: &Key) {
        let mut table = self.table();
        if let Some(sid) = table.by_key.get(key).cloned() {
            table.changed.insert(sid);
            self.told.notify_one();
        }
    }

    /// Every record may have changed.
    pub fn all_changed(&self) {
        let mut table = self.table();
        let all: Vec<Sid> = table.by_sid.keys().cloned().collect();
        if !all.is_empty() {
            table.changed.extend(all);
            self.told.notify_one();
        }
    }

    /// This session is over.
    pub fn end(&self, sid: &Sid) {
        if let Some(watched) = self.table().remove(sid) {
            watched.state.send_replace(None);
        }
    }

    /// An account's sessions proved before `generation` are over, all but one (and then no access token).
    pub fn end_account(&self, account: &AccountId, except: Option<&Sid>, generation: i64) {
        let over = self.table().remove_where(|sid, watched| {
            let ends =
                |record: &Arc<Record>| record.proved < generation && (except.is_none() || record.token.is_none());
            let ends = watched.state.borrow().as_ref().is_none_or(ends);
            watched.account == *account && Some(sid) != except && ends
        });
        for watched in over {
            watched.state.send_replace(None);
        }
    }

    /// This session has a new id.
    pub fn moved(&self, sid: &Sid, key: Key) {
        self.table().moved(sid, key);
    }

    /// This session has a new record.
    pub fn rewritten(&self, sid: &Sid, record: Arc<Record>) {
        if let Some(watched) = self.table().by_sid.get(sid) {
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
        self.table().remove_where(|_, watched| watched.state.receiver_count() == 0);
    }

    /// The watched sessions that have to be asked about, and no more told of: what changed; in a round also what has come to its
    /// deadline; and `all`, where nobody tells of changes.
    fn to_ask(&self, round: bool, all: bool, now: UnixMillis) -> Vec<(Sid, Key, AccountId)> {
        let mut table = self.table();
        let changed = std::mem::take(&mut table.changed);
        let due = |watched: &Watched| watched.deadline().is_none_or(|deadline| deadline <= now);
        table
            .by_sid
            .iter()
            .filter(|(sid, watched)| changed.contains(*sid) || (round && (all || due(watched))))
            .map(|(sid, watched)| (sid.clone(), watched.key, watched.account.clone()))
            .collect()
    }

    /// Whether that is an access token.
    fn is_token(&self, sid: &Sid) -> bool {
        let table = self.table();
        let watched = table.by_sid.get(sid);
        watched.is_some_and(|watched| watched.state.borrow().as_ref().is_some_and(|record| record.token.is_some()))
    }

    /// These were not answered: they are asked about again, in the next round.
    fn unanswered(&self, asked: Vec<(Sid, Key, AccountId)>) {
        self.table().changed.extend(asked.into_iter().map(|(sid, ..)| sid));
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

    fn table(&self) -> MutexGuard<'_, Table> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn insert(&mut self, live: &Live) -> watch::Receiver<Option<Arc<Record>>> {
        let (state, receiver) = watch::channel(Some(Arc::clone(&live.record)));
        let (sid, account) = (live.record.sid.clone(), live.record.account.clone());
        self.by_key.insert(live.key, sid.clone());
        self.by_sid.insert(sid, Watched { key: live.key, account, pulse: Arc::clone(&live.pulse), state });
        receiver
    }

    fn moved(&mut self, sid: &Sid, key: Key) {
        if let Some(watched) = self.by_sid.get_mut(sid) {
            watched.pulse.moved(key);
            self.by_key.remove(&std::mem::replace(&mut watched.key, key));
            self.by_key.insert(key, sid.clone());
        }
    }

    fn remove(&mut self, sid: &Sid) -> Option<Watched> {
        let watched = self.by_sid.remove(sid)?;
        self.by_key.remove(&watched.key);
        self.changed.remove(sid);
        Some(watched)
    }

    fn remove_where(&mut self, gone: impl Fn(&Sid, &Watched) -> bool) -> Vec<Watched> {
        let gone: Vec<Sid> =
            self.by_sid.iter().filter(|(sid, watched)| gone(sid, watched)).map(|(sid, _)| sid.clone()).collect();
        gone.iter().filter_map(|sid| self.remove(sid)).collect()
    }
}

impl Watched {
    fn deadline(&self) -> Option<UnixMillis> {
        self.state.borrow().as_ref().map(|record| record.deadline(self.pulse.seen()))
    }
}

impl Shared {
    /// Asks about what has changed; in a `round` also about all else that has to be asked about.
    pub(super) async fn look_after(self: &Arc<Self>, round: bool) {
        if round {
            self.watch.tidy();
        }
        let now = self.clock.now();
        let all = self.store.shared() && !self.near.live();
        let asked = self.watch.to_ask(round, all, now);
        match tokio::time::timeout(self.watch.grace_left(), self.judge(&asked)).await {
            Ok(Ok(())) => self.watch.answered(),
            Ok(Err(_)) if !self.watch.grace_left().is_zero() => self.watch.unanswered(asked),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(tunnels = asked.len(), "the session store does not answer: tunnels end");
                for (sid, ..) in &asked {
                    self.watch.end(sid);
                }
            }
        }
    }

    async fn judge(self: &Arc<Self>, asked: &[(Sid, Key, AccountId)]) -> Result<(), Unreachable> {
        if asked.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = asked.iter().map(|(_, key, _)| *key).collect();
        let found = self.store.read_many(&keys).await?;
        for ((sid, key, account), stored) in asked.iter().zip(found) {
            if self.watch.is_token(sid) {
                match stored.map(|stored| self.known(*key, stored)) {
                    Some(known) if known.record.deadline(known.pulse.seen()) > self.clock.now() => {
                        self.watch.rewritten(sid, known.record);
                    }
                    // What is kept of a token runs out long before the token does.
                    _ => self.renew(sid, *key),
                }
                continue;
            }
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
