//! SCENARIOS 43a, 44, 50: starting, refusing to start, first-hour traps, the operations listener, the command line.

use std::time::Duration;

use crate::support::{
    client::Browser,
    eventually,
    people::PASSWORD,
    program::{Setup, refused},
    raw,
    services::Redis,
    upstream::Upstream,
};

async fn operations(program: &crate::support::program::Program, path: &str) -> String {
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    raw::exchange(program.operations, ask.as_bytes(), Duration::from_secs(5)).await.0
}

#[tokio::test]
async fn the_start_says_where_to_go_and_whom_it_trusts() {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.setup_token().await;
    let output = program.output();
    for words in [&program.origin(), "/.auth/setup?token=", "trusted", "trying out"] {
        assert!(output.to_lowercase().contains(&words.to_lowercase()), "{words} is missing:\n{output}");
    }
}

#[tokio::test]
async fn health_and_readiness_live_on_their_own_address() {
    let mut redis = Redis::start().await;
    let mut setup = Setup::demo();
    setup.session = format!("store = \"{}\"\n", redis.url());
    let program = setup.start().await;
    program.ready().await;
    assert!(operations(&program, "/healthz").await.starts_with("HTTP/1.1 200"));
    redis.stop();
    eventually("/readyz to say 503", Duration::from_secs(10), async || {
        operations(&program, "/readyz").await.starts_with("HTTP/1.1 503").then_some(())
    })
    .await;
    assert!(operations(&program, "/healthz").await.starts_with("HTTP/1.1 200"), "alive all the same");
    redis.resume().await;
    program.ready().await;
    let public = Browser::new(&program).api("/healthz").await;
    assert_ne!(public.status, 200, "never on the public listener");
    let healthy = program.command(&["healthcheck"], "");
    assert!(healthy.status.success(), "{}", String::from_utf8_lossy(&healthy.stderr));
}

#[tokio::test]
async fn it_starts_without_its_stores_and_heals_by_itself() {
    let mut redis = Redis::start().await;
    redis.stop();
    let mut setup = Setup::demo();
    setup.session = format!("store = \"{}\"\n", redis.url());
    let program = setup.start().await;
    assert!(operations(&program, "/readyz").await.starts_with("HTTP/1.1 503"));
    redis.resume().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    eventually("a sign-in", Duration::from_secs(10), async || {
        (Browser::new(&program).sign_in("ada", PASSWORD).await.status == 303).then_some(())
    })
    .await;
}

#[tokio::test]
async fn health_check_fails_when_nothing_runs() {
    let (code, text) = refused("[operations]\nlisten = \"127.0.0.1:1\"\n", &[], &["healthcheck"]);
    assert_eq!(code, Some(1), "{text}");
}

#[test]
fn every_problem_of_a_broken_configuration_is_told_with_its_place() {
    let config = "data_dir = 7\n\n[listen]\nhttp = \"nowhere\"\nhtpp = \"127.0.0.1:1\"\n\n[[site]]\nhost = \"*\"\nupstream = \"gopher://x\"\n\n[session]\nidle = \"soon\"\n\n[unknown]\nx = 1\n";
    let (code, text) = refused(config, &[], &["check"]);
    assert_eq!(code, Some(64), "{text}");
    for (key, line) in
        [("data_dir", 1), ("listen.http", 4), ("htpp", 5), ("upstream", 9), ("idle", 12), ("unknown", 14)]
    {
        let place = format!(":{line}:");
        let told = text.lines().any(|told| told.contains(key) && told.contains(&place));
        assert!(told, "{key} at line {line} is not told:\n{text}");
    }
    let (code, serve) = refused(config, &[], &[]);
    assert_eq!(code, Some(64), "serving refuses the same: {serve}");
}

#[test]
fn syntax_errors_show_line_and_column() {
    let (code, text) = refused("[listen\nhttp = 1\n", &[], &["check"]);
    assert_eq!(code, Some(64));
    assert!(text.contains("config.toml:1:") || text.contains("line 1"), "{text}");
}

#[test]
fn secrets_given_twice_are_refused_with_both_places() {
    let config = "[verify]\nauth_token = \"x\"\nauth_token_file = \"/y\"\n";
    let (code, text) = refused(config, &[], &["check"]);
    assert_eq!(code, Some(64));
    assert!(text.contains("auth_token_file") && text.contains(":2:") && text.contains(":3:"), "{text}");
}

#[test]
fn missing_key_files_refuse_to_start() {
    let config =
        "[listen]\nhttps = \"127.0.0.1:0\"\ncertificates = [{ cert = \"/nowhere/a.pem\", key = \"/nowhere/a.key\" }]\n";
    for words in [&["check"][..], &[]] {
        let (code, text) = refused(config, &[], words);
        assert_eq!(code, Some(64), "{text}");
        assert!(text.contains("/nowhere/a.pem") || text.contains("/nowhere/a.key"), "{text}");
    }
}

