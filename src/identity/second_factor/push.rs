//! Approvals on a telephone (Twilio Verify Push): the operator's own app enrols with a token of ours, and answers yes or no.
//!
//! The provider knows a person by the account's id alone. A question is made for one sign-in and read for no other; which of
//! several answers opens a session is `session.release`'s affair, as everywhere. Against people who are asked until they
//! give in: both screens show one number, every question counts as a sent code, and a denied one counts as a wrong code, too.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{done, kind_of, send::wait_after};
use crate::{
    identity::{
        Answered, Authenticated, Identity, Method, Refusal, Shown,
        account::{Account, AccountId, Factor, FactorKind},
        challenge::{Asked, Challenge, Push},
        fields,
        outbox::RowId,
        throttle::Purpose,
    },
    inbound::Client,
    verify::{Pushed, Question},
    world::UnixMillis,
};

/// A telephone being enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushEnrolment {
    /// Whose.
    pub account: AccountId,
    /// Changes with every guarded change of the account: an enrolment from before it is stale.
    pub generation: i64,
    /// Devices that the provider knew before: none of them is the new one, whoever enrolled it.
    pub known: Vec<String>,
}

impl Identity {
    /// Whether approvals on a telephone can be used here.
    #[must_use]
    pub fn offers_push(&self) -> bool {
        self.inner.verifier.offers_push()
    }

