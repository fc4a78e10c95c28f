//! The configuration by tables: every key, every trap, every problem at once.

mod upstreams;

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::{
    accounts::{Database, Registration},
    limits::ByteLimit,
    mail::{SmtpTls, Transport},
    session::Store,
    site::{Allow, HostPattern, PathPattern, Upstream, Wire},
    verify::{Channel, Provider},
    *,
};

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    load_with(text, environment, |_| {})
}

fn load_with(text: &str, environment: &[(&str, &str)], change: impl FnOnce(&mut Sources)) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let mut sources = Sources { file: Some(file.clone()), environment, ..Sources::default() };
    change(&mut sources);
    Config::load(&sources).map_err(|errors| errors.to_string().replace(&*file.to_string_lossy(), "config.toml"))
}

/// Text, environment and what the one problem has to say.
type Trap<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

fn refuses(table: &[Trap<'_>]) {
    for (text, environment, words) in table {
        let errors = load(text, environment).map(|_| ()).expect_err(text);
        assert_eq!(errors.lines().count(), 1, "{text}: one problem, got\n{errors}");
        for word in *words {
            assert!(errors.contains(word), "{text}: `{word}` is missing in\n{errors}");
        }
    }
}

#[test]
fn the_shipped_file_says_nothing_but_the_defaults() {
    let mut shipped = load(include_str!("../../config.toml"), &[]).unwrap();
    // Only where it says so differs.
    shipped.places.clear();
    let empty = load("", &[]).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{empty:?}"));
    assert_eq!(empty.accounts.registration, Registration::Open);
    assert!(!empty.accounts.confirm_email);
    assert!(empty.warnings.is_empty(), "{:?}", empty.warnings);
    assert_eq!(empty.operations.listen, Some(([127, 0, 0, 1], 9090).into()));
}

#[test]
fn the_commented_keys_of_the_shipped_file_are_known_too() {
    // Every `# key = …` line, uncommented on its own, has to be accepted as a key.
    let text = include_str!("../../config.toml");
    for (index, line) in text.lines().enumerate() {
        let Some(rest) = line.strip_prefix("# ") else { continue };
        if !rest.contains(" = ")
            || rest.split(" = ").next().unwrap().contains(|c: char| !(c.is_ascii_lowercase() || c == '_'))
        {
            continue;
        }
        let mut lines: Vec<_> = text.lines().collect();
        lines[index] = rest;
        let in_rule =
            ["path", "methods", "networks", "allow", "groups"].iter().any(|key| rest.starts_with(&format!("{key} =")));
        let header = format!("[[site.rule]]\n{rest}");
        if in_rule {
            lines[index] = &header;
        }
        if let Err(errors) = load(&lines.join("\n"), &[]) {
            assert!(!errors.contains("unknown key") && !errors.contains("expected"), "{rest}:\n{errors}");
        }
    }
}

#[test]
fn every_key_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["wiki.pem", "wiki.key"] {
        std::fs::write(dir.path().join(name), "x").unwrap();
    }
    let text = FULL.replace("DIR", &dir.path().to_string_lossy());
    let config = load(&text, &[]).unwrap();
    assert_eq!(config.data_dir.to_str(), Some("/var/lib/vestibule"));
    assert_eq!(config.listen.https, Some(([0, 0, 0, 0], 443).into()));
    assert_eq!(config.listen.certificates.len(), 1);
    assert_eq!(config.listen.trusted_proxies[1].to_string(), "192.168.1.7/32");
    assert_eq!(config.operations.listen, None);
    assert_eq!(config.portal.url.origin(), "https://auth.example.com");
    assert_eq!((config.portal.path.as_str(), config.portal.name.as_str()), ("/-/door", "Front door"));
    let [wiki, any] = &config.sites[..] else { panic!("two sites") };
    assert_eq!(wiki.host, HostPattern::Exact("wiki.example.com".into()));
    assert_eq!(wiki.upstream, Upstream::one(Wire::Plain, "127.0.0.1", 3000));
    assert_eq!(wiki.host_header, site::HostHeader::Upstream);
    assert_eq!(wiki.set_fields[0].0, "authorization");
    assert!(!format!("{wiki:?}").contains("QWxhZGRpbg"), "set_fields are kept out of logs");
    assert_eq!(wiki.allow_encoded, ["%2F"]);
    assert!(wiki.basic_challenge && wiki.allow_preflight && wiki.shared_cache);
    assert_eq!(wiki.body, Some(ByteLimit::AtMost(10_000_000)));
    assert_eq!(any.body, None);
    let [public, exact, admin] = &wiki.rules[..] else { panic!("three rules") };
    assert_eq!((&public.path, public.allow), (&PathPattern::Prefix("/public/a-b/%C3%BC".into()), Allow::Anyone));
    assert_eq!(public.methods, ["GET", "HEAD"]);
    assert_eq!(public.networks[0].to_string(), "10.0.0.0/8");
    assert_eq!((&exact.path, exact.allow), (&PathPattern::Exact("/exact".into()), Allow::Nobody));
    assert_eq!((&admin.groups[..], admin.allow), (&["staff".to_owned()][..], Allow::TwoFactor));
    let Store::Redis(redis) = &config.session.store else { panic!("{:?}", config.session.store) };
    assert_eq!((redis.to_string().as_str(), redis.database), ("Redis at cache:6379", 1));
    assert_eq!(config.session.idle, Duration::from_secs(1800));
    assert_eq!(config.session.domain.as_deref(), Some("example.com"));
    assert_eq!(config.secrets.current.unwrap().expose_secret(), "0123456789abcdef0123456789abcdef");
    assert_eq!(config.secrets.previous.len(), 1);
    assert_eq!(config.accounts.database, Database::Postgres("postgres://u:p@db/accounts".into()));
    assert_eq!(config.accounts.registration_domains, ["example.com"]);
    assert!(config.accounts.confirm_email, "the default with SMTP");
    assert_eq!(config.identity.user.unwrap(), "x-webauth-user");
    assert_eq!(config.identity.email, None);
    assert_eq!(config.identity.assertion.unwrap(), "x-signed-identity");
    let origins: Vec<_> = config.sites.iter().map(|site| site.origin(&config.portal.url)).collect();
    assert_eq!(origins, ["https://wiki.example.com", "https://auth.example.com"]);
    assert_eq!((config.password.min_length, config.password.memory_kib), (15, 65_536));
    assert_eq!(config.password.breached.unwrap().as_str(), "http://ranges.lan/range");
    let Provider::Twilio(twilio) = config.verify.provider else { panic!("Twilio") };
    assert_eq!((twilio.account_sid.as_str(), twilio.service_sid.as_str()), ("AC1", "VA1"));
    assert_eq!(config.verify.channels, [Channel::Whatsapp, Channel::Sms]);
    assert!(config.verify.push);
    assert_eq!(config.mail.operator.len(), 2);
    let Transport::Smtp(smtp) = config.mail.transport else { panic!("SMTP") };
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.tls), ("mail.example.com", 587, SmtpTls::StartTls));
    let (user, password) = smtp.credentials.unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("a@b", "p/w"));
    assert_eq!((config.limits.head, config.limits.body), (16_384, ByteLimit::AtMost(1 << 30)));
    assert_eq!(config.log.format, log::Format::Json);
}

