//! Where sessions are kept: the contract, and the choice between the backends.
//!
//! Every change that must not be overtaken is one step of the store (a transaction, a script): a late write never revives
//! a revoked session, and a session started with a proof from before an account's change is refused (the *fence*).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Unreachable,
    activity::Beat,
    embedded::Embedded,
    id::Key,
    record::{Record, Sid},
    redis::Redis,
};
use crate::{
    config,
    identity::account::AccountId,
    storage::{self, redis::Link},
    world::UnixMillis,
};

/// The backend, chosen in `app`. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Store {
    /// `data_dir/sessions.db`; this process is its only writer.
    Embedded(Arc<Embedded>),
    /// Shared by several nodes.
    Redis(Arc<Redis>),
}

/// Why a store could not be opened at all. (A Redis that is down is no reason.)
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// No link to Redis can be made.
    #[error(transparent)]
    Redis(#[from] storage::redis::NotOpened),
    /// Another process has the file open.
    #[error("{0} is in use by another Vestibule")]
    InUse(PathBuf),
    /// The file system says no.
    #[error("{0} cannot be opened")]
    Io(PathBuf, #[source] std::io::Error),
    /// SQLite says no.
    #[error("{0} cannot be opened")]
    Sql(PathBuf, #[source] sqlx::Error),
}

/// A session as stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// The record's exact text: what a change must find unchanged.
    pub raw: String,
    /// The same, parsed.
    pub record: Record,
    /// Last use; `None` when the store has let it go as idle.
    pub active_at: Option<UnixMillis>,
}

/// A session to be written under a new key.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub key: Key,
    pub record: Record,
    pub raw: String,
    pub now: UnixMillis,
}

/// The contract of a backend. One suite (`session/contract.rs`) holds both to it.
pub(crate) trait SessionStore {
    /// Record and activity in one round trip. A record that cannot be read is no session.
    fn read(&self, key: Key) -> impl Future<Output = Result<Option<Stored>, Unreachable>> + Send;
    /// The same for many, in order.
    fn read_many(&self, keys: &[Key]) -> impl Future<Output = Result<Vec<Option<Stored>>, Unreachable>> + Send;
    /// All sessions of an account.
    fn of_account(&self, account: &AccountId) -> impl Future<Output = Result<Vec<(Key, Stored)>, Unreachable>> + Send;
    /// Keeps a new session (or anew what an access token stands for) and drops `replaces` in the same step; false when the
    /// account's fence stands above the generation it was proved in.
    fn create(
        &self,
        fresh: Fresh,
        replaces: Option<(Key, AccountId)>,
    ) -> impl Future<Output = Result<bool, Unreachable>> + Send;
    /// Moves a session to a new key, if `old` still holds exactly `raw`; the old key is dead in the same step.
    fn rotate(&self, old: Key, raw: String, fresh: Fresh) -> impl Future<Output = Result<bool, Unreachable>> + Send;
    /// Rewrites a record in place, if it still is exactly `raw`.
    fn rewrite(&self, key: Key, raw: String, new: String) -> impl Future<Output = Result<bool, Unreachable>> + Send;
    /// Drops a session; true when there was one.
    fn end(&self, key: Key, account: &AccountId) -> impl Future<Output = Result<bool, Unreachable>> + Send;
    /// Drops an account's sessions proved before `generation`, but `except` (and then no access token), and raises its fence,
    /// in one step. Answers what was dropped.
    fn end_account(
        &self,
        account: &AccountId,
        except: Option<&Sid>,
        generation: i64,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Vec<Key>, Unreachable>> + Send;
    /// From now on no session starts for this account with a proof older than `generation`. Never lowered.
    fn fence(
        &self,
        account: &AccountId,
        generation: i64,
        now: UnixMillis,
    ) -> impl Future<Output = Result<(), Unreachable>> + Send;
    /// Writes activity; never backwards, and only for sessions that exist.
    fn beat(&self, beats: &[Beat], now: UnixMillis) -> impl Future<Output = Result<(), Unreachable>> + Send;
    /// Keeps what waits under a flow; replaces what was there.
    fn hold(
        &self,
        flow: Key,
        body: String,
        ttl: Duration,
        now: UnixMillis,
    ) -> impl Future<Output = Result<(), Unreachable>> + Send;
    /// Keeps something newer under a flow where something still waits; false when nothing does.
    fn keep(
        &self,
        flow: Key,
        body: String,
        ttl: Duration,
        now: UnixMillis,
    ) -> impl Future<Output = Result<bool, Unreachable>> + Send;
    /// What waits under a flow.
    fn held(&self, flow: Key, now: UnixMillis) -> impl Future<Output = Result<Option<String>, Unreachable>> + Send;
    /// Drops what waits; of several callers exactly one gets true.
    fn release(&self, flow: Key, now: UnixMillis) -> impl Future<Output = Result<bool, Unreachable>> + Send;
    /// Drops what has run out, where the backend does not do so by itself.
    fn sweep(&self, now: UnixMillis) -> impl Future<Output = Result<(), Unreachable>> + Send;
    /// Whether the backend answers.
    fn ready(&self) -> impl Future<Output = Result<(), Unreachable>> + Send;
}

impl Store {
    /// `data_dir/sessions.db`. Call it on the service runtime.
    ///
    /// # Errors
    /// When the file cannot be opened, or another process has it.
    pub async fn embedded(data_dir: &Path) -> Result<Self, NotOpened> {
        Ok(Self::Embedded(Arc::new(Embedded::open(data_dir).await?)))
    }

