//! How the factors of an account can be asked for.

use crate::{
    config::verify::Channel,
    identity::{
        Method,
        account::{Account, FactorKind},
    },
    verify::Destination,
};

/// The ways a factor can be asked for now, in the order of the configuration.
pub(super) fn offered(account: &Account, kind: &FactorKind, channels: &[Channel]) -> Vec<Channel> {
    let fits = |channel: &Channel| match (channel, kind) {
        // Only to an address somebody vouched for. Never instead of the telephone: a mailbox resets the password already, and
        // would be all it takes.
        (Channel::Email, FactorKind::Email) => account.email_confirmed,
        (Channel::Email, FactorKind::Phone { .. })
        | (_, FactorKind::Email | FactorKind::App { .. } | FactorKind::Passkey { .. } | FactorKind::Push { .. }) => {
            false
        }
        (_, FactorKind::Phone { .. }) => true,
    };
    channels.iter().copied().filter(fits).collect()
}

pub(super) fn number(kind: &FactorKind) -> Option<&str> {
    match kind {
        FactorKind::Phone { number, .. } => Some(number),
        FactorKind::Email | FactorKind::App { .. } | FactorKind::Passkey { .. } | FactorKind::Push { .. } => None,
    }
}

/// Where a code goes by that channel; `None` when it cannot.
pub(super) fn destination(account: &Account, number: Option<&str>, channel: Channel) -> Option<Destination> {
    match channel {
        Channel::Email => account.email_confirmed.then(|| Destination::Email(account.email.clone())),
        Channel::Sms | Channel::Call | Channel::Whatsapp => number.map(|number| Destination::Phone(number.to_owned())),
    }
}

/// Country code and the three or four digits after it: numbers are handed out, and sold, in blocks. `None` for an address.
pub(super) fn prefix(to: &Destination) -> Option<&str> {
    match to {
        Destination::Phone(number) => Some(number.get(..1 + PREFIX).unwrap_or(number)),
        Destination::Email(_) => None,
    }
}

pub(super) fn masked(account: &Account, kind: &FactorKind, channel: Channel) -> String {
    destination(account, number(kind), channel).map_or_else(|| account.masked(kind), |to| to.masked())
}

/// RFC 8176 for the way the code went.
pub(super) fn method(channel: Channel) -> Method {
    match channel {
        Channel::Sms | Channel::Whatsapp => Method::Sms,
        Channel::Call => Method::Tel,
        Channel::Email => Method::Otp,
    }
}

/// Digits, after the plus sign.
const PREFIX: usize = 7;
