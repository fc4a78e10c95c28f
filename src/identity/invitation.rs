//! Invitations: what an administrator makes, and somebody else brings to register.
//!
//! One with an address has two links. The one that was mailed proves the mailbox, so that no further mail is needed; the one
//! that its maker was shown proves nothing. Neither says what the account may: the groups stay in the database.

use std::time::Duration;

use templates::mail as words;

use super::{
    Identity, Refusal,
    account::Account,
    administration::Administration,
    fields,
    ledger::{Brought, NewInvitation, groups_of},
    names::Email,
    people::{listed, named},
    throttle::{Purpose, Ticket},
    token,
    trail::Event,
};
use crate::{inbound::Client, verify::Destination, world::UnixMillis};

/// A new invitation: its link is shown this once.
#[derive(Debug)]
pub struct Invitation {
    /// The whole URL.
    pub link: String,
    /// To whom a link of their own was mailed.
    pub mailed_to: Option<String>,
    /// Whether who comes by `link` still has to confirm their address.
    pub confirms: bool,
    /// How long both live.
    pub lives: Duration,
}

/// What the page has to know of an invitation that was brought.
#[derive(Debug)]
pub struct Invited {
    /// The address to register with, where it is bound to one.
    pub email: Option<String>,
}

/// One that can still be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenInvitation {
    /// Its number.
    pub id: String,
    /// For whom it is, where it is bound to an address.
    pub email: Option<String>,
    /// The groups it gives.
    pub groups: Vec<String>,
    /// The username of the administrator who made it.
    pub maker: String,
    /// Until when it works.
    pub expires_at: UnixMillis,
}

impl Identity {
    /// Looks at an invitation; consumes nothing (mail scanners GET it). What is none counts against the network.
    ///
    /// # Errors
    /// [`Refusal::Closed`], [`Refusal::DeadLink`], [`Refusal::Throttled`], [`Refusal::Store`].
    pub async fn invitation(&self, token: &str, client: &Client, now: UnixMillis) -> Result<Invited, Refusal> {
        let (counted, brought) = self.admit_invitation(token, client, now).await?;
        counted.undo(now).await;
        Ok(Invited { email: brought.email })
    }

