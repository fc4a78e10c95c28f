//! The second factors of an account as pages show them: numbers always masked.

use templates::{Factor as Shown, page::FactorLine};

use super::channel;
use crate::{
    config::verify::Channel,
    identity::{
        PasskeyLine,
        account::{Account, Factor, FactorKind},
        challenge::{Way, WayKind},
    },
    world::UnixMillis,
};

/// One factor, masked.
pub(super) struct Line {
    id: String,
    kind: FactorKind,
    masked: String,
    since: UnixMillis,
    last_used: Option<UnixMillis>,
}

/// What is on, oldest first. `passkeys` says when those were last used.
pub(super) fn lines(account: &Account, passkeys: &[PasskeyLine]) -> Vec<Line> {
    let line = |factor: &Factor| Line {
        id: factor.id.clone(),
        kind: factor.kind.clone(),
        masked: account.masked(&factor.kind),
        since: factor.since,
        last_used: passkeys.iter().find(|known| known.factor == factor.id).and_then(|known| known.last_used_at),
    };
    account.factors.iter().map(line).collect()
}

impl Line {
    /// The factor's id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// As the templates want it.
    pub(super) fn borrowed(&self) -> FactorLine<'_> {
        FactorLine {
            id: &self.id,
            factor: match &self.kind {
                FactorKind::Phone { channel, .. } => code(*channel, &self.masked),
                FactorKind::Email => code(Channel::Email, &self.masked),
                FactorKind::App { .. } => Shown::App,
                FactorKind::Passkey { name } => Shown::Passkey { name },
                FactorKind::Push { name, .. } => Shown::Push { name },
            },
            since: self.since.0,
            last_used: self.last_used.map(|at| at.0),
        }
    }
}

/// All of them, as the templates want them.
pub(super) fn borrowed(lines: &[Line]) -> Vec<FactorLine<'_>> {
    lines.iter().map(Line::borrowed).collect()
}

/// A way in words.
pub(super) fn of_way(way: &Way) -> Shown<'_> {
    match &way.kind {
        WayKind::Code { channel, masked } => code(*channel, masked),
        WayKind::App => Shown::App,
        WayKind::Passkey => Shown::Passkey { name: "" },
        WayKind::Push { name } => Shown::Push { name },
    }
}

fn code(by: Channel, masked: &str) -> Shown<'_> {
    Shown::Code { channel: channel::shown(by), masked }
}
