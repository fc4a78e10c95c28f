//! Sessions: id, cookie, record, activity; a store trait with two backends; revocation.
//!
//! One lookup decides a request: the record (`s:`) holds everything; activity (`t:`) is its own key. Absent, invalid
//! and unreachable are three answers. OWASP Session Management Cheat Sheet; NIST SP 800-63B-4 §5.
//!
//! [`Sessions`] is the one door: `resume` reads (`resume.rs`), `start`, `rotate`, `end` change (`change.rs`), `list` and
//! `end_of` are for their owner (`list.rs`), `ended` lets tunnels end with their session (`watch.rs`), `resume_token` honours
//! access tokens (`token.rs`), flow cookies and form tokens guard forms (`flow.rs`), and `outbox.rs` carries account changes
//! here. Every question to the store runs in a task of its own on the service runtime, so that a client that goes away breaks
//! nothing off.

mod activity;
mod change;
mod cookie;
mod crowd;
mod device;
mod embedded;
mod flow;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod id;
mod keys;
mod list;
mod memo;
mod near;
pub mod outbox;
mod record;
mod redis;
mod resume;
mod scripts;
mod store;
mod token;
mod told;
mod tracking;
mod upkeep;
mod watch;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod model;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{HeaderMap, HeaderValue};
use tokio::runtime::Handle;

use self::{
    activity::Activity, cookie::Cookies, memo::Memo, near::Near, outbox::Progress, token::Tokens, watch::Watch,
};
pub use self::{
    change::NotStarted,
    cookie::HOPS,
    embedded::Embedded,
    flow::{FlowId, Pending},
    id::Key,
    keys::Keys,
    list::Listed,
    record::{Live, Place, Record, Sid},
    redis::Redis,
    resume::Resumed,
    store::{NotOpened, Store},
    token::Minted,
};
pub use crate::storage::redis::Unreachable;
use crate::{
    config::{self, portal::PortalUrl},
    telemetry::metrics::Lookups,
    world::{Clock, Entropy},
};

/// The door of this room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: config::session::Session,
    cookies: Cookies,
    keys: Keys,
    memo: Memo,
    store: Store,
    near: Near,
    activity: Activity,
    watch: Watch,
    progress: Progress,
    tokens: Tokens,
    service: Handle,
    clock: Clock,
    entropy: Entropy,
    lookups: Lookups,
    /// The last question to the store was not answered.
    away: AtomicBool,
}

impl Sessions {
    /// Opens the room: store misses, activity, revocation watching and sweeping run on `service`.
    ///
    /// The store need not answer yet.
    #[must_use]
    pub fn new(
        settings: config::session::Session,
        portal: &PortalUrl,
        keys: Keys,
        store: Store,
        service: Handle,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let shared = Arc::new(Shared {
            cookies: Cookies::new(portal, settings.domain.as_deref()),
            settings,
            keys,
            memo: Memo::new(),
            near: if store.shared() { Near::closed() } else { Near::open() },
            store,
            activity: Activity::default(),
            watch: Watch::default(),
            progress: Progress::default(),
            tokens: Tokens::default(),
            service,
            clock,
            entropy,
            lookups: Lookups::default(),
            away: AtomicBool::new(false),
        });
        upkeep::begin(&shared);
        Self { shared }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`Unreachable`] when it does not.
    pub async fn ready(&self) -> Result<(), Unreachable> {
        use self::store::SessionStore;
        self.shared.on_service(|shared| async move { shared.store.ready().await }).await
    }

    /// What this room counts.
    #[must_use]
    pub fn lookups(&self) -> &Lookups {
        &self.shared.lookups
    }

    /// A `Set-Cookie` value that removes our cookie.
    #[must_use]
    pub fn removal(&self) -> HeaderValue {
        self.shared.cookies.session.set("", Some(std::time::Duration::ZERO))
    }

    /// A request's cookies in one line, less ours; all others keep their bytes and their order.
    #[must_use]
    pub fn other_cookies(&self, fields: &HeaderMap) -> Option<HeaderValue> {
        self.shared.cookies.others(fields)
    }

    /// Whether a `Set-Cookie` value from an upstream would set one of our cookies.
    #[must_use]
    pub fn sets_ours(&self, value: &HeaderValue) -> bool {
        self.shared.cookies.sets_ours(value)
    }
}

impl Shared {
    /// Runs on the service runtime, to the end, whether or not the asker waits for it.
    async fn on_service<T, F, W>(self: &Arc<Self>, work: W) -> Result<T, Unreachable>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Unreachable>> + Send + 'static,
        W: FnOnce(Arc<Self>) -> F,
    {
        let answer = match self.service.spawn(work(Arc::clone(self))).await {
            Ok(answer) => answer,
            // The runtime is going down, or the work panicked.
            Err(error) => Err(Unreachable(Box::new(error))),
        };
        self.note(answer.as_ref().err());
        answer
    }

    /// Says in the log that the store went away or came back, once each.
    fn note(&self, error: Option<&Unreachable>) {
        // Looked at first: the common case writes nothing that threads share.
        if self.away.load(Ordering::Relaxed) == error.is_some()
            || self.away.swap(error.is_some(), Ordering::Relaxed) == error.is_some()
        {
            return;
        }
        match error {
            Some(error) => tracing::warn!(error = %error.0, "the session store does not answer"),
            None => tracing::info!("the session store answers again"),
        }
    }
}
