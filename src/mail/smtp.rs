//! The mail server, by lettre: implicit TLS, STARTTLS that is never skipped, or plain to this very machine.

use std::{error::Error, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret;

use super::{Kind, Unready};
use crate::{
    config::mail::{Smtp, SmtpTls},
    world::roots,
};

pub(super) type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Why one try failed. Never shows the server's own words: they may quote the recipient.
#[derive(Debug)]
pub(super) enum Failure {
    Server(lettre::transport::smtp::Error),
    TimedOut,
}

/// A transport with the settings' protection, credentials and time limits.
pub(super) fn transport(server: &Smtp) -> Result<Transport, Unready> {
    let mut builder = Transport::builder_dangerous(&server.host)
        .port(server.port)
        .timeout(Some(STEP))
        .tls(tls(server)?)
        .pool_config(PoolConfig::new().max_size(4).idle_timeout(Duration::from_secs(30)));
    if let Some((user, password)) = &server.credentials {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.build())
}

fn tls(server: &Smtp) -> Result<Tls, Unready> {
    if server.tls == SmtpTls::Plain {
        return Ok(Tls::None);
    }
    let mut builder = TlsParameters::builder(server.host.clone()).certificate_store(CertificateStore::WebpkiRoots);
    for certificate in roots::extra()? {
        builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec()).map_err(Unready::Tls)?);
    }
    let parameters = builder.build().map_err(Unready::Tls)?;
    Ok(match server.tls {
        SmtpTls::Implicit => Tls::Wrapper(parameters),
        SmtpTls::StartTls | SmtpTls::Plain => Tls::Required(parameters),
    })
}

/// One try.
pub(super) async fn send(transport: &Transport, message: &Message) -> Result<(), Failure> {
    match tokio::time::timeout(WHOLE, transport.send(message.clone())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure::Server(error)),
        Err(_) => Err(Failure::TimedOut),
    }
}

/// Connects, greets and signs in, and sends nothing.
pub(super) async fn reach(server: &Smtp) -> Result<(), Box<dyn Error + Send + Sync>> {
    let transport = transport(server)?;
    let alive = tokio::time::timeout(WHOLE, transport.test_connection()).await??;
    if alive { Ok(()) } else { Err("the mail server closed the connection after its greeting".into()) }
}

impl Failure {
    /// The server said that this mail will never be taken.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Server(error) if error.is_permanent())
    }

    /// One event per failed try: an error when the mail is dropped (but for a mail about failures), else a warning. Names no address.
    pub(super) fn log(&self, tries: usize, wait: Option<Duration>, kind: Kind) {
        let (reason, status) = match self {
            Self::TimedOut => ("time-out", None),
            Self::Server(error) if error.is_timeout() => ("time-out", None),
            Self::Server(error) if error.is_tls() => ("TLS", None),
            Self::Server(error) => match error.status() {
                Some(code) => ("answer", Some(code.to_string())),
                None => ("connection", None),
            },
        };
        let source = self.cause();
        match wait {
            Some(wait) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(reason, status, source, tries, wait_ms, "a mail did not leave; trying again");
            }
            None if kind == Kind::Report => {
                tracing::warn!(reason, status, source, tries, "a mail about failures did not leave and is dropped");
            }
            None => tracing::error!(reason, status, source, tries, "a mail did not leave and is dropped"),
        }
    }

    /// The cause beneath a failed connection. A server's answer is left out: it may quote the recipient.
    fn cause(&self) -> Option<String> {
        match self {
            Self::Server(error) if error.status().is_none() => error.source().map(ToString::to_string),
            Self::Server(_) | Self::TimedOut => None,
        }
    }
}

const STEP: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(30);
