//! Personal access tokens: how scripts come in, as whoever made them, to the sites they are for, until they expire.
//!
//! The value is the session room's (`vst_…`, shown once); kept here are its SHA-256 and what it may do. A token counts with
//! the factors of the sign-in that made it. It ends with its owner's account, and whenever somebody else may have made it: a
//! password reset by mail, an undone change of address, the operator's `set-password` and `reset-factors`. A disabled owner's
//! tokens rest. OWASP ASVS 5.0, 7.4 and 9.2.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use templates::mail as words;

use super::{
    Identity, Refusal, Shown,
    account::{Account, AccountId},
    fields::{self, Faults},
    ledger::Carry,
    letters::Ended,
    outbox::RowId,
    throttle,
    trail::{Entry, Event},
};
use crate::{inbound::Client, storage::Tx, world::UnixMillis};

/// One token, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Its public name (32 characters), for pages, the trail and `sid`.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// Where it may be used.
    pub sites: Sites,
    /// What was shown at the sign-in that made it, oldest first.
    pub shown: Vec<Shown>,
    /// Since when.
    pub created_at: UnixMillis,
    /// Until when.
    pub expires_at: UnixMillis,
    /// Its last use, ten minutes behind at most.
    pub last_used_at: Option<UnixMillis>,
}

/// The sites a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sites {
    /// Every one, those to come as well.
    All,
    /// Those of these hosts, canonical and without port.
    Of(Vec<String>),
}

impl Sites {
    /// Whether the site of that host is one of them.
    #[must_use]
    pub fn contain(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(hosts) => hosts.iter().any(|known| known == host),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Of(hosts) => hosts.join(" "),
        }
    }

    pub(super) fn of_text(text: &str) -> Self {
        if text.is_empty() { Self::All } else { Self::Of(text.split(' ').map(str::to_owned).collect()) }
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// 1–60 code points, one line.
    pub name: String,
    /// At least one.
    pub sites: Sites,
    /// How long it lives.
    pub lives: Duration,
}

/// What a token is worth now.
#[derive(Debug)]
pub enum Worth {
    /// It speaks for its owner.
    Live(Box<(AccessToken, Account)>),
    /// Its owner is disabled: it may be worth something again.
    Resting,
    /// Unknown, revoked, or expired: for good.
    Nothing,
}

impl Identity {
    /// Counts that the account's owner is about to make one: before anything is looked at or written.
    ///
    /// # Errors
    /// [`Refusal::Throttled`], [`Refusal::Store`].
    pub async fn count_new_token(&self, id: &AccountId, client: &Client, now: UnixMillis) -> Result<(), Refusal> {
        let _counted = self.inner.throttle.admit(throttle::Purpose::Token, &id.0, client, now).await?;
        Ok(())
    }

    /// Keeps a new token by its `hash` (the SHA-256 of what its value holds), made by the session `sid` that showed `shown`. The
    /// owner is mailed.
    ///
    /// # Errors
    /// [`Refusal::Fields`], [`Refusal::Stale`] when the account is gone or disabled, or that session is about to end;
    /// [`Refusal::Store`].
    pub async fn make_token(
        &self,
        (id, sid): (&AccountId, &str),
        new: NewToken,
        hash: &[u8; 32],
        shown: &[Shown],
        now: UnixMillis,
    ) -> Result<AccessToken, Refusal> {
        let mut faults = Faults::default();
        let name = faults.keep("name", fields::token_name(&new.name));
        if matches!(&new.sites, Sites::Of(hosts) if hosts.is_empty()) {
            faults.fault("sites", "Choose at least one site.");
        }
        faults.verdict()?;
        let public: [u8; 24] = self.inner.entropy.bytes()?;
        let token = AccessToken {
            id: URL_SAFE_NO_PAD.encode(public),
            account: id.clone(),
            name: name.unwrap_or_default(),
            sites: new.sites,
            shown: shown.to_vec(),
            created_at: now,
            expires_at: now.plus(new.lives),
            last_used_at: None,
        };
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let owner = ledger.load(&mut tx, id).await?.filter(|owner| !owner.disabled).ok_or(Refusal::Stale)?;
        // Whoever is being thrown out must not leave a way back in.
        if ledger.ends(&mut tx, id, sid).await? {
            return Err(Refusal::Stale);
        }
        ledger.drop_expired_tokens(&mut tx, id, now).await?;
        let others = ledger.tokens(&mut tx, id, now).await?;
        if others.iter().any(|other| other.name == token.name) {
            return Err(Refusal::field(
                "name",
                "You have a token of that name. Choose another name, or revoke that one.",
            ));
        }
        if others.len() >= MOST_TOKENS {
            return Err(Refusal::field("name", "You have 50 tokens, which is the most. Revoke one that is not used."));
        }
        ledger.add_token(&mut tx, &token, hash).await?;
        self.recorded(tx, self.entry(Event::TokenMade, id, now).with(token.detail())).await?;
        self.tell_token(&owner, &token, now);
        Ok(token)
    }

