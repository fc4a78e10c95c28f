//! The second factor: sending and answering codes at sign-in, enrolling, disabling.
//!
//! Attempts count per account across restarted flows ([`tries`] and `throttle`); a flow carries the account's
//! `generation` and is stale once a guarded change moved it on. Checks go by the flow's own verification, and a number
//! waits for one account at a time ([`pending`]), so that a code for one account is never good for another.

mod app;
mod code;
mod enrol;
mod pending;
mod recovery;
mod send;
mod tries;

pub use self::{
    app::{AppEnrolment, AppSecret},
    recovery::RecoveryCodes,
};
pub(super) use self::{pending::Pending, tries::Tries};
use super::{
    Answered, Authenticated, Identity, Method, Refusal, Shown,
    account::{Account, Factor, FactorKind},
    challenge::{Challenge, Other},
    outbox,
    throttle::Purpose,
};
use crate::{
    config::verify::Channel,
    inbound::Client,
    telemetry::metrics::CodeResult,
    verify::{Checked, Destination, Started},
    world::UnixMillis,
};

/// What a right password still owes: `None` when the account has no factor on. When none of its ways is offered any
/// more, the challenge has no channels: the factor is owed all the same. An authenticator app is asked first: it costs
/// nothing, works without a network, and cannot be intercepted on the way.
pub(super) fn challenge(account: &Account, password_at: UnixMillis, channels: &[Channel]) -> Option<Challenge> {
    let factor = account.factors.iter().find(|factor| factor.is_app()).or(account.factors.first())?;
    Some(challenge_of(account, factor, password_at, channels))
}

fn challenge_of(account: &Account, factor: &Factor, password_at: UnixMillis, channels: &[Channel]) -> Challenge {
    let channels = offered(account, &factor.kind, channels);
    let preferred = factor.kind.channel().unwrap_or(Channel::Sms);
    let channel = if channels.contains(&preferred) { preferred } else { *channels.first().unwrap_or(&preferred) };
    let other = |factor: &Factor| Other {
        factor: factor.id.clone(),
        channel: factor.kind.channel(),
        masked: account.masked(&factor.kind),
    };
    Challenge {
        account: account.id.clone(),
        password_at,
        generation: account.generation,
        factor: factor.id.clone(),
        app: factor.is_app(),
        others: account.factors.iter().filter(|other| other.id != factor.id).map(other).collect(),
        masked: masked(account, &factor.kind, channel),
        channels,
        channel,
        started: None,
        fell_back: false,
        resend_at: password_at,
        sends: 0,
        locale: None,
    }
}

/// What a code is asked of.
enum Asked<'a> {
    /// A verification at the provider.
    Sent {
        /// E.164; `None` for the account's own address.
        number: Option<&'a str>,
        /// `None` when there is none yet (any more).
        started: Option<&'a Started>,
    },
    /// An authenticator app that is on.
    App(&'a Factor),
    /// The account's recovery codes.
    Recovery,
    /// One being enrolled.
    NewApp {
        /// Its secret.
        sealed: &'a str,
    },
}

impl<'a> Asked<'a> {
    fn of(factor: &'a Factor, started: Option<&'a Started>) -> Self {
        if factor.is_app() { Self::App(factor) } else { Self::Sent { number: number(&factor.kind), started } }
    }
}

/// What an answer came to.
enum Judged {
    Approved(Method),
    Wrong {
        left: u32,
    },
    Spent {
        until: UnixMillis,
    },
    /// No tries were left before this one, which nobody judged.
    Closed {
        until: UnixMillis,
    },
    Gone,
}

