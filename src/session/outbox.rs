//! The outbox's drain: carries guarded changes from the accounts database to the sessions.

use super::Sessions;
use crate::identity::Identity;

/// Drains for ever: polls every 250 ms, applies, removes. `app` spawns it on the service runtime and aborts it at the end.
#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
pub async fn drain(identity: Identity, sessions: Sessions) {
    todo!()
}
