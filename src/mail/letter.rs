//! A letter as a message: headers and the two bodies. Pure but for the date and the random Message-ID.

use lettre::{
    Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};

use super::Letter;
use crate::world::{Entropy, NoEntropy};

/// Why a letter did not become a message.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritable {
    #[error("the recipient's address holds control characters")]
    Address,
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error("the message could not be put together")]
    Message(#[from] lettre::error::Error),
}

/// Writes the message.
pub(super) fn message(letter: &Letter, from: &Mailbox) -> Result<Message, Unwritable> {
    // An address is parsed before it gets here; this line holds even if some caller made one unchecked.
    if AsRef::<str>::as_ref(&letter.to).chars().any(char::is_control) {
        return Err(Unwritable::Address);
    }
    let mut message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, letter.to.clone()))
        .subject(one_line(&letter.subject))
        .message_id(Some(message_id(from)?))
        .date_now()
        .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))?;
    // RFC 3834: out-of-office robots stay silent.
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".into()));
    Ok(message)
}

/// The subject on one line and of bounded length: no header can be smuggled in behind it.
pub(super) fn one_line(subject: &str) -> String {
    let spaced = subject.chars().map(|c| if is_break(c) { ' ' } else { c });
    spaced.take(LONGEST_SUBJECT).collect::<String>().trim().to_owned()
}

fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Of our own domain, so that replies and bounces can be told to be ours, and no host name leaks.
fn message_id(from: &Mailbox) -> Result<String, NoEntropy> {
    let random = u128::from_be_bytes(Entropy::System.bytes()?);
    Ok(format!("<{random:032x}@{}>", from.email.domain()))
}

const LONGEST_SUBJECT: usize = 200;