impl Identity {
    /// Channels the Verify service offers, in the order shown. Empty when the second factor is off.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        self.inner.verifier.channels().to_vec()
    }

    /// Sends (or sends again, or switches to `channel`) the challenge's code; SMS that cannot reach falls back to a call.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] when it is too early, or the number waits for another account; [`Refusal::Stale`];
    /// [`Refusal::Fields`] for a channel not offered; [`Refusal::Verify`]; [`Refusal::Store`].
    pub async fn send(
        &self,
        challenge: &mut Challenge,
        channel: Option<Channel>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let account = self.current(&challenge.account, challenge.generation).await?;
        let factor = account.factors.iter().find(|factor| factor.id == challenge.factor).ok_or(Refusal::Stale)?;
        if factor.is_app() {
            return Ok(());
        }
        let channels = offered(&account, &factor.kind, self.inner.verifier.channels());
        let errand = send::Errand {
            account: &account,
            number: number(&factor.kind),
            asked: send::choose(channel, challenge.channel, &channels)?,
            channels: &channels,
            proved: true,
            before: challenge.started.as_ref(),
            resend_at: challenge.resend_at,
            sends: challenge.sends,
            locale: challenge.locale.as_deref(),
        };
        let sent = self.dispatch(errand, client, now).await?;
        challenge.masked = masked(&account, &factor.kind, sent.started.channel);
        challenge.channels = channels;
        challenge.channel = sent.started.channel;
        challenge.fell_back = sent.fell_back;
        challenge.resend_at = sent.resend_at;
        challenge.sends = sent.sends;
        challenge.started = Some(sent.started);
        Ok(())
    }

    /// Asks another factor of the account instead. What was sent is not counted anew.
    ///
    /// # Errors
    /// [`Refusal::Fields`] when it is none of the account's; [`Refusal::Stale`]; [`Refusal::Store`].
    pub async fn switch(&self, challenge: &mut Challenge, factor: &str) -> Result<(), Refusal> {
        let account = self.current(&challenge.account, challenge.generation).await?;
        if factor == challenge.factor {
            return Ok(());
        }
        let factor = account.factors.iter().find(|own| own.id == factor);
        let factor = factor.ok_or_else(|| Refusal::field("factor", "Choose one of the ways shown."))?;
        let other = challenge_of(&account, factor, challenge.password_at, self.inner.verifier.channels());
        let locale = challenge.locale.take();
        *challenge = Challenge { resend_at: challenge.resend_at, sends: challenge.sends, locale, ..other };
        Ok(())
    }

    /// The second step. Counts wrong answers per account, across restarted sign-ins. The challenge changes: keep it.
    ///
    /// # Errors
    /// [`Refusal::Stale`], [`Refusal::Verify`] when the provider gave no judgement (not counted), [`Refusal::Store`].
    pub async fn answer(
        &self,
        challenge: &mut Challenge,
        code: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        let answered = self.judge_answer(challenge, code, client, now).await;
        self.inner.measures.codes.count(result(&answered));
        answered
    }

    async fn judge_answer(
        &self,
        challenge: &mut Challenge,
        code: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        let account = self.current(&challenge.account, challenge.generation).await?;
        let factor = account.factors.iter().find(|factor| factor.id == challenge.factor).ok_or(Refusal::Stale)?;
        // Whatever is asked for, a recovery code stands in for it.
        let recovery = recovery::read(code).is_some();
        let asked = if recovery { Asked::Recovery } else { Asked::of(factor, challenge.started.as_ref()) };
        let judged = self.judge(&account, &asked, code, client, now).await?;
        Ok(match judged {
            Judged::Approved(method) => {
                if !factor.is_app() && !recovery {
                    self.settle(&account, number(&factor.kind), challenge.channel, client);
                }
                let password = Shown { method: Method::Pwd, at: challenge.password_at };
                Answered::Done(Authenticated::new(account, vec![password, Shown { method, at: now }]))
            }
            Judged::Wrong { left } => Answered::Wrong { left },
            Judged::Spent { until } => {
                self.abandon(&account, number(&factor.kind), challenge.started.take());
                challenge.resend_at = until;
                Answered::Spent { until }
            }
            Judged::Closed { until } => {
                challenge.started = None;
                challenge.resend_at = until;
                Answered::Spent { until }
            }
            Judged::Gone => {
                challenge.started = None;
                challenge.resend_at = now;
                Answered::Gone
            }
        })
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
        self.tell_factor_off(&account, now);
        Ok(row)
    }

    /// Has a typed code judged. Counted before the answer is known, so that a volley gets no more tries than a queue;
    /// taken back when nobody judged it.
    async fn judge(
        &self,
        owner: &Account,
        asked: &Asked<'_>,
        typed: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Judged, Refusal> {
        let inner = &self.inner;
        let account = &owner.id;
        match asked {
            Asked::Sent { started: None, .. } => return Ok(Judged::Gone),
            Asked::Sent { number, started: Some(started) } => {
                let to = destination(owner, *number, started.channel);
                if to.is_some_and(|to| inner.pending.lost(&to, account, now)) {
                    // Its owner signs in with that number: a code that comes now is theirs.
                    return Ok(Judged::Gone);
                }
            }
            Asked::App(_) | Asked::NewApp { .. } | Asked::Recovery => {}
        }
        let left = match inner.tries.count(account, now) {
            Ok(left) => left,
            Err(until) => return Ok(Judged::Closed { until }),
        };
        let ticket = match inner.throttle.admit(Purpose::Code, &account.0, client, now) {
            Ok(ticket) => ticket,
            Err(refusal) => {
                inner.tries.take_back(account);
                let Refusal::Throttled { until } = refusal else { return Err(refusal) };
                return Ok(Judged::Closed { until });
            }
        };
        let wrong = || match left {
            0 => Judged::Spent { until: inner.tries.until(account, now) },
            left => Judged::Wrong { left },
        };
        // What cannot be a code is a wrong one, and costs the provider nothing.
        let code = if matches!(asked, Asked::Recovery) { Some(typed.to_owned()) } else { code::read(typed) };
        let Some(code) = code else { return Ok(wrong()) };
        match self.check(owner, asked, &code, now).await {
            Ok((Checked::Approved, method)) => {
                ticket.succeeded();
                inner.tries.clear(account);
                Ok(Judged::Approved(method))
            }
            Ok((Checked::Wrong, _)) => Ok(wrong()),
            Ok((Checked::Spent, _)) => Ok(Judged::Spent { until: spent_until(asked, now) }),
            // Counted, too: a volley that outlives its verification must not win tries back for later ones.
            Ok((Checked::Gone, _)) => Ok(Judged::Gone),
            Err(refusal) => {
                inner.tries.take_back(account);
                ticket.undo();
                Err(refusal)
            }
        }
    }

    /// Asks whoever can tell.
    async fn check(
        &self,
        owner: &Account,
        asked: &Asked<'_>,
        code: &str,
        now: UnixMillis,
    ) -> Result<(Checked, Method), Refusal> {
        match asked {
            Asked::Sent { started: None, .. } => Ok((Checked::Gone, Method::Otp)),
            Asked::Sent { started: Some(started), .. } => {
                Ok((self.inner.verifier.check(started, code).await?, method(started.channel)))
            }
            Asked::Recovery => Ok((self.check_recovery(owner, code, now).await?, Method::Otp)),
            Asked::App(factor) => Ok((self.check_app(owner, factor, code, now).await?, Method::Otp)),
            Asked::NewApp { sealed } => {
                let known = self.step(&owner.id, sealed, code, now)?.is_some();
                Ok((if known { Checked::Approved } else { Checked::Wrong }, Method::Otp))
            }
        }
    }

    /// The code was right: the number is free again, and the messages it took were wanted.
    fn settle(&self, account: &Account, number: Option<&str>, channel: Channel, client: &Client) {
        if let Some(to) = destination(account, number, channel) {
            self.inner.pending.release(&to, &account.id);
            self.inner.throttle.forgive(Purpose::Number, to.as_str(), client);
        }
        self.inner.throttle.forgive(Purpose::CodeSend, &account.id.0, client);
    }

    /// No more tries: the code shall not be good anywhere else either.
    fn abandon(&self, account: &Account, number: Option<&str>, started: Option<Started>) {
        let Some(started) = started else { return };
        let to = destination(account, number, started.channel);
        let inner = std::sync::Arc::clone(&self.inner);
        let owner = account.id.clone();
        // Best effort, and nobody waits for it.
        tokio::spawn(async move {
            inner.verifier.cancel(&started).await;
            if let Some(to) = to {
                inner.pending.release(&to, &owner);
            }
        });
    }
}

