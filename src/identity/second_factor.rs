//! The second factor: begun and answered at sign-in, enrolled, disabled. Every kind goes the same way: [`Identity::begin`],
//! [`Identity::answer`].
//!
//! Attempts count per account across restarted flows ([`tries`] and `throttle`); a flow carries the account's
//! `generation` and is stale once a guarded change moved it on. Checks go by the flow's own verification, and a number
//! waits for one account at a time ([`pending`]), so that a code for one account is never good for another.

mod app;
mod code;
mod enrol;
mod judge;
mod passkey;
mod pending;
mod push;
mod recovery;
mod send;
mod tries;
mod ways;

pub use self::{
    app::{AppEnrolment, AppSecret},
    passkey::{MOST_PASSKEYS, PasskeyEnrolment, PasskeyLine, PasskeySignIn, Passkeys},
    push::PushEnrolment,
    recovery::RecoveryCodes,
};
pub(super) use self::{
    enrol::words_of,
    pending::{Claim, LIFE, Pending, Wait},
    tries::{Tries, Window},
};
use self::{
    judge::{Judged, Question},
    ways::{masked, number, offered},
};
use super::{
    Answered, Authenticated, Identity, Method, Refusal, Shown,
    account::{Account, Factor, FactorKind},
    challenge::{Asked, Challenge, Delivery, PASSKEY, Pushes, Way, WayKind},
    letters::Ended,
    outbox,
    throttle::Purpose,
    trail::Event,
};
use crate::{config::verify::Channel, inbound::Client, telemetry::metrics::CodeResult, world::UnixMillis};

/// What a right password still owes: `None` when the account has no factor on. The way of the person's choice is asked
/// first; else the strongest: a passkey cannot be phished, an app works without a network.
/// `push`: whether approvals on a telephone are offered.
pub(super) fn challenge(
    account: &Account,
    password_at: UnixMillis,
    channels: &[Channel],
    push: bool,
) -> Option<Challenge> {
    let mut others = ways_of(account, push).into_iter();
    let first = others.next()?;
    Some(Challenge {
        account: account.id.clone(),
        password_at,
        generation: account.generation,
        asked: asked(account, &first, channels)?,
        others: others.collect(),
        aside: None,
        resend_at: password_at,
        sends: 0,
        locale: None,
        device: String::new(),
        pushes: Pushes::default(),
    })
}

/// Each factor, in the order in which they are asked; all passkeys together are one. Without `push` (it is switched off)
/// another way is asked for, if there is one.
fn ways_of(account: &Account, push: bool) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::with_capacity(account.factors.len());
    for factor in &account.factors {
        let kind = match &factor.kind {
            FactorKind::Passkey { .. } => WayKind::Passkey,
            FactorKind::App { .. } => WayKind::App,
            FactorKind::Push { name, .. } => WayKind::Push { name: name.clone() },
            FactorKind::Phone { channel, .. } => {
                WayKind::Code { channel: *channel, masked: account.masked(&factor.kind) }
            }
            FactorKind::Email => WayKind::Code { channel: Channel::Email, masked: account.masked(&factor.kind) },
        };
        let name = if kind == WayKind::Passkey { PASSKEY } else { &factor.id };
        if ways.iter().all(|way| way.name != name) {
            ways.push(Way { name: name.to_owned(), kind });
        }
    }
    ways.sort_by_key(|way| match way.kind {
        _ if Some(&way.name) == account.asked_first.as_ref() => 0,
        WayKind::Passkey => 1,
        WayKind::App => 2,
        WayKind::Push { .. } => 3,
        WayKind::Code { .. } => 4,
    });
    let asks = |way: &Way| push || !matches!(way.kind, WayKind::Push { .. });
    // Alone it is owed all the same.
    if ways.iter().any(asks) {
        ways.retain(asks);
    }
    ways
}

