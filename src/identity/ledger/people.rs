//! Accounts by pages, and those that fit what is sought.

use super::{AccountRow, Ledger};
use crate::{
    identity::account::Account,
    storage::{StoreError, Tx, on},
};

/// Which accounts a page of them holds.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::identity) struct Sought<'a> {
    /// How username, address, name or family name begin. SQLite folds only ASCII, so as it was typed will do, too.
    pub(in crate::identity) text: &'a str,
    /// Only those that wait for an approval.
    pub(in crate::identity) waiting: bool,
    /// `email_confirmed` shall say what was proved, whatever the operator vouches for.
    pub(in crate::identity) proved: bool,
}

impl Ledger {
    /// Accounts in the order of their usernames, after the one named; of these, those that fit.
    pub(in crate::identity) async fn page(
        &self,
        tx: &mut Tx,
        sought: &Sought<'_>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Account>, StoreError> {
        let beginning = |text: &str| format!("{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"));
        let (folded, typed) = (beginning(&sought.text.to_lowercase()), beginning(sought.text));
        let rows = on!(tx, link => sqlx::query_as::<_, AccountRow>(PAGE)
            .bind(after).bind(limit).bind(&folded).bind(&typed).bind(sought.waiting).fetch_all(link))?;
        let mut accounts = Vec::with_capacity(rows.len());
        for row in rows {
            let proved = row.email_confirmed;
            let account = self.complete(tx, row).await?;
            let email_confirmed = if sought.proved { proved } else { account.email_confirmed };
            accounts.push(Account { email_confirmed, ..account });
        }
        Ok(accounts)
    }
}

const PAGE: &str =
    "SELECT id, username, email, email_confirmed, first_name, last_name, about_me, disabled, waiting_since,
    chose_username, generation, created_at, last_seen_at, asked_first FROM accounts WHERE username > $1
    AND (username LIKE $3 ESCAPE '!' OR email_key LIKE $3 ESCAPE '!' OR LOWER(email) LIKE $3 ESCAPE '!'
        OR LOWER(first_name || ' ' || last_name) LIKE $3 ESCAPE '!' OR LOWER(last_name) LIKE $3 ESCAPE '!'
        OR first_name || ' ' || last_name LIKE $4 ESCAPE '!' OR last_name LIKE $4 ESCAPE '!')
    AND (NOT $5 OR (waiting_since IS NOT NULL AND disabled)) ORDER BY username LIMIT $2";
