//! A link to Redis: how the server is found (`redis/dial.rs`) and spoken to (`redis/link.rs`).
//!
//! Whoever keeps something there shares one [`Link`]. In a Cluster all keys carry one hash tag, the prefix, since scripts
//! touch several at once.

mod dial;
mod link;

use std::{sync::Arc, time::Duration};

use ::redis::{FromRedisValue, Script};

use self::{dial::Dialer, link::Links};
pub(crate) use self::{
    dial::{Wire, refused},
    link::Question,
};
use crate::{
    config::session::redis::{Redis as Servers, Shape},
    world::roots,
};

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the session store is not reachable")]
pub struct Unreachable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Why no link can be made at all. (A Redis that is down is no reason.)
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// `SSL_CERT_FILE` cannot be used.
    #[error(transparent)]
    Roots(roots::RootsError),
    /// TLS cannot be set up.
    #[error("TLS to Redis cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// A link to the Redis server that holds what nodes share. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    /// Before every key: `vestibule:`.
    prefix: Arc<str>,
    links: Arc<Links>,
}

impl Link {
    /// Connects at first use, so that Redis may be down now. Use it on the service runtime.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be used.
    pub fn new(servers: &Servers) -> Result<Self, NotOpened> {
        // One hash tag, so that a cluster keeps everything in one slot.
        let prefix = if servers.shape == Shape::Cluster { "{vestibule}:" } else { "vestibule:" };
        Self::under(servers, prefix)
    }

    /// The same under a prefix of one's own.
    pub(crate) fn under(servers: &Servers, prefix: &str) -> Result<Self, NotOpened> {
        let dialer = Dialer::new(servers.clone(), format!("{prefix}s:"))?;
        Ok(Self { prefix: prefix.into(), links: Arc::new(Links::new(dialer)) })
    }

    /// What the names of all keys begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Both connections' common ground.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Asks, in bounded time.
    pub(crate) async fn ask<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T, Unreachable> {
        self.links.ask(question).await
    }

    /// Runs a script, in bounded time.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        args: &[String],
    ) -> Result<T, Unreachable> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(key);
        }
        for arg in args {
            invocation.arg(arg);
        }
        self.ask(Question::Script(invocation)).await
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The servers' logins hold passwords.
        f.write_str("Link(…)")
    }
}

/// A span for `PX`, at least one millisecond: Redis refuses zero.
pub(crate) fn millis(span: Duration) -> String {
    span.as_millis().clamp(1, i64::MAX as u128).to_string()
}
