//! The outbox's drain: carries guarded changes from the accounts database to the sessions.
//!
//! Rows are applied in their order per account; a row that fails stays in the database and holds back only its own
//! account. Applying twice does no harm, so that several nodes drain one outbox without leases. Nothing is remembered
//! across restarts: the rows themselves are the memory.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{Sessions, Unreachable, record::Sid};
use crate::identity::{
    Identity, Refusal,
    account::AccountId,
    outbox::{Effect, Row, RowId},
};

/// Drains for ever: polls every 250 ms, applies, removes. `app` spawns it on the service runtime and aborts it at the end.
pub async fn drain(identity: Identity, sessions: Sessions) {
    let progress = &sessions.shared.progress;
    let mut readable = true;
    loop {
        let round = progress.begun.fetch_add(1, Ordering::SeqCst) + 1;
        match drain_once(&identity, &sessions).await {
            Ok(left) => {
                readable = true;
                progress.rounds.send_replace(Round { number: round, left: Arc::new(left) });
            }
            Err(error) if readable => {
                readable = false;
                tracing::warn!(%error, "the outbox cannot be read: changes of accounts wait");
            }
            Err(_) => {}
        }
        // Somebody who waits for a row shortens the pause.
        let _ = tokio::time::timeout(PAUSE, progress.hurry.notified()).await;
    }
}

impl Sessions {
    /// Waits until an outbox row is applied, here or by another node, at most three seconds.
    ///
    /// # Errors
    /// [`Unreachable`] when it is not: the change is kept and will be applied once the store is back.
    pub async fn settled(&self, row: RowId) -> Result<(), Unreachable> {
        let progress = &self.shared.progress;
        // Only a round that begins after this moment is sure to have seen the row if it is still there.
        let from = progress.begun.load(Ordering::SeqCst);
        let mut rounds = progress.rounds.subscribe();
        let settled = async {
            loop {
                {
                    let round = rounds.borrow_and_update();
                    if round.number > from && round.left.settled(row) {
                        return Ok(());
                    }
                }
                progress.hurry.notify_one();
                rounds.changed().await?;
            }
        };
        match tokio::time::timeout(SETTLE, settled).await {
            Ok(settled) => settled.map_err(|error: watch::error::RecvError| Unreachable(Box::new(error))),
            Err(elapsed) => Err(Unreachable(Box::new(elapsed))),
        }
    }

    async fn apply(&self, row: &Row) -> Result<(), Unreachable> {
        match &row.effect {
            Effect::End => self.end_account(&row.account, None, row.generation).await,
            Effect::EndOthers(sid) => {
                self.end_account(&row.account, Some(&Sid(sid.as_str().into())), row.generation).await
            }
            Effect::EndToken(token) => self.end_token(&row.account, &Sid(token.as_str().into()), row.generation).await,
            Effect::Rewrite(account) => self.rewrite_account(account).await,
        }
    }
}

/// How far the drain has come.
#[derive(Debug)]
pub(crate) struct Progress {
    begun: AtomicU64,
    rounds: watch::Sender<Round>,
    hurry: Notify,
}

/// One round's end.
#[derive(Clone, Debug, Default)]
struct Round {
    number: u64,
    left: Arc<Left>,
}

/// What a round did not apply.
#[derive(Debug, Default)]
struct Left {
    rows: HashSet<RowId>,
    /// Rows above this one were not looked at; `None` when all were.
    seen_to: Option<RowId>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), rounds: watch::Sender::new(Round::default()), hurry: Notify::new() }
    }
}

impl Left {
    fn settled(&self, row: RowId) -> bool {
        !self.rows.contains(&row) && self.seen_to.is_none_or(|seen_to| row <= seen_to)
    }
}

async fn drain_once(identity: &Identity, sessions: &Sessions) -> Result<Left, Refusal> {
    let rows = identity.changes(BATCH).await?;
    let mut left = Left::default();
    if rows.len() >= BATCH as usize {
        left.seen_to = rows.iter().map(|row| row.id).max();
    }
    // The order of one account's changes matters: after a failure its later rows wait, those of others go on.
    let mut blocked: HashSet<&AccountId> = HashSet::new();
    for row in &rows {
        if blocked.contains(&row.account) {
            left.rows.insert(row.id);
            continue;
        }
        if let Err(error) = sessions.apply(row).await {
            tracing::debug!(row = row.id.0, error = %error.0, "an account's change waits for the session store");
            left.rows.insert(row.id);
            blocked.insert(&row.account);
            continue;
        }
        // A row that stays because of this error is applied again: that does no harm.
        if let Err(error) = identity.applied(row.id).await {
            tracing::warn!(row = row.id.0, %error, "an applied change could not be removed from the outbox");
        }
    }
    Ok(left)
}

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(250);
/// Rows in one round.
const BATCH: u32 = 256;
/// How long the portal waits for its own change.
const SETTLE: Duration = Duration::from_secs(3);