/// What that way asks for. When none of its channels is offered any more, there are none: it is owed all the same.
fn asked(account: &Account, way: &Way, channels: &[Channel]) -> Option<Asked> {
    Some(match &way.kind {
        WayKind::Passkey => Asked::Passkey { ceremony: None },
        WayKind::App => Asked::App { factor: way.name.clone() },
        WayKind::Push { name } => Asked::Push { factor: way.name.clone(), name: name.clone() },
        WayKind::Code { channel: preferred, .. } => {
            let kind = &account.factors.iter().find(|factor| factor.id == way.name)?.kind;
            let channels = offered(account, kind, channels);
            let first = *channels.first().unwrap_or(preferred);
            let channel = if channels.contains(preferred) { *preferred } else { first };
            Asked::Code(Delivery {
                factor: way.name.clone(),
                masked: masked(account, kind, channel),
                channels,
                channel,
                started: None,
                fell_back: false,
            })
        }
    })
}

/// What a person answers with.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// Something typed: the code asked for, or a recovery code.
    Code(&'a str),
    /// What a passkey signed: `PublicKeyCredential` as JSON.
    Credential(&'a str),
    /// That they approved it on their telephone: the provider knows.
    Push,
}

impl Identity {
    /// Channels the Verify service offers, in the order shown. Empty when the second factor is off.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        self.inner.verifier.channels().to_vec()
    }

    /// Asks for the second factor: sends the code (again, or by `channel`; SMS that cannot reach falls back to a call), or
    /// makes what a passkey has to sign. An app needs nothing.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] when it is too early, or the number waits for another account; [`Refusal::Stale`];
    /// [`Refusal::Fields`] for a channel not offered; [`Refusal::Verify`]; [`Refusal::Store`].
    pub async fn begin(
        &self,
        challenge: &mut Challenge,
        channel: Option<Channel>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let account = self.current(&challenge.account, challenge.generation).await?;
        match &mut challenge.asked {
            Asked::App { .. } => Ok(()),
            Asked::Push { factor, .. } => {
                let factor = factor.clone();
                self.ask_push(&account, challenge, &factor, client, now).await
            }
            Asked::Passkey { ceremony } => {
                *ceremony = self.ceremony(&account, now).await?;
                Ok(())
            }
            Asked::Code(delivery) => {
                let kind = kind_of(&account, &delivery.factor)?;
                let channels = offered(&account, kind, self.inner.verifier.channels());
                let errand = send::Errand {
                    account: &account,
                    number: number(kind),
                    asked: send::choose(channel, delivery.channel, &channels)?,
                    channels: &channels,
                    proved: true,
                    before: delivery.started.as_ref(),
                    resend_at: challenge.resend_at,
                    sends: challenge.sends,
                    locale: challenge.locale.as_deref(),
                };
                let sent = self.dispatch(errand, client, now).await?;
                delivery.masked = masked(&account, kind, sent.started.channel);
                delivery.channels = channels;
                delivery.channel = sent.started.channel;
                delivery.fell_back = sent.fell_back;
                delivery.started = Some(sent.started);
                challenge.resend_at = sent.resend_at;
                challenge.sends = sent.sends;
                Ok(())
            }
        }
    }

    /// Asks another way instead. What was sent is not counted anew, and still good for who comes back.
    ///
    /// # Errors
    /// [`Refusal::Fields`] when it is none of the account's; [`Refusal::Stale`]; [`Refusal::Store`].
    pub async fn switch(&self, challenge: &mut Challenge, way: &str) -> Result<(), Refusal> {
        let account = self.current(&challenge.account, challenge.generation).await?;
        if way == challenge.asked.name() {
            return Ok(());
        }
        let ways = self.ways(&account);
        let chosen = ways.iter().find(|own| own.name == way);
        let fresh = chosen.and_then(|way| asked(&account, way, self.inner.verifier.channels()));
        let fresh = fresh.ok_or_else(|| Refusal::field("factor", "Choose one of the ways shown."))?;
        let fresh = match challenge.aside.take() {
            Some(aside) if aside.factor == fresh.name() => Asked::Code(aside),
            aside => {
                challenge.aside = aside;
                fresh
            }
        };
        if let Asked::Code(before) = std::mem::replace(&mut challenge.asked, fresh) {
            challenge.aside = Some(before);
        }
        challenge.others = ways.into_iter().filter(|own| own.name != way).collect();
        Ok(())
    }

    /// The second step. Counts wrong codes per account, across restarted sign-ins. The challenge changes: keep it.
    ///
    /// # Errors
    /// [`Refusal::Stale`], [`Refusal::Verify`] when the provider gave no judgement (not counted), [`Refusal::Store`].
    pub async fn answer(
        &self,
        challenge: &mut Challenge,
        answer: Answer<'_>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        let answered = match answer {
            Answer::Code(code) => self.judge_code(challenge, code, client, now).await,
            Answer::Credential(credential) => self.judge_credential(challenge, credential, client, now).await,
            Answer::Push => self.judge_push(challenge, client, now).await,
        };
        if let Some(result) = result(&answered) {
            self.inner.measures.codes.count(result);
        }
        self.note_answer(&challenge.account, &answered, client, now);
        answered
    }

    async fn judge_code(
        &self,
        challenge: &mut Challenge,
        code: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        let account = self.current(&challenge.account, challenge.generation).await?;
        // Whatever is asked for, a recovery code stands in for it.
        if recovery::read(code).is_some() {
            let judged = self.judge(&account, &Question::Recovery, code, client, now).await?;
            return Ok(match judged {
                Judged::Approved(method) => done(account, challenge.password_at, method, now),
                Judged::Wrong { left } => Answered::Wrong { left },
                Judged::Spent { until } | Judged::Closed { until } => Answered::Spent { until },
                Judged::Gone => Answered::Gone,
            });
        }
        match &mut challenge.asked {
            Asked::Passkey { .. } => {
                let _counted = self.inner.throttle.admit(Purpose::Passkey, &account.id.0, client, now).await?;
                Ok(Answered::Failed)
            }
            // There is no code: what was typed says nothing.
            Asked::Push { .. } => Ok(Answered::Pending),
            Asked::App { factor } => {
                let factor = account.factors.iter().find(|own| own.id == *factor).ok_or(Refusal::Stale)?;
                Ok(match self.judge(&account, &Question::App(factor), code, client, now).await? {
                    Judged::Approved(method) => done(account, challenge.password_at, method, now),
                    Judged::Wrong { left } => Answered::Wrong { left },
                    Judged::Spent { until } | Judged::Closed { until } => Answered::Spent { until },
                    Judged::Gone => Answered::Gone,
                })
            }
            Asked::Code(delivery) => {
                let number = number(kind_of(&account, &delivery.factor)?);
                let judged = match &delivery.started {
                    Some(started) => {
                        self.judge(&account, &Question::Sent { number, started }, code, client, now).await?
                    }
                    None => Judged::Gone,
                };
                Ok(match judged {
                    Judged::Approved(method) => {
                        self.settle(&account, number, delivery.channel, false, client, now).await;
                        done(account, challenge.password_at, method, now)
                    }
                    Judged::Wrong { left } => Answered::Wrong { left },
                    Judged::Spent { until } => {
                        self.abandon(&account, number, delivery.started.take());
                        challenge.resend_at = until;
                        Answered::Spent { until }
                    }
                    Judged::Closed { until } => {
                        delivery.started = None;
                        challenge.resend_at = until;
                        Answered::Spent { until }
                    }
                    Judged::Gone => {
                        delivery.started = None;
                        challenge.resend_at = now;
                        Answered::Gone
                    }
                })
            }
        }
    }

    async fn judge_credential(
        &self,
        challenge: &mut Challenge,
        credential: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        let account = self.current(&challenge.account, challenge.generation).await?;
        let ticket = self.inner.throttle.admit(Purpose::Passkey, &account.id.0, client, now).await?;
        let Asked::Passkey { ceremony } = &mut challenge.asked else { return Ok(Answered::Failed) };
        let right = match ceremony.take() {
            Some(ceremony) => self.check_passkey(&account, &ceremony, credential, now).await?,
            None => false,
        };
        if right {
            ticket.succeeded(now).await;
            return Ok(done(account, challenge.password_at, Method::Hwk, now));
        }
        // Whatever was signed, nothing more is signed under that challenge.
        *ceremony = self.ceremony(&account, now).await?;
        Ok(Answered::Failed)
    }

    /// The account's ways, in the order in which they are asked.
    #[must_use]
    pub fn ways(&self, account: &Account) -> Vec<Way> {
        ways_of(account, self.offers_push())
    }

    /// Which way is asked first at sign-in from now on. Mails the owner: somebody else may have chosen a weaker one.
    ///
    /// # Errors
    /// [`Refusal::Fields`] when it is none of the account's; [`Refusal::Stale`] when it is gone; [`Refusal::Store`].
    pub async fn ask_first(&self, id: &super::account::AccountId, way: &str, now: UnixMillis) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let account = ledger.load(&mut tx, id).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        if !self.ways(&account).iter().any(|own| own.name == way) {
            return Err(Refusal::field("factor", "Choose one of the ways shown."));
        }
        if account.asked_first.as_deref() == Some(way) {
            return Ok(());
        }
        ledger.set_asked_first(&mut tx, id, way).await?;
        self.recorded(tx, self.entry(Event::AskedFirstSet, id, now)).await?;
        self.tell_factor_changed(&account, templates::mail::FactorChange::AskedFirst, now);
        Ok(())
    }

    /// Turns a second factor off (the password was checked: `proof`), ends other sessions than `keep` (a `sid`),
    /// mails the owner.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account changed since the proof or has no such factor; [`Refusal::Store`].
    pub async fn disable_factor(
        &self,
        proof: &Authenticated,
        factor: &str,
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<outbox::RowId, Refusal> {
        let before = proof.account();
        // A code alone (an enrolment's proof) turns nothing off.
        let by_password = proof.factors().iter().any(|shown| shown.method == Method::Pwd);
        if !before.factors.iter().any(|own| own.id == factor) || !by_password {
            return Err(Refusal::Stale);
        }
        let (account, row) = self.remove_factor(&before.id, before.generation, factor, keep, now).await?;
        if let Some(gone) = before.factors.iter().find(|own| own.id == factor) {
            self.forget_push(&account.id, &gone.kind);
        }
        self.tell_factor_off(&account, Ended::default(), now);
        Ok(row)
    }
}

fn done(account: Account, password_at: UnixMillis, method: Method, now: UnixMillis) -> Answered {
    let password = Shown { method: Method::Pwd, at: password_at };
    Answered::Done(Authenticated::new(account, vec![password, Shown { method, at: now }]))
}

fn kind_of<'a>(account: &'a Account, factor: &str) -> Result<&'a FactorKind, Refusal> {
    let own = |own: &&Factor| own.id == factor;
    account.factors.iter().find(own).map(|factor| &factor.kind).ok_or(Refusal::Stale)
}

/// `None`: nothing is decided yet.
fn result(answered: &Result<Answered, Refusal>) -> Option<CodeResult> {
    Some(match answered {
        Ok(Answered::Pending) => return None,
        Ok(Answered::Done(_)) => CodeResult::Approved,
        Ok(Answered::Wrong { .. } | Answered::Failed | Answered::Denied { .. }) => CodeResult::Wrong,
        Ok(Answered::Spent { .. }) | Err(Refusal::Throttled { .. }) => CodeResult::Throttled,
        Ok(Answered::Gone) | Err(Refusal::Stale) => CodeResult::Gone,
        Err(_) => CodeResult::Failed,
    })
}

#[cfg(test)]
mod tests;
