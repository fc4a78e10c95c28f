//! SCENARIO 39 and the kinds of upstreams: sockets in the file system, TLS with an authority and a certificate of one's own,
//! several that stand in for each other, prefixes that are cut off, and loops.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http::Method;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::{
    protocols::{before, signed_in},
    support::{
        PROMPTLY,
        client::{Browser, Reply},
        eventually, free_ports,
        program::{Setup, refused},
        services,
        streams::{Manner, Streams},
        upstream::Upstream,
    },
    wires::tunnel,
};

async fn ask(browser: &mut Browser, method: Method, target: &str) -> Reply {
    browser.send(method, target, &[("accept", "*/*")], Bytes::new()).await
}

#[tokio::test]
async fn a_socket_in_the_file_system_is_an_upstream() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Streams::on_file(&folder.path().join("app.sock"));
    let (program, mut browser) = before(&upstream.url).await;
    assert_eq!(browser.get("/").await.expect(200).text(), "the site behind");
    assert_eq!(upstream.last().field("host"), Some(&*format!("localhost:{}", program.http.port())));
    let (_, head) = tunnel(&program, &browser, "/ws", &program.origin()).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(program.run(&["check"], "").contains("app.sock answers"));
    drop(upstream);
    std::fs::remove_file(folder.path().join("app.sock")).unwrap();
    ask(&mut browser, Method::GET, "/").await;
}

/// What a server with this certificate speaks, and whom it lets in.
fn server(cert: &Path, key: &Path, alpn: &[&[u8]], clients: Option<&str>) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = match clients {
        None => builder.unwrap().with_no_client_auth(),
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.unwrap().with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_file(cert).unwrap()];
    let mut config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

#[tokio::test]
async fn an_https_upstream_is_verified_and_speaks_what_it_prefers() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["app.internal"]);
    let (our_cert, our_key, ours) = services::certificate(folder.path(), &["vestibule.internal"]);
    for (alpn, web_sockets) in
        [(&[b"h2".as_slice(), b"http/1.1"][..], false), (&[b"h2"], true), (&[b"http/1.1"], false)]
    {
        let tls = Some(server(&cert, &key, alpn, Some(&ours)));
        let upstream = Streams::start(Manner { tls, web_sockets, ..Manner::default() }).await;
        let mut setup = Setup::before(&upstream.url);
        setup.sites += &format!(
            "[site.tls]\nca = {cert:?}\nserver_name = \"app.internal\"\ncert = {our_cert:?}\nkey = {our_key:?}\n"
        );
        let (program, mut browser) = signed_in(setup).await;
        let reply = ask(&mut browser, Method::GET, "/").await.expect(200);
        let version = if alpn[0] == b"h2" { "2.0" } else { "1.1" };
        assert_eq!(reply.field("via"), format!("{version} vestibule"));
        // A stream where the upstream lets WebSockets through streams, else a connection of HTTP/1.1.
        let (_, head) = tunnel(&program, &browser, "/ws", &program.origin()).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{alpn:?}: {head}");
        assert_eq!(upstream.last().method, if web_sockets { "CONNECT" } else { "GET" });
    }
}

#[tokio::test]
async fn an_https_upstream_that_cannot_show_who_it_is_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["localhost"]);
    let upstream = Streams::start(Manner { tls: Some(server(&cert, &key, &[b"h2"], None)), ..Manner::default() }).await;
    for more in [String::new(), format!("[site.tls]\nca = {cert:?}\nserver_name = \"other.internal\"\n")] {
        let mut setup = Setup::before(&upstream.url);
        setup.sites += &more;
        let (program, mut browser) = signed_in(setup).await;
        ask(&mut browser, Method::GET, "/").await.expect(502);
        assert_eq!(program.command(&["check"], "").status.code(), Some(69));
    }
    assert_eq!(upstream.count("/"), 0);
}

#[test]
fn files_for_an_upstreams_tls_are_found_wrong_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["a.internal"]);
    let (other, _, _) = services::certificate(folder.path(), &["b.internal"]);
    std::fs::write(folder.path().join("empty.pem"), "no certificate\n").unwrap();
    let empty = folder.path().join("empty.pem");
    for (tls, key) in [
        ("ca = \"/nowhere/ca.pem\"".to_owned(), "site.0.tls.ca"),
        (format!("ca = {empty:?}"), "site.0.tls.ca"),
        (format!("cert = \"/nowhere/c.pem\"\nkey = {key:?}"), "site.0.tls.cert"),
        (format!("cert = {cert:?}\nkey = \"/nowhere/k.pem\""), "site.0.tls.key"),
        (format!("cert = {other:?}\nkey = {key:?}"), "site.0.tls.key"),
        (format!("cert = {cert:?}"), "site.0.tls.cert"),
    ] {
        let [port] = free_ports();
        let config = format!(
            "data_dir = {:?}\n[listen]\nhttp = \"127.0.0.1:{port}\"\n[operations]\nlisten = \"off\"\n[[site]]\nupstream = \
             \"https://a.internal\"\n[site.tls]\n{tls}\n",
            folder.path().join("data").display().to_string()
        );
        for words in [&["serve"][..], &["check"]] {
            let (code, said) = refused(&config, &[], words);
            assert_eq!(code, Some(64), "{tls}: {said}");
            assert!(said.contains(key), "{tls}: {said}");
        }
    }
}

fn list(urls: &[String]) -> String {
    format!("[[site]]\nhost = \"*\"\nupstream = {urls:?}\n")
}

/// How many of `count` requests each upstream got.
async fn spread(browser: &mut Browser, count: usize, upstreams: &[&Upstream]) -> Vec<usize> {
    upstreams.iter().for_each(|upstream| upstream.forget());
    for _ in 0..count {
        ask(browser, Method::GET, "/").await.expect(200);
    }
    upstreams.iter().map(|upstream| upstream.seen().len()).collect()
}

