//! `[session]`: where sessions live and how long.

pub mod redis;

use std::time::Duration;

use secrecy::ExposeSecret as _;

pub use self::redis::Redis;
use super::{reader::Section, units};

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
#[derive(Clone, Debug)]
pub enum Store {
    /// `data_dir/sessions.db`
    Embedded,
    /// One or several Redis servers.
    Redis(Redis),
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

pub(super) fn read(mut section: Section<'_>) -> Session {
    let default = Session::default();
    let store = section
        .secret("store", "store_file")
        .and_then(|text| store(text.expose_secret()).map_err(|message| section.refuse("store", message)).ok());
    let session = Session {
        store: store.unwrap_or(default.store),
        idle: section.parse("idle", units::duration).unwrap_or(default.idle),
        lifetime: section.parse("lifetime", units::duration).unwrap_or(default.lifetime),
        remember: section.parse("remember", units::duration).unwrap_or(default.remember),
        domain: section.parse("domain", |text| units::host(text.trim_start_matches('.'))),
    };
    section.finish();
    session
}

fn store(text: &str) -> Result<Store, String> {
    match text.trim() {
        "embedded" => Ok(Store::Embedded),
        text => Redis::parse(text).map(Store::Redis),
    }
}
