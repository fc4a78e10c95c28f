//! Browsers an account signed in with: its owner is mailed when one signs in that never did before.
//!
//! Written by the trail's task, so that no page waits for it. The first one is no news.

use templates::mail as words;

use super::{
    Identity, Refusal,
    account::{Account, AccountId},
    trail::Item,
};
use crate::{storage::Tx, world::UnixMillis};

/// A browser that signed in, on its way into the table.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) account: AccountId,
    /// SHA-256 of what its cookie holds.
    pub(super) device: [u8; 32],
    /// "Firefox on Windows"
    pub(super) words: String,
    /// `192.0.2.0/24`; empty when it is not known.
    pub(super) network: String,
    pub(super) at: UnixMillis,
}

/// A browser that is news, and whose account it is.
pub(super) struct News(Account, Seen);

impl Identity {
    /// Has a browser that signed in remembered, soon; its account's owner is mailed if it is a new one beside others.
    /// `device` is the SHA-256 of what its cookie holds, `words` what it is called.
    pub fn note_device(&self, account: &AccountId, device: [u8; 32], words: String, now: UnixMillis) {
        let network = self.network.map(|network| network.to_string()).unwrap_or_default();
        self.wait_to_be_written(Item::Device(Seen { account: account.clone(), device, words, network, at: now }));
    }

    /// Writes it down; answers what its account's owner has to be told once that is certain.
    pub(super) async fn meet(&self, tx: &mut Tx, seen: Seen) -> Result<Option<News>, Refusal> {
        let ledger = &self.inner.ledger;
        // Deleted meanwhile: there is nobody to tell.
        let Some(account) = ledger.load(tx, &seen.account).await? else { return Ok(None) };
        let news = ledger.meet(tx, &seen, MOST).await?;
        Ok(news.then_some(News(account, seen)))
    }

    pub(super) fn tell_news(&self, news: &News) {
        let News(account, seen) = news;
        let settings = &self.inner.settings;
        let body = words::NewDevice {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            device: &seen.words,
            network: &seen.network,
            at: seen.at.0,
            sessions: &settings.link("sessions"),
        };
        self.tell(account, body.body());
    }
}

/// Of each account; those seen longest ago go.
const MOST: i64 = 50;
