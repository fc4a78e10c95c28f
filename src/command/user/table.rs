//! People as text and as JSON. Telephone numbers are masked, as on every page.

use std::fmt::Write;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    config::verify::Channel,
    identity::account::{Account, FactorKind},
    world::UnixMillis,
};

/// One object; times are RFC 3339 in UTC.
pub(super) fn json(account: &Account) -> Value {
    let factors: Vec<_> = account
        .factors
        .iter()
        .map(|factor| {
            json!({
                "channel": way(&factor.kind),
                "to": account.masked(&factor.kind),
                "since": rfc3339(factor.since),
            })
        })
        .collect();
    json!({
        "sub": &*account.id.0,
        "username": account.username,
        "name": account.name(),
        "first_name": account.first_name,
        "last_name": account.last_name,
        "email": account.email,
        "email_confirmed": account.email_confirmed,
        "groups": account.groups,
        "disabled": account.disabled && account.waiting_since.is_none(),
        "waiting_since": account.waiting_since.map(rfc3339),
        "second_factors": factors,
        "created_at": rfc3339(account.created_at),
        "last_seen_at": account.last_seen_at.map(rfc3339),
    })
}

fn way(kind: &FactorKind) -> &'static str {
    match kind {
        FactorKind::App { .. } => "app",
        FactorKind::Passkey { .. } => "passkey",
        FactorKind::Push { .. } => "push",
        FactorKind::Phone { channel, .. } => channel.name(),
        FactorKind::Email => Channel::Email.name(),
    }
}

/// One line each, in columns.
pub(super) fn list(everyone: &[Account]) -> String {
    let mut rows = vec![["USERNAME", "NAME", "E-MAIL", "GROUPS", "SECOND FACTOR", "LAST SEEN", ""].map(String::from)];
    rows.extend(everyone.iter().map(|account| {
        [
            account.username.clone(),
            printable(&account.name()),
            printable(&account.email),
            or_dash(account.groups.join(",")),
            or_dash(ways(account)),
            account.last_seen_at.map_or("never".into(), day),
            if account.disabled { standing(account).into() } else { String::new() },
        ]
    }));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One person, a line for each fact.
pub(super) fn card(account: &Account) -> String {
    let mut card = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(card, "{name:<16}{value}");
    };
    row("Username", &account.username);
    row("Name", &printable(&account.name()));
    let state = if account.email_confirmed { "confirmed" } else { "not confirmed" };
    row("E-mail", &format!("{} ({state})", printable(&account.email)));
    row("Groups", &or_dash(account.groups.join(", ")));
    row("Second factor", &or_dash(ways(account)));
    row("Member since", &day(account.created_at));
    row("Last seen", &account.last_seen_at.map_or("never".into(), day));
    row("State", standing(account));
    row("Id", &account.id.0);
    card.trim_end().to_owned()
}

fn standing(account: &Account) -> &'static str {
    match (account.waiting_since, account.disabled) {
        (Some(_), _) => "waiting for approval",
        (None, true) => "disabled",
        (None, false) => "active",
    }
}

fn ways(account: &Account) -> String {
    let words = |factor: &crate::identity::account::Factor| match factor.kind.channel() {
        Some(channel) => format!("{} {}", channel.name(), account.masked(&factor.kind)),
        None => way(&factor.kind).to_owned(),
    };
    account.factors.iter().map(words).collect::<Vec<_>>().join(", ")
}

/// Names are typed by strangers: nothing in them may steer the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".into() } else { text }
}

fn moment(at: UnixMillis) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn rfc3339(at: UnixMillis) -> String {
    moment(at).format(&Rfc3339).unwrap_or_default()
}

fn day(at: UnixMillis) -> String {
    let at = moment(at);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}
