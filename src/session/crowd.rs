//! An account has only so many sessions at a time; the one unused for longest makes room for a new one.
//!
//! Every change of an account touches each of its sessions, so that one account with thousands would hold up everybody's
//! revocations.

use super::{Shared, Unreachable, store::SessionStore};
use crate::identity::account::AccountId;

impl Shared {
    /// Called after a session was started. What cannot be ended now is ended after the next sign-in.
    pub(super) async fn make_room(&self, account: &AccountId) {
        if let Err(error) = self.end_surplus(account).await {
            tracing::debug!(account = %account.0, error = %error.0, "an account keeps more sessions than it may have");
        }
    }

    async fn end_surplus(&self, account: &AccountId) -> Result<(), Unreachable> {
        let mut sessions = self.store.of_account(account).await?;
        // Tokens have a bound of their own.
        sessions.retain(|(_, stored)| stored.record.token.is_none());
        let surplus = sessions.len().saturating_sub(MOST);
        sessions.sort_by_key(|(_, stored)| stored.active_at.unwrap_or(stored.record.created_at));
        for (key, stored) in sessions.into_iter().take(surplus) {
            self.end_session(key, account, &stored.record.sid).await?;
            self.gone(&stored.record.sid);
        }
        Ok(())
    }
}

/// Far more devices than one person signs in on.
pub(super) const MOST: usize = 64;
