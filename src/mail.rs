//! Mails leave here: SMTP by lettre, or the terminal for trying out.
//!
//! A mail server that is down never blocks or fails a page: mails wait in a bounded queue and are retried.

use crate::config;

/// One mail: subject, and the same words as text and as HTML (made by the `templates` crate).
#[derive(Clone, Debug)]
pub struct Letter {
    /// One recipient.
    pub to: lettre::Address,
    /// No line breaks.
    pub subject: String,
    /// `text/plain`
    pub text: String,
    /// `text/html`
    pub html: String,
}

/// The queue is full (the mail server has been down for long): the caller says "try again later".
#[derive(Debug, thiserror::Error)]
#[error("too many mails are waiting to leave")]
pub struct Overfull;

/// Where mails are dropped. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Post {}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Post {
    /// Starts the sender task on the current (service) runtime.
    pub fn start(settings: config::mail::Mail) -> Self {
        todo!()
    }
    /// Puts a mail into the queue; a task sends it and retries while the server is away. Never waits.
    pub fn send(&self, letter: Letter) -> Result<(), Overfull> {
        todo!()
    }
    /// Reaches the mail server once (`vestibule check`).
    pub async fn reach(settings: &config::mail::Mail) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        todo!()
    }
    /// Waits (bounded) until the queue is empty: before the program ends.
    pub async fn flush(&self, within: std::time::Duration) {
        todo!()
    }
}
