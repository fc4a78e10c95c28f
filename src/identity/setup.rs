//! The first administrator: a one-time link printed at the start.

use super::{Identity, NewAccount, Refusal, account::Account};
use crate::{inbound::Client, world::UnixMillis};

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Identity {
    /// Whether a setup link is alive.
    pub async fn setup_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Redeems the setup link: creates the first administrator, once, even when raced.
    pub async fn redeem_setup(
        &self,
        token: &str,
        new: NewAccount,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Account, Refusal> {
        todo!()
    }
    /// A fresh setup token while there is no administrator; `None` once there is one. Older ones die.
    pub async fn setup_token(&self, now: UnixMillis) -> Result<Option<String>, Refusal> {
        todo!()
    }
}
