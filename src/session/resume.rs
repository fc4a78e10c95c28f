//! Who sent these fields: from the cookie to a live session.
//!
//! Warm lookups stay on the caller's thread; a miss asks the store from the service runtime. Nobody is turned away as
//! idle on what memory says alone: the store is asked again first.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;

use super::{
    Sessions, Shared, Unreachable,
    cookie::Presented,
    id::{self, Key},
    keys::Purpose,
    near::{Fill, Known},
    record::Live,
    store::{SessionStore, Stored},
};
use crate::world::UnixMillis;

/// What a request's cookie turned out to be.
#[derive(Clone, Debug)]
pub enum Resumed {
    /// Signed in.
    Live(Live),
    /// No cookie of ours.
    Absent,
    /// Not made by us, or ended, expired, revoked. `ended` when the MAC was right.
    Invalid {
        /// A cookie we once made: "Your session ended".
        ended: bool,
    },
    /// The store did not answer: 503, and the cookie stays.
    Unreachable,
}

impl Sessions {
    /// Who sent these fields. Never blocks a data thread: misses are answered on the service runtime.
    pub async fn resume(&self, fields: &HeaderMap, now: UnixMillis) -> Resumed {
        let shared = &self.shared;
        let key = match shared.cookies.session.read(fields) {
            Presented::Absent => return Resumed::Absent,
            Presented::Ambiguous => return Resumed::Invalid { ended: false },
            Presented::Once(value) => shared.key(value),
        };
        let Some(key) = key else { return Resumed::Invalid { ended: false } };
        if let Some(live) = shared.near.get(&key).and_then(|known| shared.admit(known, key, now)) {
            shared.lookups.hits.add();
            return Resumed::Live(live);
        }
        shared.lookups.misses.add();
        let looked_up = shared.on_service(move |shared| async move {
            // Several requests of one session wait for one answer; when it fails, not one after the other.
            match tokio::time::timeout(PATIENCE, shared.look_up(key, now)).await {
                Ok(known) => known,
                Err(elapsed) => Err(Unreachable(Box::new(elapsed))),
            }
        });
        match looked_up.await {
            Ok(Some(known)) => shared.admit(known, key, now).map_or(Resumed::Invalid { ended: true }, Resumed::Live),
            Ok(None) => Resumed::Invalid { ended: true },
            Err(Unreachable(_)) => Resumed::Unreachable,
        }
    }
}

impl Shared {
    /// The store's key of a cookie that we made.
    fn key(&self, value: &[u8]) -> Option<Key> {
        self.memo.key(value, |value| id::open(&self.keys, Purpose::Session, value).map(|id| Key::of(&id)))
    }

    /// A live session, its use noted; `None` when a deadline has passed, or when the store has to be asked again.
    fn admit(&self, known: Known, key: Key, now: UnixMillis) -> Option<Live> {
        // A token's record opens to the token alone.
        if known.record.token.is_some() || known.old(now) || known.record.deadline(known.pulse.seen()) <= now {
            return None;
        }
        self.activity.beat(&known.pulse, now);
        let idle_expires_at = known.record.deadline(known.pulse.seen());
        Some(Live { record: known.record, idle_expires_at, key, pulse: known.pulse })
    }

    /// Asks the store, through the near cache. What memory holds as run out, or has held for long,
    /// is asked anew.
    pub(super) async fn look_up(&self, key: Key, now: UnixMillis) -> Result<Option<Known>, Unreachable> {
        if let Some(known) = self.near.get(&key)
            && (known.old(now) || known.record.deadline(known.pulse.seen()) <= now)
        {
            self.near.remove(&key);
        }
        let fill = match self.near.fill(&key).await {
            Fill::Known(known) => return Ok(Some(known)),
            fill => fill,
        };
        let began = Instant::now();
        let read = self.store.read(key).await;
        self.lookups.store.observe(began.elapsed());
        let Some(stored) = read? else { return Ok(None) };
        let known = self.known(key, stored);
        fill.put(&known);
        Ok(Some(known))
    }

    /// A stored session with this process's pulse of it.
    pub(super) fn known(&self, key: Key, stored: Stored) -> Known {
        // Without stored activity the session is idle, unless this process has seen it used since.
        let active_at = stored.active_at.unwrap_or(UnixMillis(i64::MIN));
        let pulse = self.activity.pulse(&stored.record, key, active_at);
        Known { record: Arc::new(stored.record), pulse, read_at: self.clock.now() }
    }
}

/// How long a request waits for the store.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