#[test]
fn every_problem_is_told_at_once_with_line_and_column() {
    let text = "data_dri = \"x\"\n[session]\nidle = \"soon\"\nstore = 5\n[portal]\n  url = \"http://wiki.example.com\"\n\
                [[site]]\nupstream = \"localhost:3000\"\n[[site]]\nhots = \"a\"\n";
    let errors = load(text, &[("VESTIBULE_LOG__FORMAT", "xml"), ("VESTIBULE_NONSENSE", "1")]).map(|_| ()).unwrap_err();
    for expected in [
        "config.toml:1:1: data_dri: unknown key; did you mean `data_dir`?",
        "config.toml:3:8: session.idle: `soon`",
        "config.toml:4:9: session.store: expected a text in quotes",
        "config.toml:6:9: portal.url: http://wiki.example.com is plain http",
        "config.toml:8:12: site.0.upstream: `localhost:3000` has no scheme",
        "config.toml:10:1: site.1.hots: unknown key; did you mean `host`?",
        "VESTIBULE_LOG__FORMAT: log.format: `xml`",
        "VESTIBULE_NONSENSE: nonsense: unknown key",
        "mail.transport: \"console\" prints mails",
        "verify.provider: without Twilio's settings",
    ] {
        assert!(errors.contains(expected), "`{expected}` is missing in\n{errors}");
    }
}

