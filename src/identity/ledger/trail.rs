//! The trail: rows are added and, when they are old, dropped; never changed.

use super::Ledger;
use crate::{
    identity::{
        account::AccountId,
        trail::{Actor, Entry, Event, Recorded},
    },
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    at: i64,
    actor: String,
    event: String,
    result: String,
    network: String,
    detail: String,
}

impl Ledger {
    /// Adds entries in their order.
    pub(in crate::identity) async fn append(&self, tx: &mut Tx, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let last = on!(tx, link => sqlx::query_scalar::<_, i64>(NUMBERS).bind(count).fetch_one(link))?;
        for (id, entry) in (last - count + 1..).zip(entries) {
            run!(
                tx,
                sqlx::query(APPEND)
                    .bind(id)
                    .bind(entry.at.0)
                    .bind(&*entry.account.0)
                    .bind(entry.actor.word())
                    .bind(entry.event.word())
                    .bind(entry.result())
                    .bind(entry.network())
                    .bind(&*entry.detail)
                    .bind(entry.doer())
            )?;
        }
        Ok(())
    }

    /// An account's entries before that one of its own, the newest first. By their time: tries are written after changes that
    /// came later.
    pub(in crate::identity) async fn trail_of(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Recorded>, StoreError> {
        let rows = match before {
            Some(before) => on!(tx, link => sqlx::query_as::<_, Row>(OLDER)
                .bind(&*account.0).bind(limit).bind(before).fetch_all(link))?,
            None => on!(tx, link => sqlx::query_as::<_, Row>(NEWEST)
                .bind(&*account.0).bind(limit).fetch_all(link))?,
        };
        Ok(rows.into_iter().map(Recorded::from).collect())
    }

    /// Drops entries older than `oldest`, refusals older than `oldest_refusal`, and all refusals but the newest `refusals`.
    pub(in crate::identity) async fn trim_trail(
        &self,
        tx: &mut Tx,
        oldest: UnixMillis,
        oldest_refusal: UnixMillis,
        refusals: i64,
    ) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM trail WHERE at < $1").bind(oldest.0))?;
        run!(tx, sqlx::query("DELETE FROM trail WHERE result = 'refused' AND at < $1").bind(oldest_refusal.0))?;
        run!(tx, sqlx::query(TRIM).bind(refusals))?;
        Ok(())
    }
}

impl From<Row> for Recorded {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: UnixMillis(row.at),
            actor: Actor::parse(&row.actor),
            event: Event::parse(&row.event),
            refused: row.result == "refused",
            network: row.network,
            detail: row.detail,
        }
    }
}

const NUMBERS: &str = "UPDATE counters SET value = value + $1 WHERE name = 'trail' RETURNING value";
const APPEND: &str = "INSERT INTO trail (id, at, account, actor, event, result, network, detail, doer)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const NEWEST: &str = "SELECT id, at, actor, event, result, network, detail FROM trail WHERE account = $1
    ORDER BY at DESC, id DESC LIMIT $2";
const OLDER: &str = "SELECT id, at, actor, event, result, network, detail FROM trail WHERE account = $1
    AND (at, id) < (SELECT at, id FROM trail WHERE account = $1 AND id = $3) ORDER BY at DESC, id DESC LIMIT $2";
const TRIM: &str = "DELETE FROM trail WHERE result = 'refused' AND id <=
    (SELECT id FROM trail WHERE result = 'refused' ORDER BY id DESC LIMIT 1 OFFSET $1)";
