//! Judging a code that somebody typed: counted first, asked of whoever can tell, taken back when nobody could.

use super::{
    code, pending,
    tries::Counted,
    ways::{destination, method, prefix},
};
use crate::{
    config::verify::Channel,
    identity::{
        Identity, Method, Refusal,
        account::{Account, AccountId, Factor},
        throttle::Purpose,
    },
    inbound::Client,
    verify::{Checked, Started},
    world::UnixMillis,
};

/// What a code is asked of.
pub(super) enum Question<'a> {
    /// A verification at the provider.
    Sent {
        /// E.164; `None` for the account's own address.
        number: Option<&'a str>,
        started: &'a Started,
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

/// What an answer came to.
pub(super) enum Judged {
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
    /// Has a typed code judged. Counted before the answer is known, so that a volley gets no more tries than a queue;
    /// taken back when nobody judged it.
    pub(super) async fn judge(
        &self,
        owner: &Account,
        question: &Question<'_>,
        typed: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Judged, Refusal> {
        let inner = &self.inner;
        let account = &owner.id;
        match question {
            Question::Sent { number, started } => {
                let to = destination(owner, *number, started.channel);
                if let Some(to) = to
                    && inner.pending.lost(&to, account, now).await?
                {
                    // Its owner signs in with that number: a code that comes now is theirs.
                    return Ok(Judged::Gone);
                }
            }
            Question::App(_) | Question::NewApp { .. } | Question::Recovery => {}
        }
        // Junk codes shall not close the way back with the rest: whoever lost the telephone needs it.
        let (purpose, counted) = match question {
            Question::Recovery => (Purpose::Recovery, &AccountId(format!("{}/recovery", account.0).into())),
            _ => (Purpose::Code, account),
        };
        let Counted { left, until } = match inner.tries.count(counted, now).await? {
            Ok(tried) => tried,
            Err(until) => return Ok(Judged::Closed { until }),
        };
        let ticket = match inner.throttle.admit(purpose, &account.0, client, now).await {
            Ok(ticket) => ticket,
            Err(refusal) => {
                inner.tries.take_back(counted).await;
                let Refusal::Throttled { until } = refusal else { return Err(refusal) };
                return Ok(Judged::Closed { until });
            }
        };
        let wrong = || match left {
            0 => Judged::Spent { until },
            left => Judged::Wrong { left },
        };
        // What cannot be a code is a wrong one, and costs the provider nothing.
        let code = if matches!(question, Question::Recovery) { Some(typed.to_owned()) } else { code::read(typed) };
        let Some(code) = code else { return Ok(wrong()) };
        match self.check(owner, question, &code, now).await {
            Ok((Checked::Approved, method)) => {
                tokio::join!(ticket.succeeded(now), inner.tries.clear(counted));
                Ok(Judged::Approved(method))
            }
            Ok((Checked::Wrong, _)) => Ok(wrong()),
            Ok((Checked::Spent, _)) => Ok(Judged::Spent { until: spent_until(question, now) }),
            // Counted, too: a volley that outlives its verification must not win tries back for later ones.
            Ok((Checked::Gone, _)) => Ok(Judged::Gone),
            Err(refusal) => {
                inner.tries.take_back(counted).await;
                ticket.undo(now).await;
                Err(refusal)
            }
        }
    }

    /// Asks whoever can tell.
    async fn check(
        &self,
        owner: &Account,
        question: &Question<'_>,
        code: &str,
        now: UnixMillis,
    ) -> Result<(Checked, Method), Refusal> {
        match question {
            Question::Sent { started, .. } => {
                Ok((self.inner.verifier.check(started, code).await?, method(started.channel)))
            }
            Question::Recovery => Ok((self.check_recovery(owner, code, now).await?, Method::Otp)),
            Question::App(factor) => Ok((self.check_app(owner, factor, code, now).await?, Method::Otp)),
            Question::NewApp { sealed } => {
                let known = self.step(&owner.id, sealed, code, now)?.is_some();
                Ok((if known { Checked::Approved } else { Checked::Wrong }, Method::Otp))
            }
        }
    }

    /// The code was right: the number is free again, and the messages it took were wanted. `enrolled`: it was counted as
    /// a number nobody proved to have. (Signing in with it must not pay for messages to others.)
    pub(super) async fn settle(
        &self,
        account: &Account,
        number: Option<&str>,
        channel: Channel,
        enrolled: bool,
        client: &Client,
        now: UnixMillis,
    ) {
        let throttle = &self.inner.throttle;
        if let Some(to) = destination(account, number, channel) {
            self.inner.pending.release(&to, &account.id).await;
            if enrolled {
                throttle.forgive(Purpose::Number, to.as_str(), client, now).await;
                if let Some(prefix) = prefix(&to) {
                    throttle.forgive(Purpose::Prefix, prefix, client, now).await;
                }
            }
        }
        throttle.forgive(Purpose::CodeSend, &account.id.0, client, now).await;
    }

    /// No more tries: the code shall not be good anywhere else either.
    pub(super) fn abandon(&self, account: &Account, number: Option<&str>, started: Option<Started>) {
        let Some(started) = started else { return };
        let to = destination(account, number, started.channel);
        let inner = std::sync::Arc::clone(&self.inner);
        let owner = account.id.clone();
        // Best effort, and nobody waits for it.
        tokio::spawn(async move {
            inner.verifier.cancel(&started).await;
            if let Some(to) = to {
                inner.pending.release(&to, &owner).await;
            }
        });
    }
}

/// Until when the provider takes no other code of that verification.
fn spent_until(question: &Question<'_>, now: UnixMillis) -> UnixMillis {
    let sent_at = match question {
        Question::Sent { started, .. } => started.sent_at,
        _ => now,
    };
    sent_at.plus(pending::LIFE)
}
