//! The keys this node holds in memory: the one that signs, and the list that verifiers fetch.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use super::{
    key::{Jwk, SigningKey},
    ledger::StoredKey,
    schedule,
};
use crate::world::UnixMillis;
use crate::world::vault::Vault;

/// Keys in the order in which they sign; never empty once published.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    keys: Vec<Held>,
    document: Bytes,
}

/// One key, read.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub key: Arc<SigningKey>,
    pub signs_from: UnixMillis,
}

/// What the database holds, read with our secrets, and what is to be done about it.
#[derive(Debug, Default)]
pub(super) struct Review {
    pub held: Vec<Held>,
    /// To be sealed again under the current secret.
    pub stale: Vec<Arc<SigningKey>>,
    /// No secret of ours opens them.
    pub unreadable: Vec<StoredKey>,
}

/// `jwks.json` (RFC 7517 §5).
#[derive(Serialize)]
struct JwkSet<'a> {
    keys: Vec<&'a Jwk>,
}

impl Keyring {
    pub fn new(keys: Vec<Held>) -> Self {
        let public = JwkSet { keys: keys.iter().map(|held| held.key.public()).collect() };
        // Our own types always serialize.
        let document = serde_json::to_vec(&public).unwrap_or_default().into();
        Self { keys, document }
    }

    /// The key that signs now; `None` before any was read.
    pub fn signing(&self, now: UnixMillis) -> Option<&SigningKey> {
        let place = schedule::signing(self.keys.iter().map(|held| held.signs_from), now);
        self.keys.get(place).map(|held| &*held.key)
    }

    /// The public halves, as JSON; `None` before any was read.
    pub fn document(&self) -> Option<&Bytes> {
        (!self.keys.is_empty()).then_some(&self.document)
    }

    fn find(&self, kid: &str) -> Option<&Held> {
        self.keys.iter().find(|held| held.key.kid() == kid)
    }
}

impl Review {
    /// Only a private key that opens puts its public half into the list: whoever can merely write the table adds none.
    /// What this node has open already stays open, under whatever secret another node has sealed it since.
    pub fn of(stored: Vec<StoredKey>, known: &Keyring, vault: &Vault) -> Self {
        let mut review = Self::default();
        for row in stored {
            let signs_from = row.signs_from();
            if let Some(held) = known.find(&row.kid) {
                review.held.push(Held { key: Arc::clone(&held.key), signs_from });
                continue;
            }
            let opened = vault.open(&row.kid, &row.sealed);
            let read = opened.and_then(|opened| Some((SigningKey::from_pkcs8(&opened.document).ok()?, opened.stale)));
            match read.filter(|(key, _)| key.kid() == row.kid) {
                Some((key, stale)) => {
                    let key = Arc::new(key);
                    review.stale.extend(stale.then(|| Arc::clone(&key)));
                    review.held.push(Held { key, signs_from });
                }
                None => review.unreadable.push(row),
            }
        }
        review
    }

    /// From when a key to be made now would sign.
    pub fn due(&self, now: UnixMillis) -> Option<UnixMillis> {
        let starts: Vec<_> = self.held.iter().map(|held| held.signs_from).collect();
        schedule::due(&starts, now)
    }

    /// Names of keys that can go.
    pub fn over(&self, now: UnixMillis) -> HashSet<String> {
        let followed = self.held.windows(2).filter_map(|pair| match pair {
            [key, next] if schedule::is_over(next.signs_from, now) => Some(key.key.kid().to_owned()),
            _ => None,
        });
        let forgotten = self.unreadable.iter().filter(|row| schedule::is_forgotten(row.signs_from(), now));
        followed.chain(forgotten.map(|row| row.kid.clone())).collect()
    }

    /// Whether nothing is to be written.
    pub fn settled(&self, now: UnixMillis) -> bool {
        self.stale.is_empty() && self.due(now).is_none() && self.over(now).is_empty()
    }
}
