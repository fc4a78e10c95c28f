//! The second factors of an account as pages show them: numbers always masked.

use crate::{
    config::verify::Channel,
    identity::account::{Account, Factor},
};

/// One factor, masked.
pub(super) struct Line {
    id: String,
    channel: Option<Channel>,
    masked: String,
    since: i64,
}

/// What is on, oldest first.
pub(super) fn lines(account: &Account) -> Vec<Line> {
    let line = |factor: &Factor| Line {
        id: factor.id.clone(),
        channel: factor.kind.channel(),
        masked: account.masked(&factor.kind),
        since: factor.since.0,
    };
    account.factors.iter().map(line).collect()
}

impl Line {
    /// The factor's id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// As the templates want it.
    pub(super) fn borrowed(&self) -> templates::page::FactorLine<'_> {
        templates::page::FactorLine {
            id: &self.id,
            channel: self.channel.map(super::channel::shown),
            masked: &self.masked,
            since: self.since,
        }
    }
}

/// All of them, as the templates want them.
pub(super) fn borrowed(lines: &[Line]) -> Vec<templates::page::FactorLine<'_>> {
    lines.iter().map(Line::borrowed).collect()
}
