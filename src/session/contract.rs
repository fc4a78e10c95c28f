//! One contract, held by every backend: each fact below is run on SQLite in a folder of its own, on a real Redis and on a
//! Redis Cluster under a key prefix of its own.

mod account;
pub(super) mod bridge;
mod faults;
mod flows;
mod life;
mod list;
mod outbox;
mod servers;
mod tokens;
pub(super) mod tracking;
mod tunnels;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header::COOKIE};
use tempfile::TempDir;

use super::{Keys, Live, NotStarted, Place, Record, Redis, Resumed, Sessions, Store};
use crate::{
    config::{
        portal::PortalUrl,
        session::{Redis as Servers, Session},
    },
    identity::{Authenticated, Method, Shown, account::Account},
    storage::redis::Link,
    world::{Clock, Entropy},
};

/// A room over one store, with a clock that stands.
pub(super) struct Setting {
    pub sessions: Sessions,
    pub store: Store,
    pub clock: Clock,
    pub settings: Session,
    folder: Option<TempDir>,
    /// Redis: prefix of this test's keys.
    prefix: String,
    /// Redis: where other nodes find it.
    url: String,
}

impl Setting {
    pub async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::embedded(folder.path()).await.unwrap();
        Self::over(store, Some(folder), String::new())
    }

    pub async fn redis() -> Self {
        let prefix = format!("test:{}:", uuid::Uuid::new_v4());
        Self::over(redis_store(&redis_url(), &prefix), None, prefix)
    }

    pub async fn cluster() -> Self {
        let url = tokio::task::spawn_blocking(servers::cluster_url).await.unwrap();
        // A tag of each test's own: the tests fill all nodes.
        let prefix = format!("{{test:{}}}:", uuid::Uuid::new_v4());
        let setting = Self::over(redis_store(url, &prefix), None, prefix);
        Self { url: url.to_owned(), ..setting }
    }

    pub fn over(store: Store, folder: Option<TempDir>, prefix: String) -> Self {
        // Redis has a clock of its own, so ours starts where it stands.
        let clock = Clock::manual(Clock::System.now());
        let settings = Session::default();
        let sessions = room(&store, &clock, &settings);
        let url = std::env::var("VESTIBULE_TEST_REDIS").unwrap_or_default();
        Self { sessions, store, clock, settings, folder, prefix, url }
    }

    /// Another process over the same store: for SQLite this one has to close first.
    pub async fn restarted(self) -> Self {
        let Self { sessions, store, clock, settings, folder, prefix, url } = self;
        sessions.flush().await;
        drop(sessions);
        let store = match (store, &folder) {
            (Store::Embedded(file), Some(folder)) => {
                while Arc::strong_count(&file) > 1 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                drop(file);
                Store::embedded(folder.path()).await.unwrap()
            }
            _ => redis_store(&url, &prefix),
        };
        let sessions = room(&store, &clock, &settings);
        Self { sessions, store, clock, settings, folder, prefix, url }
    }

    /// Another node over the same Redis.
    pub fn other_node(&self) -> Sessions {
        room(&redis_store(&self.url, &self.prefix), &self.clock, &self.settings)
    }

    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub async fn sign_in(&self, account: &Account) -> String {
        self.start(account, false).await.unwrap()
    }

    /// Starts a session; answers what the browser sends from then on.
    pub async fn start(&self, account: &Account, remember: bool) -> Result<String, NotStarted> {
        let now = self.clock.now();
        let proof = self.proof(account, Method::Pwd);
        self.sessions.start(proof, remember, Place::default(), None, now).await.map(|set| sent(&set))
    }

    pub fn proof(&self, account: &Account, method: Method) -> Authenticated {
        Authenticated::for_testing(account.clone(), vec![Shown { method, at: self.clock.now() }])
    }

    pub async fn resume(&self, cookie: &str) -> Resumed {
        self.sessions.resume(&fields(cookie), self.clock.now()).await
    }

    pub async fn live(&self, cookie: &str) -> Live {
        match self.resume(cookie).await {
            Resumed::Live(live) => live,
            other => panic!("not signed in: {other:?}"),
        }
    }

    pub async fn ended(&self, cookie: &str) -> bool {
        matches!(self.resume(cookie).await, Resumed::Invalid { ended: true })
    }
}

pub(super) fn room(store: &Store, clock: &Clock, settings: &Session) -> Sessions {
    Sessions::new(
        settings.clone(),
        &PortalUrl::parse("http://localhost:8080").unwrap(),
        Keys::new(&"a secret of thirty-two bytes or more".into(), &[]),
        store.clone(),
        tokio::runtime::Handle::current(),
        clock.clone(),
        Entropy::System,
    )
}

pub(super) fn redis_store(url: &str, prefix: &str) -> Store {
    Store::Redis(Arc::new(Redis::new(Link::under(&Servers::parse(url).unwrap(), prefix).unwrap())))
}

pub(super) fn redis_url() -> String {
    std::env::var("VESTIBULE_TEST_REDIS").expect("run `cargo xtask test`: it starts the services these tests need")
}

/// `name=value` of a `Set-Cookie` value.
pub(super) fn sent(set: &HeaderValue) -> String {
    set.to_str().unwrap().split(';').next().unwrap().to_owned()
}

pub(super) fn fields(cookie: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())])
}

pub(super) fn ada() -> Account {
    Account { groups: vec!["staff".into(), "admin".into()], ..Account::for_testing("ada") }
}

/// The same account after one more guarded change.
pub(super) fn changed(account: &Account) -> Account {
    Account { generation: account.generation + 1, ..account.clone() }
}

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// Runs each fact on every backend.
macro_rules! on_all {
    ($($(#[$meta:meta])* async fn $name:ident($setting:ident: Setting) $body:block)+) => {
        $($(#[$meta])* async fn $name($setting: Setting) $body)+

        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Setting::embedded().await).await;
            })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Setting::redis().await).await;
            })+
        }
        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Setting::cluster().await).await;
            })+
        }
    };
}
use on_all;
