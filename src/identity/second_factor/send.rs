//! Sending a code: who may, when, by which way, and what follows.

use std::time::Duration;

use super::{
    pending::{Claim, Wait},
    ways::{destination, prefix},
};
use crate::{
    config::verify::Channel,
    identity::{Identity, Refusal, account::Account, throttle::Purpose},
    inbound::Client,
    telemetry::metrics::Way,
    verify::{Destination, Started, VerifyError},
    world::UnixMillis,
};

/// One wish to have a code sent.
pub(super) struct Errand<'a> {
    pub account: &'a Account,
    /// E.164, for the channels that go to a phone.
    pub number: Option<&'a str>,
    pub asked: Channel,
    /// What may be used, for the fallback.
    pub channels: &'a [Channel],
    /// The number is the account's own factor, not one being enrolled.
    pub proved: bool,
    /// The flow's verification so far.
    pub before: Option<&'a Started>,
    pub resend_at: UnixMillis,
    pub sends: u32,
    /// Of the messages.
    pub locale: Option<&'a str>,
}

/// What the flow has to remember.
pub(super) struct Sent {
    pub started: Started,
    pub fell_back: bool,
    pub resend_at: UnixMillis,
    pub sends: u32,
}

/// The channel to use: the one wished for, if it is offered; else the last one, else the first.
pub(super) fn choose(wished: Option<Channel>, last: Channel, channels: &[Channel]) -> Result<Channel, Refusal> {
    let Some(first) = channels.first() else {
        // A factor is on and no way to ask for it is set up: the operator's affair, and nobody gets in without it.
        return Err(VerifyError::Settings { status: 0, code: None }.into());
    };
    match wished {
        Some(wished) if !channels.contains(&wished) => Err(Refusal::field("channel", "Choose one of the ways shown.")),
        Some(wished) => Ok(wished),
        None if channels.contains(&last) => Ok(last),
        None => Ok(*first),
    }
}

impl Identity {
    /// Sends. The order: what refuses without cost stands first, what counts stands last before the send itself.
    pub(super) async fn dispatch(&self, errand: Errand<'_>, client: &Client, now: UnixMillis) -> Result<Sent, Refusal> {
        let inner = &self.inner;
        let account = errand.account;
        let blocked = inner.tries.blocked(&account.id, now).await?;
        let early = Some(earliest(&errand)).filter(|at| now < *at);
        if let Some(until) = blocked.max(early) {
            return Err(Refusal::Throttled { until });
        }
        let to = destination(account, errand.number, errand.asked).ok_or(Refusal::Stale)?;
        let claim = inner.pending.claim(&to, &account.id, errand.proved, now).await?;
        if let Err(refusal) = self.count_send(&errand, &to, client, now).await {
            inner.pending.undo(&to, &account.id, claim).await;
            return Err(refusal);
        }
        if let Claim::Taken(Wait { started: Some(started), .. }) = &claim {
            // The provider would send the code of the enrolment again, and count its sends and checks against the owner.
            inner.verifier.cancel(started).await;
        }
        let outcome = self.by_way_or_call(&errand, &to).await;
        if outcome.is_err() && claim == Claim::Fresh {
            inner.pending.release(&to, &account.id).await;
        }
        let (started, fell_back) = outcome?;
        inner.measures.codes_sent.count(way(started.channel));
        inner.pending.sent(&to, &account.id, &started).await;
        let sends = errand.sends.saturating_add(1);
        Ok(Sent { started, fell_back, resend_at: now.plus(wait_after(sends)), sends })
    }

