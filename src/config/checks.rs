//! What only several sections together can get wrong, and the defaults that depend on others. DESIGN §6 "Cookie", §7.

use super::{
    Config,
    accounts::{Registration, Wanted},
    identity,
    mail::{SmtpTls, Transport},
    passkey,
    portal::{Reach, is_this_machine},
    problem::Problems,
    session::Session,
    site::{Address, HostPattern, Upstream},
    tree::Node,
    verify::Provider,
};

/// Settles dependent defaults in `config`, collects problems, and writes warnings.
pub(super) fn settle(
    config: &mut Config,
    (wanted, passkey): (&Wanted, passkey::Wanted),
    tree: &Node,
    problems: &Problems,
) {
    let refuse = |key: &str, message: String| problems.add(&tree.place_of(key), key, message);
    portal_url(config, &refuse);
    registration(config, wanted, &refuse);
    consoles(config, &refuse);
    config.accounts.confirm_email = wanted.confirm_email.unwrap_or_else(|| {
        matches!(config.mail.transport, Transport::Smtp(_)) || config.portal.url.reach != Reach::Loopback
    });
    unproven_domains(config, &refuse);
    hosts(config, &refuse);
    upstreams(config, &refuse);
    if let Err(message) = domain(&config.session, &config.portal.url.host) {
        refuse("session.domain", message);
    }
    match passkey::settle(passkey, &config.portal.url) {
        Ok(settled) => config.passkey = settled,
        Err((key, message)) => refuse(key, message),
    }
    set_fields(config, &refuse);
    warn(config);
}

type Refuse<'a> = &'a dyn Fn(&str, String);

fn portal_url(config: &mut Config, refuse: Refuse<'_>) {
    let url = &config.portal.url;
    if url.secure {
        return;
    }
    match url.reach {
        Reach::Loopback => {}
        Reach::Private => config.warnings.push(format!(
            "portal.url is {}: passwords and cookies travel unprotected through your network. Use https as soon as you can",
            url.origin()
        )),
        Reach::Public => refuse(
            "portal.url",
            format!(
                "{} is plain http on a public name: passwords and cookies could be read on the way. Write https://, and set \
                 listen.https with certificates, or put a proxy that speaks TLS in front",
                url.origin()
            ),
        ),
    }
}

fn registration(config: &mut Config, wanted: &Wanted, refuse: Refuse<'_>) {
    let only_demo = config.sites.iter().all(|site| site.upstream == Upstream::Demo);
    config.accounts.registration =
        wanted.registration.unwrap_or(if only_demo { Registration::Open } else { Registration::Closed });
    let open = wanted.registration == Some(Registration::Open);
    if open && !only_demo && config.portal.url.reach != Reach::Loopback && !wanted.domains_given {
        refuse(
            "accounts.registration",
            "\"open\" lets anybody who finds this address make an account and reach what is behind it. Set \
             accounts.registration_domains to the mail domains you mean (or to [\"*\"] if you do mean everyone), or set \
             accounts.registration to \"approve\", \"invite\" or \"closed\""
                .into(),
        );
    }
}

/// An address that nobody has to prove can be of any domain.
fn unproven_domains(config: &Config, refuse: Refuse<'_>) {
    let accounts = &config.accounts;
    let only_demo = config.sites.iter().all(|site| site.upstream == Upstream::Demo);
    let reachable = !only_demo && config.portal.url.reach != Reach::Loopback;
    let open = accounts.registration == Registration::Open;
    if open && reachable && !accounts.registration_domains.is_empty() && !accounts.confirm_email {
        refuse(
            "accounts.confirm_email",
            "with false nobody proves to own the address they type, so accounts.registration_domains keeps nobody out. Set \
             confirm_email = true (and mail.transport to your mail server), or accounts.registration_domains to [\"*\"] if \
             you do mean everyone"
                .into(),
        );
    }
}

fn consoles(config: &Config, refuse: Refuse<'_>) {
    if config.portal.url.reach == Reach::Loopback {
        return;
    }
    let origin = config.portal.url.origin();
    if matches!(config.mail.transport, Transport::Console) && !config.mail.allow_console {
        refuse(
            "mail.transport",
            format!(
                "\"console\" prints mails to the terminal, which is for trying out on this machine only, but portal.url is \
                 {origin}. Set it to \"smtp://…\", or set mail.allow_console = true to try it out there all the same"
            ),
        );
    }
    if matches!(config.verify.provider, Provider::Console) && !config.verify.allow_console {
        refuse(
            "verify.provider",
            format!(
                "without Twilio's settings codes appear in the terminal, which is for trying out on this machine only, but \
                 portal.url is {origin}. Set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_VERIFY_SERVICE_SID, or set \
                 verify.provider = \"off\", or set verify.allow_console = true to try it out there all the same"
            ),
        );
    }
}

