//! What is bounded, and how tightly.

use std::time::Duration;

use super::rule::Steps;

/// What is being tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A password.
    Password,
    /// A code of the second factor. Its own count: a right password does not reset it.
    Code,
    /// A recovery code. Its own count again: wrong codes of the other kind shall not close this way.
    Recovery,
    /// A passkey instead of name and password (subject: the account, if there is one).
    Passkey,
    /// Having a code sent.
    CodeSend,
    /// Registering (subject: the address's key).
    Register,
    /// Asking for a reset link (subject: the address's key).
    Forgot,
    /// Asking for a link that confirms the account's own address (subject: the account's id).
    Confirm,
    /// Asking for a link that changes an account's address (subject: the account's id, and the new address's key).
    Change,
    /// Making an access token (subject: the account's id): each writes, is mailed, and is shown once.
    Token,
    /// Sending a registration that has to be mended: it costs an estimate, and may tell of a name (no subject). Also
    /// bringing an invitation that is none.
    Form,
    /// Having a code sent to a number nobody proved to have yet (subject: the number), whichever account asks. A network
    /// is bound by how many different numbers it asks for.
    Number,
    /// The same by a number's first digits (subject: these), whoever asks: toll fraud buys numbers by the block.
    Prefix,
}

/// The bounds of a purpose; `None` where there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// This subject from this network.
    pub pair: Option<Steps>,
    /// This subject from anywhere.
    pub subject: Option<Steps>,
    /// Anything from this network.
    pub network: Option<Steps>,
    /// Whether pairs of earlier success are spared the two wider bounds.
    pub spares_usual: bool,
    /// Whether the network's bound counts subjects, not tries.
    pub distinct: bool,
}

impl Purpose {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Recovery => "recovery",
            Self::Passkey => "passkey",
            Self::CodeSend => "code-send",
            Self::Register => "register",
            Self::Forgot => "forgot",
            Self::Confirm => "confirm",
            Self::Change => "change",
            Self::Token => "token",
            Self::Form => "form",
            Self::Number => "number",
            Self::Prefix => "prefix",
        }
    }

    pub(super) fn bounds(self) -> Bounds {
        match self {
            Self::Password => PASSWORD,
            Self::Code | Self::Recovery => CODE,
            Self::Passkey => PASSKEY,
            Self::Form => FORM,
            Self::CodeSend => CODE_SEND,
            Self::Token => TOKEN,
            Self::Register | Self::Forgot | Self::Confirm | Self::Change => MAIL,
            Self::Number => NUMBER,
            Self::Prefix => PREFIX,
        }
    }
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn steps(free: u32, waits: &'static [Duration], halve: Duration) -> Option<Steps> {
    Some(Steps { free, waits, halve })
}

const HOUR: Duration = s(3600);
const QUARTER: Duration = s(900);

pub(super) const PASSWORD: Bounds = Bounds {
    pair: steps(5, &[s(1), s(5), s(30), s(300)], QUARTER),
    subject: steps(100, &[s(1), s(5), s(30)], HOUR),
    network: steps(100, &[s(1), s(2), s(5), s(10)], QUARTER),
    spares_usual: true,
    distinct: false,
};
/// Whoever gets here knows the password: the account's own bound is the tight one, wherever the tries come from.
const CODE: Bounds = Bounds {
    pair: None,
    subject: steps(10, &[s(60), s(300), s(900)], HOUR),
    network: steps(100, &[s(1), s(5), s(30)], QUARTER),
    spares_usual: false,
    distinct: false,
};
const CODE_SEND: Bounds = Bounds {
    pair: steps(5, &[s(60), s(300), s(600)], HOUR),
    subject: steps(8, &[s(60), s(300), s(600)], HOUR),
    network: steps(60, &[s(5), s(30), s(60)], QUARTER),
    spares_usual: false,
    distinct: false,
};
/// Every try may send a mail to that address.
const MAIL: Bounds = Bounds {
    pair: steps(5, &[s(60), s(300), s(900)], HOUR),
    subject: steps(10, &[s(60), s(300), s(900)], HOUR),
    network: steps(50, &[s(5), s(30), s(60)], QUARTER),
    spares_usual: false,
    distinct: false,
};
/// Nobody guesses a signature: the work of checking it is bounded, and what is written of it.
const PASSKEY: Bounds = Bounds {
    pair: steps(20, &[s(1), s(5), s(30), s(60)], QUARTER),
    subject: steps(60, &[s(1), s(5), s(30)], HOUR),
    network: steps(100, &[s(1), s(2), s(5), s(10)], QUARTER),
    spares_usual: true,
    distinct: false,
};
/// Twenty at once set a new machine up; somebody's script shall not fill the trail and their mailbox.
const TOKEN: Bounds = Bounds {
    pair: None,
    subject: steps(20, &[s(60), s(300), s(600)], HOUR),
    network: None,
    spares_usual: false,
    distinct: false,
};
/// Mending a form a few times is no abuse; a network may.
const FORM: Bounds = Bounds {
    pair: None,
    subject: None,
    network: steps(100, &[s(1), s(2), s(5), s(10)], QUARTER),
    spares_usual: false,
    distinct: false,
};
/// Somebody else may own that telephone: many accounts together get it to ring no more often than one. Thirty different
/// numbers within an hour are an office that sets itself up; what was proved is taken back.
const NUMBER: Bounds = Bounds {
    pair: steps(u32::MAX, &[], HOUR),
    subject: steps(5, &[s(60), s(300), s(600)], HOUR),
    network: steps(30, &[s(30), s(120), s(300)], HOUR),
    spares_usual: false,
    distinct: true,
};
/// Fifty sends to one block of numbers, none of which led to a proof.
const PREFIX: Bounds = Bounds {
    pair: None,
    subject: steps(50, &[s(10), s(60), s(300)], HOUR),
    network: None,
    spares_usual: false,
    distinct: false,
};