/// Until when the provider takes no other code of that verification.
fn spent_until(asked: &Asked<'_>, now: UnixMillis) -> UnixMillis {
    let sent_at = match asked {
        Asked::Sent { started: Some(started), .. } => started.sent_at,
        _ => now,
    };
    sent_at.plus(pending::LIFE)
}

fn result(answered: &Result<Answered, Refusal>) -> CodeResult {
    match answered {
        Ok(Answered::Done(_)) => CodeResult::Approved,
        Ok(Answered::Wrong { .. }) => CodeResult::Wrong,
        Ok(Answered::Spent { .. }) | Err(Refusal::Throttled { .. }) => CodeResult::Throttled,
        Ok(Answered::Gone) | Err(Refusal::Stale) => CodeResult::Gone,
        Err(_) => CodeResult::Failed,
    }
}

/// The ways a factor can be asked for now, in the order of the configuration.
fn offered(account: &Account, kind: &FactorKind, channels: &[Channel]) -> Vec<Channel> {
    let fits = |channel: &Channel| match (channel, kind) {
        // Only to an address somebody vouched for. Never instead of the telephone: a mailbox resets the password already, and
        // would be all it takes.
        (Channel::Email, FactorKind::Email) => account.email_confirmed,
        (Channel::Email, FactorKind::Phone { .. }) | (_, FactorKind::Email | FactorKind::App { .. }) => false,
        (_, FactorKind::Phone { .. }) => true,
    };
    channels.iter().copied().filter(fits).collect()
}

fn number(kind: &FactorKind) -> Option<&str> {
    match kind {
        FactorKind::Phone { number, .. } => Some(number),
        FactorKind::Email | FactorKind::App { .. } => None,
    }
}

/// Where a code goes by that channel; `None` when it cannot.
fn destination(account: &Account, number: Option<&str>, channel: Channel) -> Option<Destination> {
    match channel {
        Channel::Email => account.email_confirmed.then(|| Destination::Email(account.email.clone())),
        Channel::Sms | Channel::Call | Channel::Whatsapp => number.map(|number| Destination::Phone(number.to_owned())),
    }
}

fn masked(account: &Account, kind: &FactorKind, channel: Channel) -> String {
    destination(account, number(kind), channel).map_or_else(|| account.masked(kind), |to| to.masked())
}

/// RFC 8176 for the way the code went.
fn method(channel: Channel) -> Method {
    match channel {
        Channel::Sms | Channel::Whatsapp => Method::Sms,
        Channel::Call => Method::Tel,
        Channel::Email => Method::Otp,
    }
}

#[cfg(test)]
mod tests;