    /// Redis; connects at first use, so that it may be down now.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be used.
    pub fn redis(servers: &config::session::Redis) -> Result<Self, NotOpened> {
        Ok(Self::Redis(Arc::new(Redis::new(Link::new(servers)?))))
    }

    /// The link to Redis, if that is where sessions are.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::Embedded(_) => None,
            Self::Redis(redis) => Some(redis.link()),
        }
    }

    /// Whether other processes change sessions behind our back.
    pub(crate) fn shared(&self) -> bool {
        matches!(self, Self::Redis(_))
    }
}

impl Stored {
    /// Parses what a backend holds; `None`, said once in the log, when it is not a record.
    pub fn parse(raw: String, active_at: Option<UnixMillis>) -> Option<Self> {
        match serde_json::from_str(&raw) {
            Ok(record) => Some(Self { raw, record, active_at }),
            Err(error) => {
                static SAID: std::sync::Once = std::sync::Once::new();
                // The text itself is somebody's session: it is not logged.
                SAID.call_once(|| tracing::warn!(%error, "the session store holds a record that cannot be read"));
                None
            }
        }
    }
}

impl Fresh {
    /// A record to be kept under `key`.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which no record of ours does.
    pub fn new(key: Key, record: Record, now: UnixMillis) -> Result<Self, Unreachable> {
        let raw = serde_json::to_string(&record).map_err(|error| Unreachable(Box::new(error)))?;
        Ok(Self { key, record, raw, now })
    }
}

impl Fresh {
    /// Until when the store keeps it. An access token outlives what is kept of it.
    pub fn until(&self) -> UnixMillis {
        match self.record.token {
            Some(_) => self.record.deadline(self.now),
            None => self.record.expires_at,
        }
    }
}

/// A fence outlives every proof by far: proofs are used within the request that made them.
pub(crate) const FENCE_SPAN: Duration = Duration::from_secs(24 * 3600);

macro_rules! either {
    ($self:ident, $store:ident => $ask:expr) => {
        match $self {
            Self::Embedded($store) => $ask.await,
            Self::Redis($store) => $ask.await,
        }
    };
}

impl SessionStore for Store {
    async fn read(&self, key: Key) -> Result<Option<Stored>, Unreachable> {
        either!(self, store => store.read(key))
    }
    async fn read_many(&self, keys: &[Key]) -> Result<Vec<Option<Stored>>, Unreachable> {
        either!(self, store => store.read_many(keys))
    }
    async fn of_account(&self, account: &AccountId) -> Result<Vec<(Key, Stored)>, Unreachable> {
        either!(self, store => store.of_account(account))
    }
    async fn create(&self, fresh: Fresh, replaces: Option<(Key, AccountId)>) -> Result<bool, Unreachable> {
        either!(self, store => store.create(fresh, replaces))
    }
    async fn rotate(&self, old: Key, raw: String, fresh: Fresh) -> Result<bool, Unreachable> {
        either!(self, store => store.rotate(old, raw, fresh))
    }
    async fn rewrite(&self, key: Key, raw: String, new: String) -> Result<bool, Unreachable> {
        either!(self, store => store.rewrite(key, raw, new))
    }
    async fn end(&self, key: Key, account: &AccountId) -> Result<bool, Unreachable> {
        either!(self, store => store.end(key, account))
    }
    async fn end_account(
        &self,
        account: &AccountId,
        except: Option<&Sid>,
        generation: i64,
        now: UnixMillis,
    ) -> Result<Vec<Key>, Unreachable> {
        either!(self, store => store.end_account(account, except, generation, now))
    }
    async fn fence(&self, account: &AccountId, generation: i64, now: UnixMillis) -> Result<(), Unreachable> {
        either!(self, store => store.fence(account, generation, now))
    }
    async fn beat(&self, beats: &[Beat], now: UnixMillis) -> Result<(), Unreachable> {
        either!(self, store => store.beat(beats, now))
    }
    async fn hold(&self, flow: Key, body: String, ttl: Duration, now: UnixMillis) -> Result<(), Unreachable> {
        either!(self, store => store.hold(flow, body, ttl, now))
    }
    async fn keep(&self, flow: Key, body: String, ttl: Duration, now: UnixMillis) -> Result<bool, Unreachable> {
        either!(self, store => store.keep(flow, body, ttl, now))
    }
    async fn held(&self, flow: Key, now: UnixMillis) -> Result<Option<String>, Unreachable> {
        either!(self, store => store.held(flow, now))
    }
    async fn release(&self, flow: Key, now: UnixMillis) -> Result<bool, Unreachable> {
        either!(self, store => store.release(flow, now))
    }
    async fn sweep(&self, now: UnixMillis) -> Result<(), Unreachable> {
        either!(self, store => store.sweep(now))
    }
    async fn ready(&self) -> Result<(), Unreachable> {
        either!(self, store => store.ready())
    }
}
