//! Which account a number (or address) waits for. The provider keeps one code per destination: two accounts that waited
//! for the same one would share it. So the second has to wait until the first one's verification ends. But who proved to
//! have the number never waits for somebody who only says so: a sign-in takes it from an enrolment, whose verification ends.
//!
//! Bounded by refusing: nothing that still waits is ever forgotten.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    identity::{
        Refusal,
        account::AccountId,
        limits::{self, Key, Limits},
        throttle::SKEW,
    },
    storage::redis::Unreachable,
    verify::{Destination, Started},
    world::UnixMillis,
};

/// What waits, by the hash of the destination's text.
#[derive(Debug)]
pub(in crate::identity) struct Pending {
    limits: Limits,
}

/// What a destination waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::identity) struct Wait {
    pub account: AccountId,
    pub until: UnixMillis,
    /// The account's own factor, not one being enrolled.
    pub proved: bool,
    /// What was sent, once it was.
    pub started: Option<Started>,
}

/// How a claim went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Claim {
    /// It was free.
    Fresh,
    /// It waited for this account already.
    Renewed,
    /// It waited for another account's enrolment, which has lost it.
    Taken(Wait),
}

impl Wait {
    /// Whether it still waits. (A clock that was wrong when it was written closes nothing for years.)
    pub fn runs(&self, now: UnixMillis) -> bool {
        now < self.until && self.until <= now.plus(LIFE).plus(SKEW)
    }

    /// What becomes of `before` when `wanted` comes: how the claim went, and what to keep; or until when it is refused.
    pub fn claimed(before: Option<Self>, wanted: Self, now: UnixMillis) -> Result<(Claim, Self), UnixMillis> {
        match before.filter(|wait| wait.runs(now)) {
            None => Ok((Claim::Fresh, wanted)),
            Some(wait) if wait.account == wanted.account => {
                Ok((Claim::Renewed, Self { started: wait.started, ..wanted }))
            }
            Some(wait) if wanted.proved && !wait.proved => Ok((Claim::Taken(wait), wanted)),
            Some(wait) => Err(wait.until),
        }
    }
}

impl Pending {
    pub(in crate::identity) fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Lets the destination wait for this account; or tells until when it waits for another. `proved`: the account has
    /// shown before that it is theirs.
    ///
    /// # Errors
    /// [`Refusal::Throttled`], [`Refusal::Store`]
    pub(super) async fn claim(
        &self,
        to: &Destination,
        account: &AccountId,
        proved: bool,
        now: UnixMillis,
    ) -> Result<Claim, Refusal> {
        let wanted = Wait { account: account.clone(), until: now.plus(LIFE), proved, started: None };
        let claim = self.limits.claim(key(to), wanted, now).await?;
        claim.map_err(|until| Refusal::Throttled { until })
    }

    /// The claim came to nothing: as it was before.
    pub(super) async fn undo(&self, to: &Destination, account: &AccountId, claim: Claim) {
        match claim {
            Claim::Fresh => self.release(to, account).await,
            Claim::Renewed => {}
            Claim::Taken(before) => unneeded(self.limits.restore(key(to), account, before).await),
        }
    }

    /// What was sent for the claim.
    pub(super) async fn sent(&self, to: &Destination, account: &AccountId, started: &Started) {
        unneeded(self.limits.sent(key(to), account, started).await);
    }

    /// Whether the destination waits for another account by now.
    ///
    /// # Errors
    /// [`Refusal::Store`]: nobody knows.
    pub(super) async fn lost(&self, to: &Destination, account: &AccountId, now: UnixMillis) -> Result<bool, Refusal> {
        Ok(self.limits.lost(key(to), account, now).await?)
    }

    /// The account's verification ended.
    pub(super) async fn release(&self, to: &Destination, account: &AccountId) {
        unneeded(self.limits.release(key(to), account).await);
    }
}

/// A destination that waits in vain does so for ten minutes: no reason to fail.
fn unneeded(done: Result<(), Unreachable>) {
    if let Err(error) = done {
        tracing::debug!(error = %error.0, "a destination waits in vain");
    }
}

fn key(to: &Destination) -> Key {
    match to {
        Destination::Phone(number) => limits::key(&["wait", "phone", number]),
        // The mailbox is the same however its case is written.
        Destination::Email(address) => limits::key(&["wait", "email", &address.to_lowercase()]),
    }
}

/// How long a verification lives (VERIFY-API). Counted from the last send, which is never too short.
pub(in crate::identity) const LIFE: Duration = Duration::from_secs(600);
