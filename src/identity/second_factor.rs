//! The second factor: sending and answering codes at sign-in, enrolling, disabling.
//!
//! Attempts count per account across restarted flows (`throttle`); a flow carries the account's `generation` and is
//! stale once a guarded change moved it on.

use super::{
    Answered, Authenticated, Enrolled, Identity, Refusal,
    account::{Account, AccountId},
    challenge::{Challenge, Enrolment},
    outbox,
};
use crate::{config::verify::Channel, inbound::Client, world::UnixMillis};

/// What a right password still owes: `None` when the account has no factor on.
#[expect(clippy::todo, unused_variables, reason = "being laid")]
pub(super) fn challenge(account: &Account, password_at: UnixMillis, channels: &[Channel]) -> Option<Challenge> {
    if account.factors.is_empty() {
        return None;
    }
    todo!()
}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Identity {
    /// Sends (or sends again, or switches to `channel`) the challenge's code; SMS that cannot reach falls back to a call.
    pub async fn send(
        &self,
        challenge: &mut Challenge,
        channel: Option<Channel>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        todo!()
    }
    /// The second step. Counts wrong answers per account, across restarted sign-ins.
    pub async fn answer(
        &self,
        challenge: &mut Challenge,
        code: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        todo!()
    }
    /// Channels the Verify service offers, in the order shown. Empty when the second factor is off.
    pub fn channels(&self) -> Vec<Channel> {
        todo!()
    }
    /// Starts enrolling a phone: parses the number, sends the code.
    pub async fn enrol(
        &self,
        account: &AccountId,
        country: &str,
        phone: &str,
        channel: Channel,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Enrolment, Refusal> {
        todo!()
    }
    /// Sends the enrolment's code again or another way.
    pub async fn enrol_send(
        &self,
        enrolment: &mut Enrolment,
        channel: Option<Channel>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        todo!()
    }
    /// Answers an enrolment. `Done` means: the factor is on, other sessions than `keep` (a `sid`) end (outbox), the
    /// owner is mailed.
    pub async fn enrol_answer(
        &self,
        enrolment: &mut Enrolment,
        code: &str,
        keep: Option<&str>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Enrolled, Refusal> {
        todo!()
    }
    /// Turns the second factor off (the password was checked: `proof`), ends other sessions than `keep` (a `sid`),
    /// mails the owner.
    pub async fn disable_factor(
        &self,
        proof: &Authenticated,
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<outbox::RowId, Refusal> {
        todo!()
    }
}
