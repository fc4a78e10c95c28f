//! `[mail]`: how mails leave.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{portal::is_this_machine, reader::Section};

/// `[mail]`
#[derive(Clone, Debug)]
pub struct Mail {
    /// Where they go.
    pub transport: Transport,
    /// The mailbox they come from.
    pub from: lettre::message::Mailbox,
    /// Console mail may be used although `portal.url` is not loopback.
    pub allow_console: bool,
    /// Whom failures are mailed to; nobody when empty.
    pub operator: Vec<lettre::Address>,
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
            operator: Vec::new(),
        }
    }
}

pub(super) fn read(mut section: Section<'_>) -> Mail {
    let default = Mail::default();
    let transport = section.secret("transport", "transport_file").and_then(|text| {
        // What it holds may be a password: the messages never repeat it.
        transport(text.expose_secret()).map_err(|message| section.refuse("transport", message)).ok()
    });
    let from = section.parse("from", |text| {
        text.parse::<lettre::message::Mailbox>().map_err(|error| {
            format!("`{text}` is no mailbox ({error}): write it like \"Vestibule <no-reply@example.com>\"")
        })
    });
    let operator = if section.is_list("operator") {
        section.list("operator", address)
    } else {
        let addresses = |text: &str| text.split(',').map(address).collect::<Result<Vec<_>, _>>();
        section.parse("operator", addresses)
    };
    let mail = Mail {
        transport: transport.unwrap_or(default.transport),
        from: from.unwrap_or(default.from),
        allow_console: section.truth("allow_console").unwrap_or(false),
        operator: operator.unwrap_or_default(),
    };
    section.finish();
    mail
}

fn address(text: &str) -> Result<lettre::Address, String> {
    let text = text.trim();
    text.parse().map_err(|error| format!("`{text}` is no address ({error}): write it like \"ops@example.com\""))
}

fn transport(text: &str) -> Result<Transport, String> {
    const FORMS: &str = "write \"console\", \"smtp://user:password@mail.example.com:587\" or \"smtps://…:465\"";
    if text.trim() == "console" {
        return Ok(Transport::Console);
    }
    let url = Url::parse(text.trim()).map_err(|error| {
        format!("{FORMS} ({error}; characters like `@`, `/` and `#` in a password are written as %40, %2F and %23)")
    })?;
    let (implicit, default_port) = match url.scheme() {
        "smtp" => (false, 587),
        "smtps" => (true, 465),
        _ => return Err(FORMS.into()),
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("nothing may follow the host and port: {FORMS}"));
    }
    // The scheme is not a special one, so that the host arrives as written.
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(format!("it names no host: {FORMS}"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let credentials = credentials(&url)?;
    let tls = match (implicit, is_this_machine(&host) && credentials.is_none()) {
        (true, _) => SmtpTls::Implicit,
        (false, true) => SmtpTls::Plain,
        (false, false) => SmtpTls::StartTls,
    };
    Ok(Transport::Smtp(Smtp { port: url.port().unwrap_or(default_port), tls, credentials, host }))
}

fn credentials(url: &Url) -> Result<Option<(String, SecretString)>, String> {
    let decode = |text: &str| {
        let bytes = percent_encoding::percent_decode_str(text);
        bytes.decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| "user or password is not UTF-8".to_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => Ok(Some((decode(user)?, SecretString::from(decode(password)?)))),
        _ => Err("it needs both user and password, or neither: smtp://user:password@host".into()),
    }
}
