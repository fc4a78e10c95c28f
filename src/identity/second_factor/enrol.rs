//! Turning a second factor on: the code has to come back before anything is kept.

use templates::mail as words;

use super::{
    judge::{Judged, Question},
    send,
    ways::{destination, number, offered},
};
use crate::{
    config::verify::Channel,
    identity::{
        Authenticated, Enrolled, Identity, Refusal, Shown,
        account::{Account, AccountId, Factor, FactorKind},
        challenge::Enrolment,
        letters::Ended,
        phone,
    },
    inbound::Client,
    verify::VerifyError,
    world::UnixMillis,
};

impl Identity {
    /// Starts enrolling: parses the number and sends the code. With [`Channel::Email`] the code goes to the account's
    /// confirmed address, and `country` and `phone` are not looked at.
    ///
    /// # Errors
    /// [`Refusal::Fields`] (`country`, `phone`, `channel`), [`Refusal::Throttled`], [`Refusal::Stale`],
    /// [`Refusal::Verify`], [`Refusal::Store`].
    pub async fn enrol(
        &self,
        account: &AccountId,
        (country, phone, channel): (&str, &str, Channel),
        locale: Option<&str>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Enrolment, Refusal> {
        let account = self.account(account).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        if account.factors.iter().any(|factor| factor.kind.channel().is_some()) {
            return Err(Refusal::field("phone", "Codes are sent to you already. Disable that first to change it."));
        }
        let kind = kind(&account, country, phone, channel)?;
        let channels = self.enrolling(&account, &kind);
        let errand = send::Errand {
            account: &account,
            number: number(&kind),
            asked: send::choose(Some(channel), channel, &channels)?,
            channels: &channels,
            proved: false,
            before: None,
            resend_at: now,
            sends: 0,
            locale,
        };
        let sent = self.dispatch(errand, client, now).await.map_err(beside_the_field)?;
        Ok(Enrolment {
            masked: account.masked(&kind),
            number: number(&kind).map(ToOwned::to_owned),
            generation: account.generation,
            account: account.id,
            channels,
            channel: sent.started.channel,
            started: sent.started,
            spent: false,
            fell_back: sent.fell_back,
            resend_at: sent.resend_at,
            sends: sent.sends,
            locale: locale.map(str::to_owned),
        })
    }

    /// Sends the enrolment's code again or another way.
    ///
    /// # Errors
    /// As [`Identity::send`].
    pub async fn enrol_send(
        &self,
        enrolment: &mut Enrolment,
        channel: Option<Channel>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let account = self.current(&enrolment.account, enrolment.generation).await?;
        let channels = self.enrolling(&account, &enrolment.kind());
        let errand = send::Errand {
            account: &account,
            number: enrolment.number.as_deref(),
            asked: send::choose(channel, enrolment.channel, &channels)?,
            channels: &channels,
            proved: false,
            before: Some(&enrolment.started),
            resend_at: enrolment.resend_at,
            sends: enrolment.sends,
            locale: enrolment.locale.as_deref(),
        };
        let sent = self.dispatch(errand, client, now).await?;
        enrolment.channels = channels;
        enrolment.channel = sent.started.channel;
        enrolment.started = sent.started;
        enrolment.spent = false;
        enrolment.fell_back = sent.fell_back;
        enrolment.resend_at = sent.resend_at;
        enrolment.sends = sent.sends;
        Ok(())
    }

    /// Answers an enrolment. `Done` means: the factor is on, other sessions than `keep` (a `sid`) end (outbox), the
    /// owner is mailed. The enrolment changes: keep it.
    ///
    /// # Errors
    /// As [`Identity::answer`].
    pub async fn enrol_answer(
        &self,
        enrolment: &mut Enrolment,
        code: &str,
        keep: Option<&str>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Enrolled, Refusal> {
        let account = self.current(&enrolment.account, enrolment.generation).await?;
        let number = enrolment.number.as_deref();
        let question = Question::Sent { number, started: &enrolment.started };
        let judged = self.judge(&account, &question, code, client, now).await?;
        Ok(match judged {
            Judged::Approved(method) => {
                self.settle(&account, enrolment.number.as_deref(), enrolment.channel, true, client, now).await;
                let id = self.fresh_id(now)?.0.as_ref().to_owned();
                let factor = Factor { id, kind: enrolment.kind(), since: now };
                // The generation holds all that may have changed since: disabled, another factor, another password.
                let (account, row) = self.add_factor(&account.id, enrolment.generation, &factor, keep, now).await?;
                self.tell_factor_on(&account, &factor.kind, now);
                Enrolled::Done(factor, Authenticated::new(account, vec![Shown { method, at: now }]), row)
            }
            Judged::Wrong { left } => Enrolled::Wrong { left },
            Judged::Spent { until } => {
                self.abandon(&account, enrolment.number.as_deref(), Some(enrolment.started.clone()));
                enrolment.spent = true;
                enrolment.resend_at = until;
                Enrolled::Spent { until }
            }
            Judged::Closed { until } => {
                enrolment.spent = true;
                enrolment.resend_at = until;
                Enrolled::Spent { until }
            }
            Judged::Gone => {
                enrolment.resend_at = now;
                Enrolled::Gone
            }
        })
    }

    /// Ways to enrol this: a code to the mailbox proves nothing about a phone.
    fn enrolling(&self, account: &Account, kind: &FactorKind) -> Vec<Channel> {
        let mut channels = offered(account, kind, self.inner.verifier.channels());
        channels.retain(|channel| (*channel == Channel::Email) == (*kind == FactorKind::Email));
        channels.retain(|channel| destination(account, number(kind), *channel).is_some());
        channels
    }

    pub(super) fn tell_factor_on(&self, account: &Account, kind: &FactorKind, now: UnixMillis) {
        let settings = &self.inner.settings;
        let masked = account.masked(kind);
        let body = words::FactorOn {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            factor: words_of(kind, &masked),
            at: now.0,
            forgot: &settings.link("password/forgot"),
        };
        self.tell(account, body.body());
    }

    pub(super) fn tell_factor_changed(&self, account: &Account, what: words::FactorChange, now: UnixMillis) {
        let settings = &self.inner.settings;
        let body = words::FactorChanged {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            what,
            at: now.0,
            security: &settings.link("second-factor"),
        };
        self.tell(account, body.body());
    }

    /// `ended`: what else ended with it.
    pub(in crate::identity) fn tell_factor_off(&self, account: &Account, ended: Ended, now: UnixMillis) {
        let settings = &self.inner.settings;
        let body = words::FactorOff {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            last: account.factors.is_empty(),
            tokens: ended.tokens,
            invitations: ended.invitations,
            at: now.0,
            forgot: &settings.link("password/forgot"),
        };
        self.tell(account, body.body());
    }
}

impl Enrolment {
    /// What it becomes.
    fn kind(&self) -> FactorKind {
        match &self.number {
            Some(number) => FactorKind::Phone { number: number.clone(), channel: self.channel },
            None => FactorKind::Email,
        }
    }
}

fn kind(account: &Account, country: &str, phone: &str, channel: Channel) -> Result<FactorKind, Refusal> {
    if channel != Channel::Email {
        let number = phone::parse(country, phone).map_err(|error| Refusal::Fields(vec![error]))?;
        return Ok(FactorKind::Phone { number: number.e164().to_owned(), channel });
    }
    if account.email_confirmed {
        return Ok(FactorKind::Email);
    }
    Err(Refusal::field("channel", "Confirm your e-mail address first, or choose another way."))
}

/// What the person can mend stands beside the field.
fn beside_the_field(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Verify(VerifyError::BadDestination { .. }) => {
            Refusal::field("phone", "Codes can't be sent to this number. Check its digits.")
        }
        other => other,
    }
}

pub(in crate::identity) fn words_of<'a>(kind: &'a FactorKind, masked: &'a str) -> templates::Factor<'a> {
    match kind {
        FactorKind::Phone { channel, .. } => templates::Factor::Code { channel: word(*channel), masked },
        FactorKind::Email => templates::Factor::Code { channel: templates::Channel::Email, masked },
        FactorKind::App { .. } => templates::Factor::App,
        FactorKind::Passkey { name } => templates::Factor::Passkey { name },
        FactorKind::Push { name, .. } => templates::Factor::Push { name },
    }
}

fn word(channel: Channel) -> templates::Channel {
    match channel {
        Channel::Sms => templates::Channel::Sms,
        Channel::Call => templates::Channel::Call,
        Channel::Whatsapp => templates::Channel::Whatsapp,
        Channel::Email => templates::Channel::Email,
    }
}