#[tokio::test]
async fn several_upstreams_share_and_stand_in_for_each_other() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let [nobody] = free_ports();
    let mut setup = Setup::before("demo");
    setup.sites = list(&[one.url(), two.url(), format!("http://127.0.0.1:{nobody}")]);
    let (program, mut browser) = signed_in(setup).await;
    let got = spread(&mut browser, 40, &[&one, &two]).await;
    assert_eq!(got.iter().sum::<usize>(), 40, "nothing was lost to the one that is down: {got:?}");
    assert!(got.iter().all(|count| *count >= 8), "{got:?}");
    // A POST is never sent to nobody, so it may be sent to another.
    for _ in 0..10 {
        browser.send(Method::POST, "/echo", &[("accept", "*/*")], Bytes::from("body")).await.expect(200);
    }
    let checked = program.command(&["check"], "");
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert_eq!(checked.status.code(), Some(69), "{said}");
    assert!(said.contains(&format!("{} answers", one.url())) && said.contains(&nobody.to_string()), "{said}");
}

#[tokio::test]
async fn a_stale_connection_is_replaced_and_a_harmful_repetition_refused() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let mut setup = Setup::before("demo");
    setup.sites = list(&[one.url(), two.url()]);
    let (_program, mut browser) = signed_in(setup).await;
    // `/drop` closes without an answer: GET may go to the other, once; POST may have had an effect.
    ask(&mut browser, Method::GET, "/drop").await.expect(502);
    assert_eq!(one.seen_at("/drop").len() + two.seen_at("/drop").len(), 2);
    ask(&mut browser, Method::POST, "/drop").await.expect(502);
    assert_eq!(one.seen_at("/drop").len() + two.seen_at("/drop").len(), 3);
    // Closed after its answer, maybe before we know: no request is lost on it.
    for _ in 0..10 {
        ask(&mut browser, Method::GET, "/close").await.expect(200);
    }
}

#[tokio::test]
async fn active_checks_leave_out_who_is_not_well_and_take_them_back() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let mut setup = Setup::before("demo");
    setup.sites =
        list(&[one.url(), two.url()]) + "check = { path = \"/health\", every = \"50ms\", timeout = \"5s\" }\n";
    let (program, mut browser) = signed_in(setup).await;
    assert!(!two.seen_at("/health").is_empty());
    two.answer_health_with(503);
    program.printed("the warning", |line| line.contains("is not well").then_some(())).await;
    let health = |upstream: &Upstream| upstream.seen().iter().filter(|seen| seen.target == "/").count();
    for _ in 0..10 {
        ask(&mut browser, Method::GET, "/").await.expect(200);
    }
    assert_eq!((health(&one), health(&two)), (10, 0));
    two.answer_health_with(200);
    eventually("the other to be asked again", PROMPTLY, async || {
        ask(&mut browser, Method::GET, "/").await.expect(200);
        (health(&two) > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_prefix_is_cut_off_and_put_back_into_redirects() {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites += "strip_prefix = \"/wiki/\"\n";
    let (program, mut browser) = signed_in(setup).await;
    let own = upstream.url();
    for (asked, target) in [("/wiki", "/"), ("/wiki/a%2Fb?c=d", "/a%2Fb?c=d"), ("/%77iki/./x/../y", "/y")] {
        ask(&mut browser, Method::GET, asked).await.expect(200);
        assert_eq!(upstream.last().target, target);
    }
    upstream.forget();
    for outside in ["/", "/wikis", "/wiki/../admin"] {
        ask(&mut browser, Method::GET, outside).await.expect(404);
    }
    assert!(upstream.seen().is_empty());
    let origin = program.origin();
    for (said, expected) in [
        ("/login?x".to_owned(), "/wiki/login?x".to_owned()),
        (format!("{own}/login"), format!("{origin}/wiki/login")),
        (format!("{origin}/login"), format!("{origin}/wiki/login")),
        ("https://elsewhere.example/".to_owned(), "https://elsewhere.example/".to_owned()),
    ] {
        let target: String = form_urlencoded::byte_serialize(said.as_bytes()).collect();
        let reply = ask(&mut browser, Method::GET, &format!("/wiki/redirect/{target}")).await.expect(302);
        assert_eq!(reply.location(), expected);
    }
}

#[tokio::test]
async fn every_message_says_who_carried_it() {
    let upstream = Upstream::start().await;
    let (_program, mut browser) = before(&upstream.url()).await;
    let reply =
        browser.send(Method::GET, "/", &[("accept", "*/*"), ("via", "1.0 fred")], Bytes::new()).await.expect(200);
    assert_eq!(reply.field("via"), "1.1 vestibule");
    let seen = upstream.last();
    let via = seen.all("via");
    assert!(via[0] == "1.0 fred" && via[1].starts_with("1.1 vestibule ("), "{via:?}");
}

/// A relay between the program's own port and itself: to the program an upstream like any other.
#[tokio::test]
async fn a_site_that_leads_back_here_is_found_out() {
    let relay = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut setup = Setup::before(&format!("http://{}", relay.local_addr().unwrap()));
    setup.sites += "[[site.rule]]\npath = \"/\"\nallow = \"anyone\"\n";
    let (program, mut browser) = signed_in(setup).await;
    let home = program.http;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = relay.accept().await {
            tokio::spawn(async move {
                let mut back = tokio::net::TcpStream::connect(home).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut socket, &mut back).await;
            });
        }
    });
    ask(&mut browser, Method::GET, "/").await.expect(502);
    program.printed("the reason", |line| line.contains("leads to this Vestibule itself").then_some(())).await;
}
