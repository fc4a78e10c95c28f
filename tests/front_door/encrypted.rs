//! SCENARIOS 29, 32, 35 over TLS: names asked for twice, the cookie of a whole domain, forwarded fields.

use bytes::Bytes;
use http::Method;

use crate::support::{
    client::{Browser, Reply, Wire},
    people::{PASSWORD, cookie_line},
    program::{Program, Setup},
    services,
    upstream::Upstream,
};

const WIRES: [Wire; 2] = [Wire::Tls1, Wire::Tls2];

/// Two sites of one domain behind TLS; the portal is at the first.
async fn two_sites(session: &str) -> (Upstream, Program, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["wiki.example.com", "blog.example.com"]);
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites = ["wiki", "blog"].map(|name| {
        format!("[[site]]\nhost = \"{name}.example.com\"\nupstream = \"{}\"\n[[site.rule]]\npath = \"/public/\"\nallow = \"anyone\"\n", upstream.url())
    }).concat();
    setup.url = "https://wiki.example.com".into();
    setup.session = session.into();
    setup.accounts = String::new();
    setup.mail = "allow_console = true\n".into();
    setup.verify = "allow_console = true\n".into();
    setup.listen = format!("https = \"127.0.0.1:{{tls}}\"\ncertificates = [{{ cert = {cert:?}, key = {key:?} }}]\n");
    let program = setup.start().await;
    program.ready().await;
    (upstream, program, folder)
}

fn at(program: &Program, host: &str, wire: Wire) -> Browser {
    let mut browser = Browser::tls(program, host);
    browser.authority = host.into();
    browser.wire = wire;
    browser
}

async fn ask(browser: &mut Browser, fields: &[(&str, &str)]) -> Reply {
    let mut all = vec![("accept", "*/*")];
    all.extend(fields);
    browser.send(Method::GET, "/public/x", &all, Bytes::new()).await
}

#[tokio::test]
async fn a_connection_made_for_one_name_asks_for_no_other() {
    let (upstream, program, _folder) = two_sites("").await;
    for wire in WIRES {
        let mut browser = at(&program, "wiki.example.com", wire);
        ask(&mut browser, &[]).await.expect(200);
        browser.server_name = Some("WIKI.example.com".into());
        ask(&mut browser, &[]).await.expect(200);
        upstream.forget();
        for name in ["blog.example.com", "other.example.com"] {
            browser.server_name = Some(name.into());
            ask(&mut browser, &[]).await.expect(421);
        }
        assert!(upstream.seen().is_empty(), "{wire:?}");
        // No name: nothing to compare, but the host still has to be one of ours.
        browser.server_name = Some("127.0.0.1".into());
        ask(&mut browser, &[]).await.expect(200);
        browser.authority = "evil.example".into();
        ask(&mut browser, &[]).await.expect(421);
    }
}

#[tokio::test]
async fn http2_authority_and_host_must_agree() {
    let (upstream, program, _folder) = two_sites("").await;
    let mut browser = at(&program, "wiki.example.com", Wire::Tls2);
    upstream.forget();
    for host in ["blog.example.com", "evil.example", "wiki.example.com:8443", ""] {
        ask(&mut browser, &[("host", host)]).await.expect(400);
    }
    assert!(upstream.seen().is_empty());
    ask(&mut browser, &[("host", "WIKI.example.com:443")]).await.expect(200);
    assert_eq!(upstream.last().field("host"), Some("wiki.example.com"));
}

#[tokio::test]
async fn with_a_session_domain_one_sign_in_serves_its_sites() {
    let (upstream, program, _folder) = two_sites("domain = \"example.com\"\n").await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = at(&program, "wiki.example.com", Wire::Tls1);
    let reply = browser.sign_in("ada", PASSWORD).await.expect(303);
    let lines = reply.set_cookies();
    let line = lines.iter().find(|line| line.starts_with("__Secure-vestibule=")).expect("the session cookie");
    let attributes: Vec<String> = line.split(';').skip(1).map(|one| one.trim().to_lowercase()).collect();
    for wanted in ["domain=example.com", "secure", "httponly", "samesite=lax", "path=/"] {
        assert!(attributes.iter().any(|one| one == wanted), "{wanted}: {line}");
    }
    for name in browser.jar.keys() {
        assert!(name.starts_with("__Secure-") || name.starts_with("__Host-") || name == "vestibule-hops", "{name}");
    }
    let mut other = at(&program, "blog.example.com", Wire::Tls2);
    other.jar = browser.jar.clone();
    other.jar.insert("own".into(), "1".into());
    ask(&mut other, &[]).await.expect(200);
    let seen = upstream.last();
    assert_eq!(seen.field("remote-user"), Some("ada"));
    assert_eq!(seen.field("cookie"), Some("own=1"));
    browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    other.get("/").await.expect(303);
}

#[tokio::test]
async fn forwarded_fields_are_rebuilt_over_tls() {
    let (upstream, program, _folder) = two_sites("").await;
    program.add_person("ada", PASSWORD, false);
    for wire in WIRES {
        let mut browser = at(&program, "wiki.example.com", wire).signed_in("ada", PASSWORD).await;
        let mut lies = vec![
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-server", "evil.example"),
            ("x_forwarded_for", "6.6.6.6"),
            ("x-forwarded-port", "1"),
            ("x-real-ip", "6.6.6.6"),
            ("x.real.ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6;host=evil.example;proto=http"),
            ("x-original-url", "/evil"),
            ("proxy", "evil"),
        ];
        if wire == Wire::Tls1 {
            // Naming a field as the connection's own takes none of ours away.
            lies.push(("connection", "X-Forwarded-For, Forwarded, X-Real-IP, X-Forwarded-Proto, Remote-User"));
        }
        ask(&mut browser, &lies).await.expect(200);
        let seen = upstream.last();
        for (name, value) in [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "wiki.example.com"),
            ("x-forwarded-port", "443"),
            ("forwarded", "for=127.0.0.1;proto=https;host=\"wiki.example.com\""),
            ("remote-user", "ada"),
            ("host", "wiki.example.com"),
        ] {
            assert_eq!(seen.field(name), Some(value), "{wire:?}");
        }
        let lied = seen.fields.iter().filter(|(_, value)| value.contains("evil") || value.contains("6.6.6.6"));
        assert_eq!(lied.count(), 0, "{wire:?}: {:?}", seen.fields);
        assert!(!seen.fields.iter().any(|(_, value)| value.contains(&cookie_line(&browser))));
    }
}