#[test]
fn a_missing_certificate_authority_refuses_to_start() {
    let config = "[listen]\nhttp = \"127.0.0.1:0\"\n[operations]\nlisten = \"127.0.0.1:0\"\n";
    for words in [&["check"][..], &[]] {
        let (code, text) = refused(config, &[("SSL_CERT_FILE", "/nowhere/authority.pem")], words);
        assert_eq!(code, Some(64), "{words:?}: {text}");
        assert!(text.contains("SSL_CERT_FILE (/nowhere/authority.pem)"), "{words:?}: {text}");
        assert!(!text.contains("http://"), "nobody is invited: {text}");
    }
}

#[test]
fn half_of_twilios_settings_names_the_missing_one() {
    for (given, missing) in [
        (&[("TWILIO_ACCOUNT_SID", "ACx"), ("TWILIO_AUTH_TOKEN", "t")][..], "service"),
        (&[("TWILIO_ACCOUNT_SID", "ACx"), ("TWILIO_VERIFY_SERVICE_ID", "VAx")], "auth_token"),
        (&[("TWILIO_AUTH_TOKEN", "t"), ("TWILIO_VERIFY_SERVICE_SID", "VAx")], "account_sid"),
    ] {
        let (code, text) = refused("", given, &["check"]);
        assert_eq!(code, Some(64), "{text}");
        assert!(text.to_lowercase().contains(missing), "{missing} is not named: {text}");
    }
}

#[test]
fn public_addresses_need_https() {
    let (code, text) = refused("[portal]\nurl = \"http://wiki.example.com\"\n", &[], &["check"]);
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("portal.url") && text.contains("https"), "{text}");
}

#[test]
fn open_registration_before_a_real_site_on_a_public_address_needs_domains() {
    let config = |more: &str| {
        format!(
            "[portal]\nurl = \"https://wiki.example.com\"\n[[site]]\nupstream = \"http://127.0.0.1:1\"\n[accounts]\nregistration = \"open\"\n{more}[mail]\nallow_console = true\n[verify]\nallow_console = true\n"
        )
    };
    let (code, text) = refused(&config(""), &[], &["check"]);
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("registration_domains"), "{text}");
    let (code, text) = refused(&config("registration_domains = [\"*\"]\n"), &[], &["check"]);
    assert_ne!(code, Some(64), "{text}");
}

#[test]
fn console_codes_on_a_public_address_need_to_be_allowed() {
    let (code, text) = refused("[portal]\nurl = \"https://wiki.example.com\"\n", &[], &["check"]);
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("allow_console"), "{text}");
}

#[test]
fn a_configuration_that_is_a_directory_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["check", "--config"])
        .arg(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains("directory"), "{text}");
}

#[tokio::test]
async fn check_tells_what_is_only_unreachable() {
    let upstream = Upstream::start().await;
    let gone = upstream.address;
    drop(upstream);
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "data_dir = {:?}\n[[site]]\nupstream = \"http://{gone}\"\n[session]\nstore = \"redis://127.0.0.1:1\"\n",
        folder.path().join("data").display().to_string()
    );
    let (code, text) = tokio::task::spawn_blocking(move || refused(&config, &[], &["check"])).await.unwrap();
    assert_eq!(code, Some(69), "{text}");
    assert!(text.contains("upstream") && text.contains("session.store"), "{text}");
}

