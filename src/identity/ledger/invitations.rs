//! Invitations, and accounts that wait for an approval.

use super::Ledger;
use crate::{
    identity::{account::AccountId, token::Hash},
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

/// A new invitation.
#[derive(Debug)]
pub(in crate::identity) struct NewInvitation<'a> {
    pub(in crate::identity) id: &'a str,
    pub(in crate::identity) token: &'a Hash,
    /// With whom it is bound to: the address, its key, and the hash of the mailed link.
    pub(in crate::identity) bound: Option<(&'a str, &'a str, &'a Hash)>,
    pub(in crate::identity) groups: &'a [String],
    pub(in crate::identity) by: &'a AccountId,
    pub(in crate::identity) now: UnixMillis,
    pub(in crate::identity) expires: UnixMillis,
}

/// A living invitation, as its token finds it.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::identity) struct Brought {
    pub(in crate::identity) id: String,
    pub(in crate::identity) email: Option<String>,
    pub(in crate::identity) email_key: Option<String>,
    mailed: Option<Vec<u8>>,
    #[sqlx(skip)]
    pub(in crate::identity) by_mail: bool,
}

/// One that can still be used, as administrators see it.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::identity) struct OpenRow {
    pub(in crate::identity) id: String,
    pub(in crate::identity) email: Option<String>,
    pub(in crate::identity) group_names: String,
    pub(in crate::identity) maker: String,
    pub(in crate::identity) expires_at: i64,
}

impl Ledger {
    pub(in crate::identity) async fn put_invitation(
        &self,
        tx: &mut Tx,
        new: &NewInvitation<'_>,
    ) -> Result<(), StoreError> {
        // Old ones leave here, so that the table stays small without a task of its own.
        run!(tx, sqlx::query("DELETE FROM invitations WHERE expires_at <= $1").bind(new.now.0 - KEPT_MILLIS))?;
        run!(
            tx,
            sqlx::query(INSERT)
                .bind(new.id)
                .bind(&new.token[..])
                .bind(new.bound.map(|(_, _, mailed)| &mailed[..]))
                .bind(new.bound.map(|(email, _, _)| email))
                .bind(new.bound.map(|(_, key, _)| key))
                .bind(new.groups.join(","))
                .bind(&*new.by.0)
                .bind(new.now.0)
                .bind(new.expires.0)
        )?;
        Ok(())
    }

    /// The living invitation of a link; leaves it alive.
    pub(in crate::identity) async fn invitation(
        &self,
        tx: &mut Tx,
        token: &Hash,
        now: UnixMillis,
    ) -> Result<Option<Brought>, StoreError> {
        let found = on!(tx, link => sqlx::query_as::<_, Brought>(BY_TOKEN)
            .bind(&token[..]).bind(now.0).bind(&self.admin_group).fetch_optional(link))?;
        Ok(found.map(|found| Brought { by_mail: found.mailed.as_deref() == Some(&token[..]), ..found }))
    }

    /// Uses an invitation up that did not expire before `alive`: exactly one caller ever gets its groups, and who made it.
    pub(in crate::identity) async fn take_invitation(
        &self,
        tx: &mut Tx,
        id: &str,
        account: &AccountId,
        alive: UnixMillis,
        now: UnixMillis,
    ) -> Result<Option<(Vec<String>, AccountId)>, StoreError> {
        let taken = on!(tx, link => sqlx::query_as::<_, (String, String)>(TAKE)
            .bind(id).bind(alive.0).bind(&self.admin_group).bind(now.0).bind(&*account.0).fetch_optional(link))?;
        Ok(taken.map(|(groups, by)| (groups_of(&groups), AccountId(by.into()))))
    }

    /// Ends an open invitation; whether there was one.
    pub(in crate::identity) async fn drop_invitation(&self, tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
        let gone = run!(tx, sqlx::query("DELETE FROM invitations WHERE id = $1 AND redeemed_at IS NULL").bind(id))?;
        Ok(gone > 0)
    }

    /// Ends those of that maker that nobody has used: whether there were any. Whoever had the account may have made them.
    pub(in crate::identity) async fn drop_invitations_of(
        &self,
        tx: &mut Tx,
        maker: &AccountId,
    ) -> Result<bool, StoreError> {
        let gone = run!(
            tx,
            sqlx::query("DELETE FROM invitations WHERE made_by = $1 AND redeemed_at IS NULL").bind(&*maker.0)
        )?;
        Ok(gone > 0)
    }

    /// Those that can be used, the newest first.
    pub(in crate::identity) async fn open_invitations(
        &self,
        tx: &mut Tx,
        (from, limit): (i64, i64),
        now: UnixMillis,
    ) -> Result<Vec<OpenRow>, StoreError> {
        on!(tx, link => sqlx::query_as::<_, OpenRow>(OPEN)
            .bind(now.0).bind(&self.admin_group).bind(limit).bind(from).fetch_all(link))
    }

    /// As many as are listed: those of a maker who is no administrator any more take nobody's place.
    pub(in crate::identity) async fn count_open_invitations(
        &self,
        tx: &mut Tx,
        now: UnixMillis,
    ) -> Result<i64, StoreError> {
        on!(tx, link => sqlx::query_scalar(COUNT_OPEN).bind(now.0).bind(&self.admin_group).fetch_one(link))
    }

    /// How many accounts wait for an approval.
    pub(in crate::identity) async fn count_waiting(&self, tx: &mut Tx) -> Result<i64, StoreError> {
        on!(tx, link => sqlx::query_scalar(COUNT_WAITING).fetch_one(link))
    }

