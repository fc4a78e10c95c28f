//! Everything that is kept of an account, for its owner to take along. No secrets, no hashes, nothing of other people.

use super::{
    Identity, PasskeyLine, Refusal, access_token::AccessToken, account::Account, account::AccountId, trail::Recorded,
};
use crate::world::UnixMillis;

/// What the accounts database knows of somebody. (Sessions are elsewhere.)
#[derive(Clone, Debug)]
pub struct Export {
    /// The account as it stands.
    pub account: Account,
    /// Usernames it had before, which stay its own.
    pub former_usernames: Vec<String>,
    /// When passkeys were last shown.
    pub passkeys: Vec<PasskeyLine>,
    /// Recovery codes not used yet.
    pub recovery_codes: u32,
    /// Access tokens, without their values.
    pub tokens: Vec<AccessToken>,
    /// Browsers that signed in, the last one first.
    pub devices: Vec<KnownDevice>,
    /// What happened to it, the newest first; at most [`Export::MOST`] entries.
    pub activity: Vec<Recorded>,
}

/// A browser that signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    /// "Firefox on Windows"
    pub words: String,
    /// `192.0.2.0/24`; empty when it is not known.
    pub network: String,
    /// Its first sign-in.
    pub first_seen: UnixMillis,
    /// Its last one.
    pub last_seen: UnixMillis,
}

impl Export {
    /// Of [`Export::activity`].
    pub const MOST: u32 = 10_000;
}

impl Identity {
    /// All of it.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account is gone or disabled, [`Refusal::Store`].
    pub async fn export(&self, id: &AccountId, now: UnixMillis) -> Result<Export, Refusal> {
        let ledger = &self.inner.ledger;
        let passkeys = self.passkeys(id).await?;
        let recovery_codes = self.recovery_codes_left(id).await?;
        let activity = self.activity(id, None, Export::MOST).await?;
        let mut tx = ledger.db().read().await?;
        let account = ledger.load(&mut tx, id).await?.filter(|owner| !owner.disabled).ok_or(Refusal::Stale)?;
        let former_usernames = ledger.former_names(&mut tx, id, &account.username).await?;
        let devices = ledger.devices(&mut tx, id).await?;
        let tokens = ledger.tokens(&mut tx, id, now).await?;
        Ok(Export { account, former_usernames, passkeys, recovery_codes, tokens, devices, activity })
    }
}