    /// Begins to enrol a telephone, or goes on with `begun`; with a token for the app either way. Counts as a sent code.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when push is not offered, or the account is gone, changed or has one already;
    /// [`Refusal::Throttled`]; [`Refusal::Verify`]; [`Refusal::Store`].
    pub async fn enrol_push(
        &self,
        account: &AccountId,
        begun: Option<PushEnrolment>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(PushEnrolment, SecretString), Refusal> {
        let account = self.account(account).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        let has = account.factors.iter().any(|own| matches!(own.kind, FactorKind::Push { .. }));
        if has || !self.offers_push() {
            return Err(Refusal::Stale);
        }
        let _counted = self.inner.throttle.admit(Purpose::CodeSend, &account.id.0, client, now).await?;
        let verifier = &self.inner.verifier;
        let enrolment = match begun.filter(|begun| begun.generation == account.generation) {
            Some(begun) => begun,
            None => {
                let known = verifier.push_devices(&account.id.0).await?;
                let known = known.into_iter().map(|device| device.factor).collect();
                PushEnrolment { account: account.id.clone(), generation: account.generation, known }
            }
        };
        let token = verifier.push_token(&account.id.0).await?;
        Ok((enrolment, token))
    }

    /// Keeps the telephone that was enrolled since. Other sessions than `keep` (a `sid`) end (outbox), the owner is mailed.
    /// `None`: there is none yet.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account changed meanwhile, or several telephones took that token: nobody can tell which is
    /// the owner's. [`Refusal::Throttled`]; [`Refusal::Verify`]; [`Refusal::Store`].
    pub async fn enrol_push_answer(
        &self,
        enrolment: &PushEnrolment,
        keep: Option<&str>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Option<(Authenticated, RowId)>, Refusal> {
        let account = self.current(&enrolment.account, enrolment.generation).await?;
        // Only the work of looking is bounded.
        let _counted = self.inner.throttle.admit(Purpose::Form, "", client, now).await?;
        let mut devices = self.inner.verifier.push_devices(&account.id.0).await?;
        devices.retain(|device| !enrolment.known.contains(&device.factor));
        let Some(device) = devices.pop() else { return Ok(None) };
        if !devices.is_empty() {
            return Err(Refusal::Stale);
        }
        let name = fields::name(&device.name, "telephone's name").unwrap_or_else(|_| "Phone".into());
        let kind = FactorKind::Push { name, factor_sid: device.factor };
        let factor = Factor { id: self.fresh_id(now)?.0.as_ref().to_owned(), kind, since: now };
        let (account, row) = self.add_factor(&account.id, enrolment.generation, &factor, keep, now).await?;
        self.tell_factor_on(&account, &factor.kind, now);
        self.inner.throttle.forgive(Purpose::CodeSend, &account.id.0, client, now).await;
        Ok(Some((Authenticated::new(account, vec![Shown { method: Method::Swk, at: now }]), row)))
    }

    /// Asks on the telephone. Where pushes are not offered (any more) nobody is asked.
    pub(super) async fn ask_push(
        &self,
        account: &Account,
        challenge: &mut Challenge,
        factor: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let inner = &self.inner;
        let pushes = &mut challenge.pushes;
        if !self.offers_push() {
            pushes.open = None;
            return Ok(());
        }
        let FactorKind::Push { factor_sid, .. } = kind_of(account, factor)? else { return Err(Refusal::Stale) };
        let blocked = inner.tries.blocked(&account.id, now).await?;
        let early = Some(pushes.again_at).filter(|at| now < *at);
        if let Some(until) = blocked.max(early) {
            return Err(Refusal::Throttled { until });
        }
        let _counted = inner.throttle.admit(Purpose::CodeSend, &account.id.0, client, now).await?;
        let number = (u32::from_be_bytes(inner.entropy.bytes()?) % 90 + 10).to_string();
        let site: String = inner.settings.portal.name.chars().take(LONGEST_SITE).collect();
        let network = client.network().to_string();
        let question = Question {
            message: &format!("Sign in to {site}?"),
            fields: &[("Number", &number), ("Browser", &challenge.device), ("Network", &network)],
            until: now.plus(LIFE).seconds(),
        };
        let asked = inner.verifier.push(&account.id.0, factor_sid, question).await?;
        pushes.count = pushes.count.saturating_add(1);
        pushes.again_at = now.plus(wait_after(pushes.count));
        pushes.open = Some(Push { factor: factor.to_owned(), challenge: asked, number, sent_at: now, reads: 0 });
        Ok(())
    }

    /// What became of this sign-in's question.
    pub(super) async fn judge_push(
        &self,
        challenge: &mut Challenge,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        let inner = &self.inner;
        let account = self.current(&challenge.account, challenge.generation).await?;
        let Asked::Push { factor, .. } = &challenge.asked else { return Ok(Answered::Pending) };
        let FactorKind::Push { factor_sid, .. } = kind_of(&account, factor)? else { return Err(Refusal::Stale) };
        let good = |open: &Push| open.factor == *factor && now < open.sent_at.plus(LIFE) && open.reads < MOST_READS;
        let pushes = &mut challenge.pushes;
        let Some(mut open) = pushes.open.take().filter(good).filter(|_| self.offers_push()) else {
            return Ok(Answered::Gone);
        };
        // Too many wrong codes close this way with the others.
        if let Some(until) = inner.tries.blocked(&account.id, now).await? {
            return Ok(Answered::Spent { until });
        }
        open.reads += 1;
        let state = inner.verifier.pushed(&account.id.0, factor_sid, &open.challenge).await;
        match state {
            Ok(Pushed::Approved) => {
                inner.tries.clear(&account.id).await;
                inner.throttle.forgive(Purpose::CodeSend, &account.id.0, client, now).await;
                Ok(done(account, challenge.password_at, Method::Swk, now))
            }
            Ok(Pushed::Denied) => {
                let until = self.push_denied(&account, client, now).await?;
                pushes.count = pushes.count.saturating_add(2);
                pushes.again_at = until.unwrap_or(now).max(now.plus(wait_after(pushes.count)));
                Ok(Answered::Denied { until: pushes.again_at })
            }
            Ok(Pushed::Gone) => Ok(Answered::Gone),
            Ok(Pushed::Pending) => {
                pushes.open = Some(open);
                Ok(Answered::Pending)
            }
            Err(error) => {
                pushes.open = Some(open);
                Err(error.into())
            }
        }
    }

    /// Its owner was bothered by somebody who knows the password: counted as a wrong code is, and once more as a sent one,
    /// so that a sign-in begun anew does not ask sooner. Until when nothing is asked, if no tries are left.
    async fn push_denied(
        &self,
        account: &Account,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Option<UnixMillis>, Refusal> {
        let inner = &self.inner;
        let counted = inner.tries.count(&account.id, now).await?;
        // Where they refuse, enough is counted already.
        for purpose in [Purpose::Code, Purpose::CodeSend] {
            let _counted = inner.throttle.admit(purpose, &account.id.0, client, now).await;
        }
        Ok(match counted {
            Ok(counted) if counted.left > 0 => None,
            Ok(counted) => Some(counted.until),
            Err(until) => Some(until),
        })
    }

    /// A telephone that is a factor no more is forgotten by the provider, too. Best effort, and nobody waits for it, but for
    /// the end of a command ([`Identity::forgotten`]).
    pub(in crate::identity) fn forget_push(&self, account: &AccountId, kind: &FactorKind) {
        let FactorKind::Push { factor_sid, .. } = kind else { return };
        let (inner, account, factor) = (std::sync::Arc::clone(&self.inner), account.clone(), factor_sid.clone());
        self.inner.forgetting.spawn(async move {
            inner.verifier.forget_push(&account.0, &factor).await;
            tracing::info!(account = %account.0, factor = &*factor, "the provider was asked to forget a telephone");
        });
    }

    /// Waits until the provider was told what to forget: a process that ends would not tell it.
    pub async fn forgotten(&self, within: Duration) {
        self.inner.forgetting.close();
        let _in_time = tokio::time::timeout(within, self.inner.forgetting.wait()).await;
    }
}

/// How long an answer counts.
const LIFE: Duration = Duration::from_mins(5);
/// One every five seconds: more is a program.
const MOST_READS: u32 = 60;
/// The whole message may have 256 characters.
const LONGEST_SITE: usize = 200;
