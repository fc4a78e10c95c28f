//! Mail bodies: text and HTML alike, one link as a button and as text, no images.

pub mod confirm;
pub mod reset;
pub mod security;

pub use self::{
    confirm::{AddressTaken, ConfirmRegistration},
    reset::ResetLink,
    security::{FactorOff, FactorOn, PasswordChanged},
};

/// A mail ready to send, apart from its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailBody {
    /// No line breaks.
    pub subject: String,
    /// `text/plain; charset=utf-8`
    pub text: String,
    /// `text/html; charset=utf-8`
    pub html: String,
}