#[test]
fn a_syntax_error_has_its_place_and_hides_no_other_line() {
    let errors = load("[session]\nidle = 1h\nlifetime = \"soon\"\n", &[]).map(|_| ()).unwrap_err();
    assert!(errors.starts_with("config.toml:2:"), "{errors}");
    assert!(errors.contains("config.toml:3:12: session.lifetime"), "{errors}");
    assert!(!errors.contains("session.idle"), "the broken line is told once:\n{errors}");
    let twice = load("[log]\nformat = \"text\"\nformat = \"json\"\n", &[]).map(|_| ()).unwrap_err();
    assert!(twice.starts_with("config.toml:3:1: "), "{twice}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text =
        "[portal]\nurl = \"http://localhost:1\"\n[[site]]\nhost = \"a.example\"\n[[site]]\n[session]\nidle = \"1h\"\n";
    let environment = [
        ("VESTIBULE_URL", "http://localhost:2"),
        ("VESTIBULE_SITE__1__HOST", "b.example"),
        ("VESTIBULE_SITE__2__HOST", "c.example"),
        ("VESTIBULE_SITE__2__RULE", "[{ path = \"/x\", allow = \"anyone\" }]"),
        ("VESTIBULE_SESSION__IDLE", "2h"),
        ("VESTIBULE_PASSWORD__MIN_LENGTH", "12"),
        ("VESTIBULE_LISTEN__TRUSTED_PROXIES", "10.0.0.0/8, 172.16.0.0/12"),
        ("VESTIBULE_SECRETS__CURRENT", "01234567890123456789012345678901"),
        ("VESTIBULE_MAIL__TRANSPORT", ""),
        ("VESTIBULE_TEST_REDIS", "x"),
    ];
    let config = load_with(text, &environment, |sources| {
        sources.url = Some("http://localhost:3".into());
        sources.upstream = Some("http://127.0.0.1:3000".into());
    })
    .unwrap();
    assert_eq!(config.portal.url.port, 3);
    let hosts: Vec<_> = config.sites.iter().map(|site| format!("{:?}", site.host)).collect();
    assert_eq!(hosts, ["Exact(\"a.example\")", "Exact(\"b.example\")", "Exact(\"c.example\")"]);
    assert_eq!(config.sites[0].upstream.to_string(), "http://127.0.0.1:3000");
    assert_eq!(config.sites[2].rules.len(), 1);
    assert_eq!(config.session.idle, Duration::from_secs(7200));
    assert_eq!((config.password.min_length, config.listen.trusted_proxies.len()), (12, 2));
    assert_eq!(config.secrets.current.unwrap().expose_secret().len(), 32, "digits are text where text is wanted");
}

#[test]
fn the_default_portal_url_follows_the_listening_port() {
    let listen = |sources: &mut Sources| sources.listen = Some("127.0.0.1:9999".into());
    assert_eq!(load_with("", &[], listen).unwrap().portal.url.origin(), "http://localhost:9999");
    let text = "[portal]\nurl = \"http://localhost:8080\"\n";
    assert_eq!(load_with(text, &[], listen).unwrap().portal.url.origin(), "http://localhost:8080");
}

#[test]
fn each_trap_has_its_own_sentence() {
    const QUIET: &str = "allow_console = true\n";
    let public = |rest: &str| format!("{QUIET}{rest}\n[portal]\nurl = \"https://wiki.example.com\"\n");
    let open = public("accounts.registration = \"open\"\nsite = [{ upstream = \"http://10.0.0.1\" }]");
    let unproven = format!(
        "{QUIET}[portal]\nurl = \"https://wiki.example.com\"\n[[site]]\nupstream = \"http://10.0.0.1\"\n[accounts]\n\
         registration = \"open\"\nregistration_domains = [\"example.com\"]\nconfirm_email = false"
    );
    let domain = public("session.domain = \"other.com\"");
    let label = public("session.domain = \"com\"");
    refuses(&[
        (
            "[portal]\nurl = \"http://wiki.example.com\"\n[verify]\nprovider=\"off\"\n[mail]\nallow_console=true",
            &[],
            &["portal.url", "plain http", "config.toml:2:7"],
        ),
        (&open, &[], &["accounts.registration", "registration_domains", "[\"*\"]", "config.toml:2:25"]),
        (
            "[portal]\nurl = \"https://wiki.example.com\"\n[verify]\nprovider = \"off\"",
            &[],
            &["mail.transport", "mail.allow_console"],
        ),
        (
            "[portal]\nurl = \"https://wiki.example.com\"\n[mail]\nallow_console = true",
            &[],
            &["verify.provider", "TWILIO_ACCOUNT_SID"],
        ),
        (&unproven, &[], &["accounts.confirm_email", "accounts.registration_domains", "config.toml:9:17"]),
        (&domain, &[], &["session.domain", "neither the host of portal.url"]),
        (&label, &[], &["session.domain", "single label"]),
        (
            "",
            &[("TWILIO_ACCOUNT_SID", "AC1"), ("TWILIO_AUTH_TOKEN", "t")],
            &["verify.service_sid", "is missing", "TWILIO_VERIFY_SERVICE_SID"],
        ),
        (
            "[verify]\nservice_sid = \"VA1\"\naccount_sid = \"AC1\"",
            &[],
            &["verify.auth_token", "is missing", "config.toml:1:1"],
        ),
        (
            "",
            &[
                ("TWILIO_VERIFY_SERVICE_ID", "VA1"),
                ("TWILIO_VERIFY_SERVICE_SID", "VA2"),
                ("TWILIO_ACCOUNT_SID", "AC1"),
                ("TWILIO_AUTH_TOKEN", "t"),
            ],
            &["given twice", "TWILIO_VERIFY_SERVICE_ID"],
        ),
        (
            "[session]\nstore = \"embedded\"\nstore_file = \"x\"",
            &[],
            &["config.toml:2:9: session.store: given twice", "config.toml:3:14"],
        ),
        (
            "",
            &[("VESTIBULE_URL", "http://localhost:1"), ("VESTIBULE_PORTAL__URL", "http://localhost:2")],
            &["given twice", "VESTIBULE_URL", "VESTIBULE_PORTAL__URL"],
        ),
        ("[listen]\nhttps = \"0.0.0.0:443\"", &[], &["config.toml:2:9: listen.https", "certificate"]),
    ]);
}

#[test]
fn a_secret_under_two_names_of_the_environment_names_both() {
    const REST: &str = "[verify]\naccount_sid = \"AC1\"\nservice_sid = \"VA1\"";
    let both = |other| ["given twice", "TWILIO_AUTH_TOKEN", other];
    let (inline, file) = ("VESTIBULE_VERIFY__AUTH_TOKEN", "VESTIBULE_VERIFY__AUTH_TOKEN_FILE");
    refuses(&[
        (REST, &[("TWILIO_AUTH_TOKEN", "one"), (inline, "other")], &both(inline)),
        (REST, &[("TWILIO_AUTH_TOKEN", "one"), (file, "/x")], &both(file)),
    ]);
}

#[test]
fn each_trap_of_sites_and_values_has_its_own_sentence() {
    refuses(&[
        (
            "[[site]]\nhost = \"a.example\"\n[[site]]\nhost = \"A.example.\"",
            &[],
            &["config.toml:4:8: site.1.host", "two sites"],
        ),
        ("[[site]]\n[[site]]\nhost = \"127.0.0.1\"", &[], &["site.1.host", "two sites answer for localhost"]),
        ("[identity]\nuser = \"Remote_Id\"", &[], &["config.toml:2:8: identity.user", "one name"]),
        ("[identity]\nuser = \"X-Forwarded-For\"", &[], &["identity.user", "meaning of its own"]),
        ("[[site]]\nset_fields = { Remote-User = \"x\" }", &[], &["site.0.set_fields", "identity.user"]),
        ("[[site]]\nset_fields = { Host = \"x\" }", &[], &["site.0.set_fields.Host", "gateway"]),
        ("[[site]]\nupstream = \"http://localhost:8080\"", &[], &["site.0.upstream", "Vestibule's own"]),
        ("[[site]]\nupstream = \"http://a/wiki\"", &[], &["site.0.upstream", "holds a path"]),
        ("[session]\nstore = \"redis+sentinel://a\"", &[], &["session.store", "which primary"]),
        ("[accounts]\nregistration = \"invited\"", &[], &["accounts.registration", "\"approve\"", "\"invite\""]),
        ("[secrets]\ncurrent = \"short\"", &[], &["secrets.current", "32 characters"]),
        ("[mail]\noperator = [\"ops\"]", &[], &["mail.operator", "`ops` is no address"]),
        ("[mail]\noperator = \"a@b.example, c\"", &[], &["mail.operator", "`c` is no address"]),
        ("[mail]\ntransport = \"smtp://user@mail.example.com\"", &[], &["mail.transport", "both user and password"]),
        ("[listen]\nhttp = \":8080\"", &[], &["listen.http", "0.0.0.0:8080"]),
        ("[limits]\nhead_timeout = 10", &[], &["limits.head_timeout", "text in quotes", "\"10s\""]),
        ("[[site]]\n[[site.rule]]\npath = \"/a/../b\"", &[], &["site.0.rule.0.path", "plain path"]),
        ("[[site]]\n[[site.rule]]\npath = \"public\"", &[], &["site.0.rule.0.path", "begin with `/`"]),
        ("[[site]]\n[[site.rule]]\nallow = \"anyone\"\ngroups = [\"staff\"]", &[], &["site.0.rule.0.groups"]),
        ("[verify]\npush = true", &[], &["verify.push", "needs Twilio"]),
        ("[verify]\nprovider = \"off\"\npush = true", &[], &["verify.push", "needs Twilio"]),
        ("[verify]\nbase_url = \"http://example.com\"", &[], &["verify.base_url", "https"]),
        ("", &[("VESTIBULE_SITE__3__HOST", "a")], &["VESTIBULE_SITE__3__HOST", "counted from 0"]),
        ("", &[("VESTIBULE_SESSION", "redis://a")], &["VESTIBULE_SESSION__KEY"]),
    ]);
}

#[test]
fn missing_certificate_and_key_files_refuse_to_start() {
    let text = "[listen]\nhttps = \"0.0.0.0:443\"\ncertificates = [{ cert = \"/nowhere.pem\", key = \"/\" }, { cert = \"/x\" }]\n";
    let errors = load(text, &[]).map(|_| ()).unwrap_err();
    for expected in [
        "config.toml:3:26: listen.certificates.0.cert: /nowhere.pem cannot be read",
        "listen.certificates.0.key: / cannot be read: is a directory",
        "listen.certificates.1.key: is missing",
    ] {
        assert!(errors.contains(expected), "`{expected}` is missing in\n{errors}");
    }
}

#[test]
fn a_secret_is_never_repeated_in_a_message() {
    for text in [
        "[mail]\ntransport = \"smtp://u:hunter2@\"",
        "[mail]\ntransport = \"smtp://u:hunter2@h/x\"",
        "[session]\nstore = \"rediss:/u:hunter2@h\"",
        "[accounts]\ndatabase = \"mysql://u:hunter2@h\"",
        "[accounts]\ndatabase = \"postgres://u:hunter2#@h:x\"",
        "[secrets]\ncurrent = \"hunter2\"",
        "[secrets]\nprevious = [\"hunter2\"]",
    ] {
        let errors = load(text, &[]).map(|_| ()).expect_err(text);
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}

#[test]
fn a_secret_in_a_file_loses_its_last_newline_and_a_higher_layer_wins() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "from the file\n").unwrap();
    let file = file.to_string_lossy().into_owned();
    let text = "[verify]\naccount_sid = \"AC1\"\nauth_token = \"inline\"\nservice_sid = \"VA1\"\n";
    let token = |environment: &[(&str, &str)]| match load(text, environment).unwrap().verify.provider {
        Provider::Twilio(twilio) => twilio.auth_token.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(token(&[]), "inline");
    assert_eq!(token(&[("VESTIBULE_VERIFY__AUTH_TOKEN_FILE", &file)]), "from the file");
    assert_eq!(token(&[("TWILIO_AUTH_TOKEN", "customary")]), "customary");
    assert_eq!(token(&[("TWILIO_AUTH_TOKEN", "own"), ("VESTIBULE_VERIFY__AUTH_TOKEN", "own")]), "own");
}

#[test]
fn a_directory_in_place_of_the_file_says_where_it_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let load = |file: std::path::PathBuf| {
        Config::load(&Sources { file: Some(file), ..Sources::default() }).map(|_| ()).unwrap_err().to_string()
    };
    assert!(load(dir.path().to_owned()).contains("Docker makes one"));
    assert!(load(dir.path().join("absent.toml")).contains("there is no such file"));
}

