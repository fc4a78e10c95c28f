//! What one-time links hold: 32 random bytes as base64url. The database keeps their SHA-256 only.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Identity, Refusal, account::AccountId};
use crate::world::UnixMillis;

/// A fresh token: its text for the link, its hash for the database.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) hash: Hash,
}

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// The hash of a token somebody brought.
///
/// # Errors
/// [`Refusal::DeadLink`] when it was never one of ours.
pub(super) fn hash(text: &str) -> Result<Hash, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::DeadLink)?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| Refusal::DeadLink)?;
    Ok(hash_bytes(&bytes))
}

fn hash_bytes(bytes: &[u8]) -> Hash {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut hash = Hash::default();
    for (place, byte) in hash.iter_mut().zip(digest.as_ref()) {
        *place = *byte;
    }
    hash
}

impl Identity {
    pub(super) fn fresh_token(&self) -> Result<Token, Refusal> {
        let bytes: [u8; 32] = self.inner.entropy.bytes()?;
        Ok(Token { text: URL_SAFE_NO_PAD.encode(bytes), hash: hash_bytes(&bytes) })
    }

    /// A new `sub`: UUIDv7, so that accounts sort by age.
    pub(super) fn fresh_id(&self, now: UnixMillis) -> Result<AccountId, Refusal> {
        let millis = u64::try_from(now.0).unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &self.inner.entropy.bytes()?).into_uuid();
        Ok(AccountId(id.to_string().into()))
    }
}
