//! The first step of a sign-in: name or address, and password.

use secrecy::SecretString;

use super::{Authenticated, Identity, Refusal, SignIn, account::AccountId};
use crate::{inbound::Client, world::UnixMillis};

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Identity {
    /// The first step: name or address, and password.
    pub async fn authenticate(
        &self,
        identifier: &str,
        password: &SecretString,
        client: &Client,
        now: UnixMillis,
    ) -> Result<SignIn, Refusal> {
        todo!()
    }
    /// Checks the password of somebody signed in (before a guarded change); throttled like a sign-in.
    pub async fn check_password(
        &self,
        account: &AccountId,
        password: &SecretString,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Authenticated, Refusal> {
        todo!()
    }
}
