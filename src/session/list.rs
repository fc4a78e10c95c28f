//! What an account's owner sees of their sessions, and ends one by one. (All others at once: the outbox.)
//!
//! Sessions are named by `sid` here, which is no secret and signs nobody in. Only those of one account are looked through,
//! so that somebody else's `sid` is as unknown as a made-up one.

use super::{
    Sessions, Shared, Unreachable,
    record::{Place, Sid},
    store::{SessionStore, Stored},
};
use crate::{
    identity::{Shown, account::AccountId},
    world::UnixMillis,
};

/// A live session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub sid: Sid,
    /// Where it began.
    pub place: Place,
    /// What was shown, oldest first.
    pub factors: Vec<Shown>,
    /// When it began.
    pub created_at: UnixMillis,
    /// Its last use, at most a minute behind what other nodes know.
    pub seen_at: UnixMillis,
}

impl Sessions {
    /// The live sessions of an account, the newest first; at most a hundred.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub async fn list(&self, account: &AccountId, now: UnixMillis) -> Result<Vec<Listed>, Unreachable> {
        let account = account.clone();
        self.shared
            .on_service(move |shared| async move {
                let stored = shared.store.of_account(&account).await?;
                let mut listed: Vec<_> =
                    stored.into_iter().filter_map(|(_, stored)| shared.listed(stored, now)).collect();
                listed.sort_by(|one, other| {
                    other.created_at.cmp(&one.created_at).then_with(|| one.sid.0.cmp(&other.sid.0))
                });
                listed.truncate(LISTED);
                Ok(listed)
            })
            .await
    }

    /// Ends one of an account's sessions on every node, under whatever id it has by now; false when the account has none
    /// of that name.
    ///
    /// # Errors
    /// [`Unreachable`]: it may still be alive.
    pub async fn end_of(&self, account: &AccountId, sid: &Sid) -> Result<bool, Unreachable> {
        let (account, sid) = (account.clone(), sid.clone());
        self.shared
            .on_service(move |shared| async move {
                let found = shared.find(&account, &sid).await?.filter(|(_, stored)| stored.record.token.is_none());
                let Some((key, _)) = found else { return Ok(false) };
                shared.end_session(key, &account, &sid).await?;
                shared.gone(&sid);
                Ok(true)
            })
            .await
    }
}

impl Shared {
    /// `None` for an access token, and for what has run out and is only not swept away yet.
    fn listed(&self, stored: Stored, now: UnixMillis) -> Option<Listed> {
        let Stored { record, active_at, .. } = stored;
        // Tokens have a page of their own.
        if record.token.is_some() {
            return None;
        }
        // What is not written yet counts as well.
        let seen_at = active_at.max(self.activity.seen(&record.sid))?;
        (record.deadline(seen_at) > now).then_some(Listed {
            sid: record.sid,
            place: record.place,
            factors: record.factors,
            created_at: record.created_at,
            seen_at,
        })
    }
}

/// Above what `crowd.rs` lets an account have.
const LISTED: usize = 100;
