//! `[session]`: where sessions live and how long.

use std::time::Duration;

use secrecy::ExposeSecret as _;

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

// The URL may hold a password: no message repeats it.
fn store(text: &str) -> Result<Store, String> {
    const FORMS: &str = "write \"embedded\", \"redis://127.0.0.1:6379\" or \"rediss://…\" (TLS)";
    let text = text.trim();
    match text.split_once("://").map_or(text, |(scheme, _)| scheme) {
        "embedded" => Ok(Store::Embedded),
        "redis" | "rediss" => match url::Url::parse(text) {
            Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(Store::Redis(text.to_owned())),
            Ok(_) => Err(format!("it names no host: {FORMS}")),
            Err(error) => Err(format!(
                "{FORMS} ({error}; characters like `@`, `/` and `#` in a password are written as %40, %2F and %23)"
            )),
        },
        scheme @ ("redis+sentinel" | "redis+cluster") => Err(format!("`{scheme}` is not supported yet: {FORMS}")),
        _ => Err(FORMS.into()),
    }
}
