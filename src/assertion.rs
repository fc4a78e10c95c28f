//! The signed identity assertion: a JWT that lets the site behind check for itself who sent a request.
//!
//! Made by `app`; `proxy` asks for the field, `portal` for `jwks.json`. Keys are made here, kept sealed in the accounts
//! database (`vault`, `ledger`), shared by all nodes and rotated by `schedule`. Without keys in memory (the database was
//! never reached yet) the field is absent: a site that checks it refuses by itself. RFC 7515, 7517, 7519; RFC 8725.
//!
//! Signing costs some twenty microseconds, so that an assertion is kept for its session record and site and sent again
//! until half its life. A record that changed is another record: names and groups are never older than the plain fields.

mod claims;
#[cfg(test)]
mod contract;
mod key;
mod keyring;
mod ledger;
mod schedule;
mod upkeep;

use std::{
    hash::Hash,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::HeaderValue;
use quick_cache::{Equivalent, sync::Cache};
use secrecy::SecretString;

use self::{claims::Claims, keyring::Keyring};
use crate::{
    session::{Record, Sid},
    storage::Db,
    world::{Clock, Entropy, UnixMillis, vault::Vault},
};

/// The door of this room. Cheap to clone; shared by all threads.
#[derive(Clone, Debug, Default)]
pub struct Assertions {
    /// Nothing when `identity.assertion` is empty.
    shared: Option<Arc<Shared>>,
}

/// What the assertions of this gateway have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `iss`: the origin of `portal.url`.
    pub issuer: String,
    /// `aud`: the origin of each site, in the order of `Site::index`.
    pub audiences: Vec<String>,
    /// Whether `email` is told: as `Remote-Email` is.
    pub with_email: bool,
}

/// What `jwks.json` has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// Nothing is ever signed here.
    Off,
    /// The keys were not read yet.
    NotYet,
    /// The JSON.
    Keys(Bytes),
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    db: Db,
    vault: Vault,
    ring: ArcSwap<Keyring>,
    /// Assertions made lately, by session and site.
    made: Cache<Purpose, Arc<Made>>,
    /// How many kept keys could not be opened at the last look.
    unreadable: AtomicUsize,
    clock: Clock,
    entropy: Entropy,
}

/// An assertion, and what it was made of.
#[derive(Debug)]
struct Made {
    record: Arc<Record>,
    until: UnixMillis,
    value: HeaderValue,
}

/// Whose session, at which site.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Purpose {
    sid: Sid,
    site: usize,
}

/// The same, borrowed; hashes alike.
#[derive(Hash)]
struct PurposeOf<'a> {
    sid: &'a Sid,
    site: usize,
}

/// Deriving a key from the secrets failed.
#[derive(Debug, thiserror::Error)]
#[error("no key could be derived from the secrets")]
pub struct NoVault;

impl Assertions {
    /// Opens the room. The database need not answer yet: [`Assertions::keep`] reads the keys.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn new(
        settings: Settings,
        db: Db,
        (current, previous): (&SecretString, &[SecretString]),
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, NoVault> {
        let vault = Vault::new("vestibule assertion keys v1", current, previous).map_err(|_| NoVault)?;
        let shared = Shared {
            settings,
            db,
            vault,
            ring: ArcSwap::default(),
            made: Cache::new(KEPT),
            unreadable: AtomicUsize::new(0),
            clock,
            entropy,
        };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// A room that signs nothing: `identity.assertion = ""`.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// The assertion of a live session for a site (`Site::index`), as the field's value.
    /// `None` when nothing is signed here, or no key was read yet.
    #[must_use]
    pub fn field(&self, record: &Arc<Record>, site: usize) -> Option<HeaderValue> {
        let shared = self.shared.as_ref()?;
        let now = shared.clock.now();
        match shared.made.get(&PurposeOf { sid: &record.sid, site }) {
            Some(made) if now < made.until && made.is_of(record) => Some(made.value.clone()),
            _ => shared.make(record, site, now),
        }
    }

    /// The public keys.
    #[must_use]
    pub fn published(&self) -> Published {
        let Some(shared) = &self.shared else { return Published::Off };
        shared.ring.load().document().map_or(Published::NotYet, |keys| Published::Keys(keys.clone()))
    }

    /// Whether assertions are made, where they are wanted.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.published() != Published::NotYet
    }

    /// How long verifiers may keep what [`Assertions::published`] says.
    #[must_use]
    pub fn cached() -> Duration {
        schedule::CACHED
    }
}

impl Shared {
    fn make(&self, record: &Arc<Record>, site: usize, now: UnixMillis) -> Option<HeaderValue> {
        let parties = (&*self.settings.issuer, self.settings.audiences.get(site)?.as_str());
        let claims = Claims::new(record, parties, self.settings.with_email, now);
        let signed = self.ring.load().signing(now)?.sign(&claims);
        let value = signed.inspect_err(|error| tracing::error!(%error, "an identity assertion was not signed")).ok()?;
        let made = Made { record: Arc::clone(record), until: claims::reused_until(record, now), value: value.clone() };
        self.made.insert(Purpose { sid: record.sid.clone(), site }, Arc::new(made));
        Some(value)
    }
}

impl Made {
    /// One record in memory is one record; read anew from the store, it may still say the same.
    fn is_of(&self, record: &Arc<Record>) -> bool {
        Arc::ptr_eq(&self.record, record) || self.record == *record
    }
}

impl Equivalent<Purpose> for PurposeOf<'_> {
    fn equivalent(&self, purpose: &Purpose) -> bool {
        *self.sid == purpose.sid && self.site == purpose.site
    }
}

/// Assertions kept; about 2 KiB each with their records.
const KEPT: usize = 20_000;