    /// Every send counts, until the code comes back; to a number nobody proved to have, whoever asks.
    async fn count_send(
        &self,
        errand: &Errand<'_>,
        to: &Destination,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let throttle = &self.inner.throttle;
        let counted = throttle.admit(Purpose::CodeSend, &errand.account.id.0, client, now).await?;
        if errand.proved {
            return Ok(());
        }
        let refusal = match throttle.admit(Purpose::Number, to.as_str(), client, now).await {
            Ok(number) => match prefix(to) {
                Some(prefix) => match throttle.admit(Purpose::Prefix, prefix, client, now).await {
                    Ok(_counted) => return Ok(()),
                    Err(refusal) => {
                        number.undo(now).await;
                        refusal
                    }
                },
                None => return Ok(()),
            },
            Err(refusal) => refusal,
        };
        counted.undo(now).await;
        Err(refusal)
    }

    /// SMS that cannot reach this number becomes a call; limits, fraud answers and outages never do.
    async fn by_way_or_call(&self, errand: &Errand<'_>, to: &Destination) -> Result<(Started, bool), VerifyError> {
        let verifier = &self.inner.verifier;
        match verifier.start(to, errand.asked, errand.locale).await {
            Ok(started) => Ok((started, false)),
            Err(VerifyError::Unreachable { .. })
                if errand.asked == Channel::Sms && errand.channels.contains(&Channel::Call) =>
            {
                Ok((verifier.start(to, Channel::Call, errand.locale).await?, true))
            }
            Err(error) => Err(error),
        }
    }
}

fn way(channel: Channel) -> Way {
    match channel {
        Channel::Sms => Way::Sms,
        Channel::Call => Way::Call,
        Channel::Whatsapp => Way::Whatsapp,
        Channel::Email => Way::Email,
    }
}

/// When the next send may happen: the same way after its wait; another way at once, and later on a little sooner.
fn earliest(errand: &Errand<'_>) -> UnixMillis {
    match errand.before {
        Some(started) if started.channel != errand.asked => {
            let pause = if errand.sends <= 1 { Duration::ZERO } else { SWITCH };
            started.sent_at.plus(pause).min(errand.resend_at)
        }
        _ => errand.resend_at,
    }
}

/// 30 s after the first send, then twice as long each time, at most 5 minutes.
pub(super) fn wait_after(sends: u32) -> Duration {
    let factor = 1_u32.checked_shl(sends.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
}

const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const SWITCH: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let seconds: Vec<u64> = [1, 2, 3, 4, 5, 40].map(|sends| wait_after(sends).as_secs()).to_vec();
        assert_eq!(seconds, [30, 60, 120, 240, 300, 300]);
    }

    #[test]
    fn another_way_is_open_at_once_and_later_on_after_ten_seconds() {
        let account = crate::identity::account::Account::for_testing("ada");
        let started = Started { verification: "VE".into(), channel: Channel::Sms, sent_at: UnixMillis(1_000) };
        let next = |before, asked, sends| {
            let resend_at = UnixMillis(31_000);
            earliest(&Errand {
                account: &account,
                number: None,
                asked,
                channels: &[],
                before,
                resend_at,
                sends,
                proved: true,
                locale: None,
            })
        };
        assert_eq!(next(Some(&started), Channel::Sms, 1), UnixMillis(31_000));
        assert_eq!(next(Some(&started), Channel::Call, 1), UnixMillis(1_000));
        assert_eq!(next(Some(&started), Channel::Call, 2), UnixMillis(11_000));
        assert_eq!(next(None, Channel::Call, 0), UnixMillis(31_000));
    }

    #[test]
    fn only_offered_ways_are_used() {
        let offered = [Channel::Call, Channel::Sms];
        assert_eq!(choose(Some(Channel::Sms), Channel::Call, &offered).unwrap(), Channel::Sms);
        assert_eq!(choose(None, Channel::Sms, &offered).unwrap(), Channel::Sms);
        assert_eq!(choose(None, Channel::Email, &offered).unwrap(), Channel::Call);
        assert!(matches!(choose(Some(Channel::Email), Channel::Sms, &offered), Err(Refusal::Fields(_))));
        assert!(matches!(choose(None, Channel::Sms, &[]), Err(Refusal::Verify(VerifyError::Settings { .. }))));
    }
}