#[test]
fn a_range_service_is_https_or_near() {
    for url in ["https://ranges.example/range/", "http://127.0.0.1:8080", "http://ranges:8080/range", "off"] {
        load(&format!("password.breached = \"{url}\""), &[]).expect(url);
    }
    for url in
        ["http://ranges.example/range/", "ranges", "https://u:p@ranges.example/", "https://ranges.example/?range="]
    {
        let refused = load(&format!("password.breached = \"{url}\""), &[]).unwrap_err().to_string();
        assert!(refused.contains("password.breached"), "{url}: {refused}");
    }
}

#[test]
fn a_private_name_over_http_is_a_warning() {
    for url in ["http://wiki.lan", "http://192.168.1.5:8080", "http://wiki"] {
        let text = format!("allow_console = true\n[portal]\nurl = \"{url}\"\n");
        let config = load(&text, &[]).expect(url);
        assert!(config.warnings.iter().any(|warning| warning.starts_with("portal.url is")), "{url}");
    }
}

#[test]
fn registration_and_confirmation_settle_by_what_stands_around_them() {
    let smtp = "mail.transport = \"smtp://localhost:2525\"\n";
    let real = "site = [{ upstream = \"http://10.0.0.1\" }]\n";
    let auto = load(real, &[]).unwrap();
    assert_eq!(auto.accounts.registration, Registration::Closed);
    let open = load(&format!("{real}accounts.registration = \"open\""), &[]).unwrap();
    assert_eq!(open.accounts.registration, Registration::Open, "on loopback nobody else can reach it");
    let smtp = load(smtp, &[]).unwrap();
    assert!(smtp.accounts.confirm_email);
    let Transport::Smtp(smtp) = smtp.mail.transport else { panic!("SMTP") };
    assert_eq!(smtp.tls, SmtpTls::Plain);
    let guarded = load("mail.transport = \"smtp://u:p@localhost:2525\"\n", &[]).unwrap();
    let Transport::Smtp(guarded) = guarded.mail.transport else { panic!("SMTP") };
    assert_eq!(guarded.tls, SmtpTls::StartTls, "a password never travels in the open, on this machine either");
    // Before a real site that others can reach, an administrator lets people in: no domains have to be named.
    let public = format!(
        "{real}portal.url = \"https://wiki.example.com\"\nmail.allow_console = true\nverify.provider = \"off\"\n"
    );
    for (written, settled) in [("invite", Registration::Invite), ("approve", Registration::Approve)] {
        let config = load(&format!("{public}accounts.registration = \"{written}\""), &[]).unwrap();
        assert_eq!(config.accounts.registration, settled);
        assert!(config.accounts.confirm_email);
    }
    let everyone = "allow_console = true\naccounts = { registration = \"open\", registration_domains = [\"*\"] }\n\
                    portal.url = \"https://wiki.example.com\"\n";
    let everyone = load(&format!("{everyone}{real}"), &[]).unwrap();
    assert_eq!(everyone.accounts.registration_domains, Vec::<String>::new());
}

const FULL: &str = include_str!("tests/full.toml");