    /// Those that began to wait before `then`, the oldest first.
    pub(in crate::identity) async fn waiting_before(
        &self,
        tx: &mut Tx,
        then: UnixMillis,
        limit: i64,
    ) -> Result<Vec<AccountId>, StoreError> {
        let found = on!(tx, link => sqlx::query_scalar::<_, String>(OVERDUE).bind(then.0).bind(limit).fetch_all(link))?;
        Ok(found.into_iter().map(|id| AccountId(id.into())).collect())
    }

    /// Who waits with an address that nobody proved to read: whoever does may have it.
    pub(in crate::identity) async fn squatter(&self, tx: &mut Tx, key: &str) -> Result<Option<AccountId>, StoreError> {
        let found = on!(tx, link => sqlx::query_scalar::<_, String>(SQUATTER).bind(key).fetch_optional(link))?;
        Ok(found.map(|id| AccountId(id.into())))
    }

    /// One more began to wait that no administrator was told of.
    pub(in crate::identity) async fn one_more_waits(&self, tx: &mut Tx) -> Result<(), StoreError> {
        run!(tx, sqlx::query("UPDATE counters SET value = value + 1 WHERE name = 'waiting-untold'"))?;
        Ok(())
    }

    /// Whether anybody began to wait since administrators were told.
    pub(in crate::identity) async fn any_untold(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let untold: i64 = on!(tx, link => sqlx::query_scalar(UNTOLD).fetch_one(link))?;
        Ok(untold > 0)
    }

    /// Whether administrators may be told now: not since `last`. Then they count as told.
    pub(in crate::identity) async fn claim_telling(
        &self,
        tx: &mut Tx,
        last: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        // A moment in the future: the clock was set back.
        let claimed = run!(
            tx,
            sqlx::query("UPDATE counters SET value = $1 WHERE name = 'waiting-told' AND (value <= $2 OR value > $1)")
                .bind(now.0)
                .bind(last.0)
        )?;
        if claimed > 0 {
            run!(tx, sqlx::query("UPDATE counters SET value = 0 WHERE name = 'waiting-untold'"))?;
        }
        Ok(claimed > 0)
    }

    /// Enabled members of the administrators' group, the oldest first.
    pub(in crate::identity) async fn administrators(
        &self,
        tx: &mut Tx,
        limit: i64,
    ) -> Result<Vec<AccountId>, StoreError> {
        let found = on!(tx, link => sqlx::query_scalar::<_, String>(ADMINISTRATORS)
            .bind(&self.admin_group).bind(limit).fetch_all(link))?;
        Ok(found.into_iter().map(|id| AccountId(id.into())).collect())
    }
}

/// Groups as the table keeps them.
pub(in crate::identity) fn groups_of(names: &str) -> Vec<String> {
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// How long what is over stays: who looks into the database may wonder.
const KEPT_MILLIS: i64 = 30 * 24 * 3_600_000;
const INSERT: &str = "INSERT INTO invitations (id, token, mailed, email, email_key, group_names, made_by, made_at,
    expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
// An invitation is its maker's word, and worth as much: who is no administrator any more lets nobody in.
const BY_TOKEN: &str = "SELECT id, email, email_key, mailed FROM invitations
    WHERE (token = $1 OR mailed = $1) AND redeemed_at IS NULL AND expires_at > $2
    AND EXISTS (SELECT 1 FROM account_groups JOIN accounts ON accounts.id = account_groups.account
        WHERE accounts.id = invitations.made_by AND group_name = $3 AND NOT disabled)";
const TAKE: &str = "UPDATE invitations SET redeemed_at = $4, redeemed_by = $5
    WHERE id = $1 AND redeemed_at IS NULL AND expires_at > $2
    AND EXISTS (SELECT 1 FROM account_groups JOIN accounts ON accounts.id = account_groups.account
        WHERE accounts.id = invitations.made_by AND group_name = $3 AND NOT disabled)
    RETURNING group_names, made_by";
const OPEN: &str = "SELECT invitations.id, invitations.email, group_names, accounts.username AS maker, expires_at
    FROM invitations JOIN accounts ON accounts.id = invitations.made_by
    WHERE redeemed_at IS NULL AND expires_at > $1 AND NOT disabled
    AND EXISTS (SELECT 1 FROM account_groups WHERE account = invitations.made_by AND group_name = $2)
    ORDER BY made_at DESC, invitations.id LIMIT $3 OFFSET $4";
const COUNT_OPEN: &str = "SELECT COUNT(*) FROM invitations JOIN accounts ON accounts.id = invitations.made_by
    WHERE redeemed_at IS NULL AND expires_at > $1 AND NOT disabled
    AND EXISTS (SELECT 1 FROM account_groups WHERE account = invitations.made_by AND group_name = $2)";
// Enabled by an older version, it waits no more.
const COUNT_WAITING: &str = "SELECT COUNT(*) FROM accounts WHERE waiting_since IS NOT NULL AND disabled";
// Whom an older version let in and disabled again looks like one who waits: they are nobody's to delete.
const OVERDUE: &str = "SELECT id FROM accounts WHERE waiting_since <= $1 AND disabled AND last_seen_at IS NULL
    ORDER BY waiting_since LIMIT $2";
const SQUATTER: &str = "SELECT id FROM accounts WHERE email_key = $1 AND NOT email_confirmed AND disabled
    AND waiting_since IS NOT NULL AND last_seen_at IS NULL";
const UNTOLD: &str = "SELECT value FROM counters WHERE name = 'waiting-untold'";
const ADMINISTRATORS: &str =
    "SELECT accounts.id FROM account_groups JOIN accounts ON accounts.id = account_groups.account
    WHERE group_name = $1 AND NOT disabled ORDER BY accounts.id LIMIT $2";