fn hosts(config: &Config, refuse: Refuse<'_>) {
    let portal = &config.portal.url;
    // All names of this machine are one host where portal.url is one of them.
    let answers = |pattern: &HostPattern| match pattern {
        HostPattern::Any => portal.host.clone(),
        HostPattern::Exact(host) if is_this_machine(&portal.host) && is_this_machine(host) => portal.host.clone(),
        HostPattern::Exact(host) => host.clone(),
    };
    for (index, site) in config.sites.iter().enumerate() {
        let host = answers(&site.host);
        if let Some(earlier) = config.sites.iter().take(index).position(|site| answers(&site.host) == host) {
            refuse(
                &format!("site.{index}.host"),
                format!("two sites answer for {host}: site.{earlier} does already (`*` is the host of portal.url)"),
            );
        }
    }
}

fn upstreams(config: &Config, refuse: Refuse<'_>) {
    let ours = [config.listen.http, config.listen.https];
    for (index, site) in config.sites.iter().enumerate() {
        let Upstream::Servers { addresses, .. } = &site.upstream else { continue };
        for address in addresses {
            let Address::Tcp { host, port } = address else { continue };
            if *port != 0 && is_this_machine(host) && ours.iter().flatten().any(|ours| ours.port() == *port) {
                refuse(
                    &format!("site.{index}.upstream"),
                    format!(
                        "port {port} of this machine is Vestibule's own: every request would come back here. Name the \
                         application's port"
                    ),
                );
            }
        }
    }
}

fn set_fields(config: &Config, refuse: Refuse<'_>) {
    for (index, site) in config.sites.iter().enumerate() {
        for (name, _) in &site.set_fields {
            let taken = config.identity.names().find(|(_, taken)| identity::folded(taken) == identity::folded(name));
            if let Some((key, _)) = taken {
                refuse(
                    &format!("site.{index}.set_fields"),
                    format!(
                        "`{name}` is identity.{key}: it tells the application who is there and cannot be a fixed value"
                    ),
                );
            }
        }
    }
}

fn domain(session: &Session, host: &str) -> Result<(), String> {
    let Some(domain) = &session.domain else { return Ok(()) };
    if domain.starts_with('[') || domain.parse::<std::net::IpAddr>().is_ok() {
        return Err(format!("`{domain}` is an address: browsers share cookies under a name only"));
    }
    if !domain.contains('.') {
        return Err(format!(
            "`{domain}` is a single label: browsers keep no cookie for it, write a name like \"example.com\""
        ));
    }
    let under = host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if under {
        return Ok(());
    }
    Err(format!(
        "`{domain}` is neither the host of portal.url ({host}) nor a parent of it: browsers would refuse the cookie"
    ))
}

fn warn(config: &mut Config) {
    let mut warnings = Vec::new();
    let url = &config.portal.url;
    if url.secure && config.listen.https.is_none() && config.listen.trusted_proxies.is_empty() {
        warnings.push(format!(
            "portal.url is {}, but listen.https is not set and no proxy is trusted: put the address of the proxy that speaks \
             TLS for you into listen.trusted_proxies, or all visitors count as one",
            url.origin()
        ));
    }
    if config.listen.trusted_proxies.iter().any(|net| net.prefix_len() == 0) {
        warnings.push(
            "listen.trusted_proxies believes every address: anybody can choose the address they seem to come from"
                .into(),
        );
    }
    if config.listen.proxy_protocol.iter().any(|net| net.prefix_len() == 0) {
        warnings.push(
            "listen.proxy_protocol takes every address for a load balancer: who reaches this port can choose the address they \
             seem to come from"
                .into(),
        );
    }
    if !config.listen.certificates.is_empty() && config.listen.https.is_none() {
        warnings.push("listen.certificates is set, but listen.https is not: nothing is served over TLS".into());
    }
    if let Transport::Smtp(smtp) = &config.mail.transport
        && config.mail.from.email.domain() == "localhost"
        && smtp.tls != SmtpTls::Plain
    {
        warnings.push(format!(
            "mail.from is {}: most mail servers refuse it. Write an address of your own domain",
            config.mail.from.email
        ));
    }
    warnings.extend(apart(config));
    let password = &config.password;
    // The weakest of OWASP's equivalent settings is 7 MiB × 5.
    if u64::from(password.memory_kib) * u64::from(password.iterations) < 7_168 * 5 {
        warnings.push("password.argon2 is weaker than OWASP's minimum: memory_kib = 19456, iterations = 2".into());
    }
    config.warnings.extend(warnings);
}

/// Sites whose people would have to sign in at a host whose cookie they do not get.
fn apart(config: &Config) -> Option<String> {
    let portal = &config.portal.url.host;
    let domain = config.session.domain.as_deref();
    let under = |host: &str| {
        domain
            .is_some_and(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    };
    let alone = |host: &&str| *host != portal && !(is_this_machine(host) && is_this_machine(portal)) && !under(host);
    let hosts = config.sites.iter().filter_map(|site| match &site.host {
        HostPattern::Exact(host) => Some(host.as_str()),
        HostPattern::Any => None,
    });
    let hosts: Vec<_> = hosts.filter(alone).collect();
    let (first, _) = hosts.split_first()?;
    Some(format!(
        "people sign in at {portal} (portal.url), and {} will not know them: set session.domain to the parent of both, or \
         make {first} the host of portal.url",
        hosts.join(", ")
    ))
}