#[tokio::test]
async fn check_of_a_good_configuration_is_content() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let output = program.command(&["check"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_quick_start_flags_stand_above_everything() {
    let upstream = Upstream::start().await;
    let [port, operations] = crate::support::free_ports();
    let folder = tempfile::tempdir().unwrap();
    let child = crate::support::services::tied(env!("CARGO_BIN_EXE_vestibule"))
        .args([
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--url",
            &format!("http://localhost:{port}"),
            "--upstream",
            &upstream.url(),
        ])
        .env("VESTIBULE_OPERATIONS__LISTEN", format!("127.0.0.1:{operations}"))
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _child = crate::support::services::Guarded(child);
    let socket = crate::support::loopback(port);
    eventually("the listener", Duration::from_secs(20), async || tokio::net::TcpStream::connect(socket).await.ok())
        .await;
    let ask = format!("GET /x HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    let (came, _) = raw::exchange(socket, ask.as_bytes(), Duration::from_secs(5)).await;
    assert!(came.starts_with("HTTP/1.1 303"), "{came}");
    assert!(folder.path().join("data").exists(), "the data folder stands where it was started");
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookie_is_told_instead_of_looped() {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    // Signing in without ever sending a cookie back.
    let mut browser = Browser::new(&program);
    let page = browser.get("/.auth/login").await.expect(200);
    let csrf = crate::support::html::input_value(&page.text(), "csrf").unwrap();
    browser.jar.clear();
    let reply = browser.post("/.auth/login", &[("identifier", "ada"), ("password", PASSWORD), ("csrf", &csrf)]).await;
    assert_eq!(reply.status, 403, "{}", reply.words());
    assert!(reply.words().contains("cookie") && reply.words().contains("portal.url"), "{}", reply.words());
}

#[tokio::test]
async fn the_third_redirect_to_sign_in_shows_the_reason() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let mut browser = Browser::new(&program);
    let mut shown = None;
    for _ in 0..4 {
        let reply = browser.get("/").await;
        if reply.status != 303 {
            shown = Some(reply);
            break;
        }
    }
    let reply = shown.expect("a page instead of a loop");
    assert!(
        reply.words().contains("cookie") && reply.words().contains("portal.url"),
        "{} {}",
        reply.status,
        reply.words()
    );
}

/// What the third redirect says, and what a form without our cookie says.
async fn without_cookies(mut browser: Browser) -> [String; 2] {
    let mut shown = browser.get("/").await;
    for _ in 0..3 {
        if shown.status != 303 {
            break;
        }
        shown = browser.get("/").await;
    }
    assert_eq!(shown.status, 401, "{}", shown.location());
    browser.jar.clear();
    let form = browser.post("/.auth/login", &[("identifier", "ada"), ("csrf", "x")]).await;
    [shown.words(), form.words()]
}

#[tokio::test]
async fn a_page_opened_over_http_is_told_of_https() {
    let mut setup = Setup::demo();
    setup.url = "https://localhost:{port}".into();
    let program = setup.start().await;
    program.ready().await;
    let [page, form] = without_cookies(Browser::new(&program)).await;
    let url = format!("https://localhost:{}", program.http.port());
    assert!(
        page.contains(&format!("You opened this page over http, but the site is set up for https: open {url}")),
        "{page}"
    );
    assert!(form.contains(&format!("this page was opened with http, but portal.url is {url}")), "{form}");
}

#[tokio::test]
async fn a_page_opened_under_another_host_is_told_of_the_right_one() {
    let mut setup = Setup::demo();
    setup.sites += "[[site]]\nhost = \"other.test\"\nupstream = \"demo\"\n";
    let program = setup.start().await;
    program.ready().await;
    let mut browser = Browser::new(&program);
    browser.authority = "other.test".into();
    let mut shown = browser.get("/").await;
    for _ in 0..3 {
        if shown.status == 303 {
            shown = browser.get("/").await;
        }
    }
    let said = format!("You opened other.test , but the site is set up as {}", program.origin());
    assert!(shown.words().contains(&said), "{} {}", shown.status, shown.words());
}

#[tokio::test]
async fn forwarded_for_of_an_untrusted_peer_is_warned_of_once() {
    let program = Setup::demo().start().await;
    program.ready().await;
    for _ in 0..3 {
        let mut browser = Browser::new(&program);
        browser.always.push(("x-forwarded-for".into(), "6.6.6.6".into()));
        browser.get("/.auth/login").await.expect(200);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let output = program.output();
    let warnings: Vec<_> =
        output.lines().filter(|line| line.contains("listen.trusted_proxies") && line.contains("127.0.0.1")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn data_that_cannot_be_written_names_the_command_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "data_dir = {:?}\n[listen]\nhttp = \"127.0.0.1:0\"\n[operations]\nlisten = \"127.0.0.1:0\"\n",
        data.display().to_string()
    );
    std::fs::write(&config, text).unwrap();
    // The program itself may stand where only we can read.
    let program = folder.path().join("vestibule");
    std::fs::copy(env!("CARGO_BIN_EXE_vestibule"), &program).unwrap();
    for path in [folder.path(), data.as_path()] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
    }
    let output = std::process::Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--reuid", "65534", "--regid", "65534", "--clear-groups", "timeout", "10"])
        .args([&program, std::path::Path::new("--config"), &config])
        .output()
        .unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(73), "EX_CANTCREAT: {told}");
    assert!(told.contains("data_dir") && told.contains("uid 65534"), "{told}");
    assert!(told.contains(&format!("chown -R 65534:65534 {}", data.display())), "{told}");
}

#[tokio::test]
async fn sigterm_lets_requests_in_flight_finish() {
    let upstream = Upstream::start().await;
    let mut program = Setup::before(&upstream.url()).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let flight = {
        let mut browser = browser.clone();
        tokio::spawn(async move { browser.get("/slow/1500").await })
    };
    eventually("the request upstream", Duration::from_secs(10), async || {
        (!upstream.seen_at("/slow/1500").is_empty()).then_some(())
    })
    .await;
    let code = program.terminate().await;
    assert_eq!(code, Some(0));
    assert_eq!(flight.await.unwrap().expect(200).text(), "slow");
}

#[tokio::test]
async fn people_are_managed_beside_the_running_server() {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, true);
    let shown = program.run(&["user", "show", "ada", "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["username"], "ada");
    assert_eq!(json["groups"], serde_json::json!(["admin"]));
    assert!(!shown.contains("argon2"), "no hash is shown");
    let hash = program.run(&["hash-password"], &format!("{PASSWORD}\n"));
    assert!(hash.trim().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    let unknown = program.command(&["user", "show", "nobody"], "");
    assert!(!unknown.status.success());
}
