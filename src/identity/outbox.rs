//! Guarded changes on their way to the sessions: written in the change's own SQL transaction, drained by servers.

use super::account::{Account, AccountId};

/// The row's number; grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// One change to carry to an account's sessions. Applying it twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub id: RowId,
    /// Whose sessions.
    pub account: AccountId,
    /// The account's generation after the change: sign-ins proved before it start no session any more.
    /// `i64::MAX` once the account is deleted.
    pub generation: i64,
    /// What to do with them.
    pub effect: Effect,
}

/// What a change means for an account's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// End them all (disable, delete, reset).
    End,
    /// End all but this one (`sid`), which is rewritten (password change, factor change in the portal).
    EndOthers(String),
    /// Keep them, with names, e-mail and groups as they are now (boxed: the account as it stands).
    Rewrite(Box<Account>),
}