    /// Counts a form, and finds its invitation. A dead one stays counted.
    pub(super) async fn admit_invitation(
        &self,
        token: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(Ticket, Brought), Refusal> {
        if !self.takes_invitations() {
            return Err(Refusal::Closed);
        }
        let form = self.inner.throttle.admit(Purpose::Form, "", client, now).await?;
        match self.brought(token, now).await {
            Ok(brought) => Ok((form, brought)),
            Err(Refusal::DeadLink) => Err(Refusal::DeadLink),
            Err(other) => {
                form.undo(now).await;
                Err(other)
            }
        }
    }

    async fn brought(&self, token: &str, now: UnixMillis) -> Result<Brought, Refusal> {
        let hash = token::hash(token)?;
        let ledger = &self.inner.ledger;
        ledger.invitation(&mut ledger.db().read().await?, &hash, now).await?.ok_or(Refusal::DeadLink)
    }

    /// Tells its maker: whoever found their session open may have made it.
    fn tell_invitation(
        &self,
        maker: &Account,
        email: Option<&str>,
        groups: &[String],
        (now, until): (UnixMillis, UnixMillis),
    ) {
        let settings = &self.inner.settings;
        // Mails shall lead nowhere but here.
        let groups: Vec<_> = groups.iter().map(String::as_str).filter(|name| !fields::is_address(name)).collect();
        let masked = email.map(|email| Destination::Email(email.to_owned()).masked());
        let body = words::InvitationMade {
            site_name: &settings.portal.name,
            first_name: maker.greeted(),
            masked: masked.as_deref(),
            groups: &groups.join(", "),
            at: now.0,
            until: until.0,
            invitations: &settings.link("admin/invitations"),
        };
        self.tell(maker, body.body());
    }

    fn mail_invitation(&self, to: &str, link: &str, lives: Duration) -> Result<(), Refusal> {
        let body = words::Invitation { site_name: &self.inner.settings.portal.name, link, lives };
        Ok(self.mail(to, body.body(), lives)?)
    }
}

impl Administration {
    /// Makes an invitation, for whoever brings it or, with an address, for its owner, who is mailed.
    ///
    /// # Errors
    /// [`Refusal::Fields`], [`Refusal::Stale`] when its maker is no administrator any more or is being signed out,
    /// [`Refusal::Busy`] when no mail
    /// can leave, [`Refusal::Store`].
    pub async fn invite(&self, email: &str, groups: &str, days: &str, now: UnixMillis) -> Result<Invitation, Refusal> {
        let identity = &self.identity;
        let email = match email.trim() {
            "" => None,
            typed => Some(Email::parse(typed).map_err(|message| Refusal::field("email", message))?),
        };
        let groups = listed(groups, MOST_GROUPS)?;
        let days = days.trim().parse().ok().filter(|days| (1..=MOST_DAYS).contains(days));
        let days = days.ok_or_else(|| Refusal::field("days", format!("Enter a number from 1 to {MOST_DAYS}.")))?;
        let lives = Duration::from_hours(24 * u64::from(days));
        let (shown, mailed) = (identity.fresh_token()?, identity.fresh_token()?);
        let ledger = &identity.inner.ledger;
        let mut tx = ledger.db().write().await?;
        identity.still_may(&mut tx, &self.by()).await?;
        if ledger.count_open_invitations(&mut tx, now).await? >= MOST_OPEN {
            let message = format!("{MOST_OPEN} invitations are open. Revoke some first.");
            return Err(Refusal::field("email", message));
        }
        let address = email.as_ref().map(|email| email.address().to_string());
        if let Some(email) = &email
            && ledger.address_holder(&mut tx, email.key(), None, now).await?.is_some()
            && ledger.squatter(&mut tx, email.key()).await?.is_none()
        {
            return Err(Refusal::field("email", "There is an account with this e-mail address already."));
        }
        let bound = email.as_ref().zip(address.as_deref());
        let id = identity.fresh_id(now)?.0;
        let new = NewInvitation {
            id: &id,
            token: &shown.hash,
            bound: bound.map(|(email, address)| (address, email.key(), &mailed.hash)),
            groups: &groups,
            by: &self.id,
            now,
            expires: now.plus(lives),
        };
        ledger.put_invitation(&mut tx, &new).await?;
        let link = |token: &str| identity.inner.settings.link(&format!("register?invitation={token}"));
        let entry = identity.entry(Event::InvitationMade, &self.id, now).with(named(&groups));
        if let Some(address) = &address {
            // Before the commit: what cannot be mailed is not made.
            identity.mail_invitation(address, &link(&mailed.text), lives)?;
        }
        let maker = ledger.load(&mut tx, &self.id).await?.ok_or(Refusal::Stale)?;
        identity.recorded(tx, entry).await?;
        identity.tell_invitation(&maker, address.as_deref(), &groups, (now, new.expires));
        Ok(Invitation {
            link: link(&shown.text),
            mailed_to: address,
            confirms: identity.inner.settings.accounts.confirm_email,
            lives,
        })
    }

    /// Invitations that can be used, the newest first.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn invitations(&self, from: u32, limit: u32, now: UnixMillis) -> Result<Vec<OpenInvitation>, Refusal> {
        let ledger = &self.identity.inner.ledger;
        let mut tx = ledger.db().read().await?;
        let rows = ledger.open_invitations(&mut tx, (i64::from(from), i64::from(limit)), now).await?;
        let open = rows.into_iter().map(|row| OpenInvitation {
            id: row.id,
            email: row.email,
            groups: groups_of(&row.group_names),
            maker: row.maker,
            expires_at: UnixMillis(row.expires_at),
        });
        Ok(open.collect())
    }

    /// Ends an open invitation. Answers whether there was one.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when its asker is no administrator any more, [`Refusal::Store`].
    pub async fn revoke(&self, id: &str, now: UnixMillis) -> Result<bool, Refusal> {
        let identity = &self.identity;
        let ledger = &identity.inner.ledger;
        let mut tx = ledger.db().write().await?;
        identity.still_may(&mut tx, &self.by()).await?;
        if !ledger.drop_invitation(&mut tx, id).await? {
            return Ok(false);
        }
        identity.recorded(tx, identity.entry(Event::InvitationRevoked, &self.id, now)).await?;
        Ok(true)
    }
}

/// How many days an invitation lives where nothing else is wanted.
pub const USUAL_DAYS: u32 = 7;
/// How many days an invitation lives at most.
const MOST_DAYS: u32 = 30;
const MOST_GROUPS: usize = 20;
/// Open at once, of all administrators.
const MOST_OPEN: i64 = 500;
