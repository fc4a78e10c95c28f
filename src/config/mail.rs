//! `[mail]`: how mails leave.

use secrecy::SecretString;

/// `[mail]`
#[derive(Clone, Debug)]
pub struct Mail {
    /// Where they go.
    pub transport: Transport,
    /// The mailbox they come from.
    pub from: lettre::message::Mailbox,
    /// Console mail may be used although `portal.url` is not loopback.
    pub allow_console: bool,
}

/// `mail.transport`
#[derive(Clone, Debug)]
pub enum Transport {
    /// Printed to the terminal: for trying out.
    Console,
    /// A mail server.
    Smtp(Smtp),
}

/// `smtp://user:password@host:port`
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Name or address.
    pub host: String,
    /// 587 or 465 by default.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// User and password, percent-decoded.
    pub credentials: Option<(String, SecretString)>,
}

/// The scheme of the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// `smtps://`
    Implicit,
    /// `smtp://`: STARTTLS is demanded, never skipped quietly.
    StartTls,
    /// `smtp://` to a loopback address without credentials: a sink on this machine, plain.
    Plain,
}

impl Default for Mail {
    fn default() -> Self {
        let address = lettre::Address::new_dangerous("no-reply", "localhost");
        Self {
            transport: Transport::Console,
            from: lettre::message::Mailbox::new(Some("Vestibule".into()), address),
            allow_console: false,
        }
    }
}
