//! A forgotten password: a link by mail, ten minutes, once. OWASP Forgot Password Cheat Sheet.

use secrecy::SecretString;

use super::{Identity, Refusal, outbox};
use crate::{inbound::Client, world::UnixMillis};

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Identity {
    /// Sends a reset link if the address is known; says nothing either way.
    pub async fn forgot(&self, email: &str, client: &Client, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Whether a reset link is alive; consumes nothing.
    pub async fn reset_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Redeems a reset link: sets the password, ends every session. Never signs in.
    pub async fn reset(
        &self,
        token: &str,
        password: SecretString,
        confirm: SecretString,
        now: UnixMillis,
    ) -> Result<outbox::RowId, Refusal> {
        todo!()
    }
}