    /// Ends a token of the account, everywhere once the row is applied; `None` when it has no such token.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn revoke_token(&self, id: &AccountId, token: &str, now: UnixMillis) -> Result<Option<RowId>, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let Some(name) = ledger.drop_token(&mut tx, id, token).await? else { return Ok(None) };
        let entry = self.entry(Event::TokenRevoked, id, now).with(format!("{token} {name}"));
        Ok(Some(self.guarded_as(tx, entry, Carry::EndToken(token)).await?.1))
    }

    /// The account's tokens that have not expired, the newest first.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn tokens(&self, id: &AccountId, now: UnixMillis) -> Result<Vec<AccessToken>, Refusal> {
        let ledger = &self.inner.ledger;
        Ok(ledger.tokens(&mut ledger.db().read().await?, id, now).await?)
    }

    /// What the token of that hash is worth.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn token_worth(&self, hash: &[u8; 32], now: UnixMillis) -> Result<Worth, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().read().await?;
        let Some(token) = ledger.token_of_hash(&mut tx, hash).await?.filter(|token| token.expires_at > now) else {
            return Ok(Worth::Nothing);
        };
        Ok(match ledger.load(&mut tx, &token.account).await? {
            Some(owner) if !owner.disabled => Worth::Live(Box::new((token, owner))),
            Some(_) => Worth::Resting,
            None => Worth::Nothing,
        })
    }

    /// Writes down that a token is used.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn token_used(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.token_used(&mut tx, token, now).await?;
        Ok(tx.commit().await?)
    }

    /// The end of a change after which nothing goes on that somebody else may have begun: sessions end, invitations, and access
    /// tokens, which has an entry of its own. Also what there was of them.
    pub(super) async fn recovered(&self, mut tx: Tx, entry: Entry) -> Result<(Account, RowId, Ended), Refusal> {
        let ledger = &self.inner.ledger;
        let (id, now) = (entry.account.clone(), entry.at);
        // What has run out is no news.
        ledger.drop_expired_tokens(&mut tx, &id, now).await?;
        let tokens = ledger.drop_tokens(&mut tx, &id).await?;
        let ended = Ended { tokens, invitations: ledger.drop_invitations_of(&mut tx, &id).await? };
        let also = ended.tokens.then(|| Entry { event: Event::TokensEnded, ..entry.clone() });
        let entries: Vec<_> = std::iter::once(entry).chain(also).collect();
        ledger.append(&mut tx, &entries).await?;
        let (owner, row) = self.guarded(tx, &id, Carry::End, now).await?;
        entries.iter().for_each(Entry::log);
        Ok((owner, row, ended))
    }

    fn tell_token(&self, owner: &Account, token: &AccessToken, now: UnixMillis) {
        let settings = &self.inner.settings;
        let body = words::TokenMade {
            site_name: &settings.portal.name,
            first_name: owner.greeted(),
            // Whoever made it may be somebody else, and mails shall lead nowhere but here.
            name: if fields::is_address(&token.name) { "" } else { &token.name },
            at: now.0,
            expires: token.expires_at.0,
            tokens: &settings.link("tokens"),
        };
        self.tell(owner, body.body());
    }
}

impl AccessToken {
    /// For the trail.
    fn detail(&self) -> String {
        format!("{} {}", self.id, self.name)
    }
}

/// Tokens of one account.
pub const MOST_TOKENS: usize = 50;
