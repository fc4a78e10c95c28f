//! `[session]`: where sessions live and how long.

use std::time::Duration;

/// `[session]`
#[derive(Clone, Debug)]
pub struct Session {
    /// Which backend keeps them.
    pub store: Store,
    /// Ends a session this long after the last request.
    pub idle: Duration,
    /// Ends a session this long after sign-in, whatever happens.
    pub lifetime: Duration,
    /// Replaces both for "stay signed in".
    pub remember: Duration,
    /// One sign-in for sites under one parent; must be `portal.url`'s host or a parent of it.
    pub domain: Option<String>,
}

/// `session.store`
#[derive(Clone, PartialEq, Eq)]
pub enum Store {
    /// `data_dir/sessions.db`
    Embedded,
    /// `redis://` or `rediss://`; the URL may hold a password.
    Redis(String),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.write_str(match self {
            Self::Embedded => "Embedded",
            Self::Redis(_) => "Redis(…)",
        })
    }
}

impl Default for Session {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            store: Store::Embedded,
            idle: Duration::from_secs(HOUR),
            lifetime: Duration::from_secs(12 * HOUR),
            remember: Duration::from_secs(30 * 24 * HOUR),
            domain: None,
        }
    }
}
