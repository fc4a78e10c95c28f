//! Registration, with and without confirmation by mail.

use super::{Identity, NewAccount, Refusal, Registered, account::Account};
use crate::{inbound::Client, world::UnixMillis};

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Identity {
    /// Registers a person. Fields are judged all at once.
    pub async fn register(&self, new: NewAccount, client: &Client, now: UnixMillis) -> Result<Registered, Refusal> {
        todo!()
    }
    /// Whether a confirmation link is alive; consumes nothing (mail scanners GET it).
    pub async fn confirmation_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Redeems a confirmation link: creates the account.
    pub async fn confirm(&self, token: &str, now: UnixMillis) -> Result<Account, Refusal> {
        todo!()
    }
}
