//! What a newcomer reads in the terminal: where to open it, what it trusts, where things are kept.
//!
//! Standard output, whatever the log's form: it is meant for the person who started it. A closed terminal is no
//! reason to fail, so nothing here uses `println!`.

use std::{fmt::Write as _, io::Write as _, net::SocketAddr};

use crate::{
    config::{
        Config,
        accounts::{Database, Registration},
        mail::Transport,
        portal::Portal,
        session::Store,
        site::{HostPattern, Upstream},
        verify::Provider,
    },
    listener::Listener,
};

pub(super) fn print(config: &Config, listener: &Listener, operations: Option<SocketAddr>) {
    say(&text(config, listener.addresses(), operations));
}

/// The link that makes the first administrator, once.
pub(super) fn print_setup_link(portal: &Portal, token: &str) {
    say(&format!(
        "\n  There is no administrator yet. Open this link to become one; it works once:\n  {}\n\n",
        setup_link(portal, token)
    ));
}

/// The whole link of a setup token.
#[must_use]
pub fn setup_link(portal: &Portal, token: &str) -> String {
    format!("{}{}/setup?token={token}", portal.url.origin(), portal.path)
}

fn text(
    config: &Config,
    addresses: (Option<SocketAddr>, Option<SocketAddr>),
    operations: Option<SocketAddr>,
) -> String {
    let mut text = format!("\nVestibule {}\n\n", env!("CARGO_PKG_VERSION"));
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<16}{value}");
    };
    row("Open", config.portal.url.origin());
    let (http, https) = addresses;
    let listening = [http.map(|at| format!("http://{at}")), https.map(|at| format!("https://{at}"))];
    row("Listening on", listening.into_iter().flatten().collect::<Vec<_>>().join(", "));
    for site in &config.sites {
        let host = match &site.host {
            HostPattern::Any => config.portal.url.authority(),
            HostPattern::Exact(host) => host.clone(),
        };
        row("In front of", format!("{} ({host})", upstream(&site.upstream)));
    }
    row("Accounts", accounts(config));
    row("Sessions", sessions(config));
    row("Registration", registration(config));
    row("Trusted proxies", trusted(config));
    row("Second factor", second_factor(&config.verify.provider).into());
    row("Mail", mail(&config.mail.transport));
    row("Operations", operations.map_or("off".into(), |at| format!("http://{at}/healthz, /readyz")));
    for warning in &config.warnings {
        let _ = write!(text, "\n  Warning: {warning}.\n");
    }
    text
}

fn upstream(upstream: &Upstream) -> String {
    match upstream {
        Upstream::Demo => "the built-in demo site".into(),
        servers @ Upstream::Servers { .. } => servers.to_string(),
    }
}

fn accounts(config: &Config) -> String {
    match &config.accounts.database {
        Database::Sqlite(file) => config.data_dir.join(file).display().to_string(),
        // The URL may hold a password.
        Database::Postgres(url) => place(url),
    }
}

fn sessions(config: &Config) -> String {
    match &config.session.store {
        Store::Embedded => config.data_dir.join("sessions.db").display().to_string(),
        Store::Redis(redis) => redis.to_string(),
    }
}

fn place(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!(" at {}{port}", url.host_str().filter(|host| !host.is_empty())?))
    });
    format!("PostgreSQL{}", host.unwrap_or_default())
}

fn registration(config: &Config) -> String {
    match (config.accounts.registration, config.accounts.registration_domains.as_slice()) {
        (Registration::Closed, _) => "closed: add people with `vestibule user add`".into(),
        (Registration::Invite, _) => "by invitation: administrators invite people on their People page".into(),
        (Registration::Approve, []) => "open to everyone; an administrator approves".into(),
        (Registration::Approve, domains) => format!("open to {}; an administrator approves", domains.join(", ")),
        (Registration::Open, []) => "open to everyone".into(),
        (Registration::Open, domains) => format!("open to {}", domains.join(", ")),
    }
}

fn trusted(config: &Config) -> String {
    match config.listen.trusted_proxies.as_slice() {
        [] => "none: what clients say in X-Forwarded-* is ignored".into(),
        networks => networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn second_factor(provider: &Provider) -> &'static str {
    match provider {
        Provider::Twilio(_) => "Twilio Verify",
        Provider::Console => "for trying out: printed to this terminal",
        Provider::Off => "off",
    }
}

fn mail(transport: &Transport) -> String {
    match transport {
        Transport::Console => "for trying out: printed to this terminal".into(),
        Transport::Smtp(smtp) => format!("{}:{}", smtp.host, smtp.port),
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn a_newcomer_reads_where_to_open_it_and_what_it_trusts_and_no_password() {
        let environment = [
            ("VESTIBULE_SESSION__STORE", "redis://:hunter2@cache:6379"),
            ("VESTIBULE_ACCOUNTS__DATABASE", "postgres://u:hunter2@db/accounts"),
            ("VESTIBULE_MAIL__TRANSPORT", "smtp://u:hunter2@mail.example.com"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let config = Config::load(&Sources { environment, ..Sources::default() }).unwrap();
        let text = text(&config, (Some(([127, 0, 0, 1], 8080).into()), None), None);
        for expected in
            ["http://localhost:8080", "none", "Redis at cache:6379", "PostgreSQL at db", "mail.example.com:587"]
        {
            assert!(text.contains(expected), "`{expected}` is missing in\n{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}
