//! What the pages of factors hand over, to the letter: pictures, keys, files, codes of other lengths; and what an operator
//! sets for them.

use std::time::Duration;

use qrcode::{Color, EcLevel, QrCode};
use url::Url;

use crate::{
    authenticator::App,
    passkeys,
    second_factor::{NUMBER, answer, stage},
    support::{
        client::{Browser, Reply},
        html,
        key::{Key, asked},
        mailbox::Mailbox,
        people::{PASSWORD, site},
        program::{Program, Setup},
        services,
    },
    twilio::{ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID, Twilio},
};

const APP: &str = "/.auth/second-factor/app";
const PHONE: &str = "/.auth/second-factor/phone";
const VERIFY: &str = "/.auth/login/verify";

#[tokio::test]
async fn codes_of_four_eight_and_ten_digits_are_taken() {
    for digits in [4, 8, 10] {
        let stage = stage().await;
        stage.twilio.set_code_length(digits);
        stage.enrolled().await;
        let mut browser = stage.owing().await;
        let page = browser.get(VERIFY).await.expect(200).text();
        let field = html::tags(&page, "input").find(|tag| html::attribute(tag, "name").as_deref() == Some("code"));
        for bound in ["maxlength", "minlength", "pattern"] {
            assert_eq!(html::attribute(field.unwrap(), bound), None, "a browser would hold {digits} digits back");
        }
        let wrong = stage.twilio.wrong_code_for(NUMBER);
        assert_eq!(wrong.len(), digits);
        answer(&mut browser, &wrong).await.expect(401);
        let code = stage.twilio.code_for(NUMBER).unwrap();
        answer(&mut browser, &format!("{} {}", &code[..2], &code[2..])).await.expect(303);
        browser.get("/").await.expect(200);
        assert!(stage.twilio.checks().iter().all(|check| check.field("Code").unwrap().len() == digits));
    }
}

/// The link on the page that a telephone opens by itself.
fn link(page: &Reply) -> String {
    let text = page.text();
    let links = html::tags(&text, "a").filter_map(|tag| html::attribute(tag, "href"));
    links.into_iter().find(|href| href.starts_with("otpauth:")).expect("a link for the app")
}

/// The modules that a picture paints, row by row; `None` where the drawing is not what its view box says.
fn painted(svg: &str) -> Vec<bool> {
    let frame = html::attribute(html::tags(svg, "svg").next().unwrap(), "viewBox").unwrap();
    let frame: Vec<i64> = frame.split(' ').map(|number| number.parse().unwrap()).collect();
    let [-4, -4, width, height] = frame[..] else { panic!("a margin of four modules: {frame:?}") };
    assert_eq!(width, height);
    let side = usize::try_from(width).unwrap() - 8;
    let ground = html::tags(svg, "rect").next().expect("a white ground");
    assert_eq!(html::attribute(ground, "fill").as_deref(), Some("#fff"));
    let path = html::tags(svg, "path").next().unwrap();
    assert_eq!(html::attribute(path, "fill").as_deref(), Some("#000"));
    let mut modules = vec![false; side * side];
    for run in html::attribute(path, "d").unwrap().split_terminator('z') {
        // M3 0h7v1h-7
        let numbers: Vec<usize> = run
            .split(|c: char| !c.is_ascii_digit())
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().unwrap())
            .collect();
        let [x, y, length, 1, back] = numbers[..] else { panic!("no bar of one row: {run}") };
        assert!(length == back && x + length <= side && y < side, "{run}");
        modules[y * side + x..][..length].fill(true);
    }
    modules
}

#[tokio::test]
async fn picture_link_and_key_of_an_app_say_the_same() {
    let (_upstream, _program, mut ada) = site(|mut setup| {
        setup.url = "http://localhost:{port}\"\nname = \"Wiki: the & one".into();
        setup
    })
    .await;
    let page = ada.get(APP).await.expect(200);
    let link = link(&page);
    let url = Url::parse(&link).unwrap();
    assert_eq!((url.scheme(), url.host_str()), ("otpauth", Some("totp")));
    let query: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    // No colon: it would end the issuer (Key Uri Format).
    let label = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap().into_owned();
    assert_eq!(label, "/Wiki  the & one:ada");
    assert_eq!(query.get("issuer").map(String::as_str), Some("Wiki  the & one"));
    for (name, usual) in [("algorithm", "SHA1"), ("digits", "6"), ("period", "30")] {
        // Left out, each is this.
        assert!(query.get(name).is_none_or(|value| value == usual), "{name}: {query:?}");
    }
    let words = page.words();
    let (_, rest) = words.split_once("Type this key: ").unwrap();
    let groups: Vec<_> = rest.split(' ').take(8).collect();
    assert!(groups.iter().all(|group| group.len() == 4), "{groups:?}");
    assert_eq!(Some(&groups.concat()), query.get("secret"), "the key of the link");
    assert_eq!(groups.concat(), App::told_by(&page).secret);
    let text = page.text();
    let svg = text.split("<svg").find(|part| part.contains("QR code")).expect("a picture");
    let svg = format!("<svg{}", svg.split_once("</svg>").unwrap().0);
    let code = QrCode::with_error_correction_level(&link, EcLevel::M).unwrap();
    let dark: Vec<_> = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
    assert_eq!(painted(&svg), dark, "the picture is the link's");
}

#[tokio::test]
async fn recovery_codes_are_downloaded_as_they_are_shown() {
    let stage = stage().await;
    let mut browser = stage.enrolled().await;
    let recovery = "/.auth/second-factor/recovery-codes";
    let page = browser.submit(recovery, recovery, &[]).await.expect(200).text();
    let shown = page.split_once("<pre>").unwrap().1.split_once("</pre>").unwrap().0;
    let links = html::tags(&page, "a").find(|tag| html::attribute(tag, "download").is_some()).expect("a download");
    assert_eq!(html::attribute(links, "download").as_deref(), Some("recovery-codes.txt"));
    let file = html::attribute(links, "href").unwrap();
    let (kind, file) = file.split_once(',').unwrap();
    assert_eq!(kind, "data:text/plain;charset=utf-8");
    let file = percent_encoding::percent_decode_str(file).decode_utf8().unwrap().into_owned();
    assert_eq!(file, shown);
    assert_eq!(file.lines().count(), 10);
    assert!(file.ends_with('\n') && file.lines().all(|line| line.len() == 19), "{file}");
    // And what stands in the file signs in.
    let mut lost = stage.owing().await;
    let code = file.lines().next_back().unwrap();
    let way = "/.auth/login/verify?way=recovery";
    lost.submit(way, way, &[("code", code)]).await.expect(303);
}

#[tokio::test]
async fn an_app_goes_on_when_the_secret_is_changed_and_the_old_one_kept() {
    let (old, new) = ["first", "second"].map(|name| format!("{name}-secret-of-at-least-32-characters")).into();
    let (_upstream, mut program, mut ada) = site(|mut setup| {
        setup.extra = format!("[secrets]\ncurrent = \"{old}\"\n");
        setup.moved_clock = true;
        setup
    })
    .await;
    let mut app = App::told_by(&ada.get(APP).await.expect(200));
    ada.submit(APP, APP, &[("code", &app.code())]).await.expect(303);
    let config = std::fs::read_to_string(&program.config).unwrap();
    let line = format!("current = \"{old}\"\n");
    let kept = format!("current = \"{new}\"\nprevious = [\"{old}\"]\n");
    program.kill();
    std::fs::write(&program.config, config.replace(&line, &kept)).unwrap();
    program.resume().await;
    program.ready().await;
    let step = Duration::from_secs(60);
    program.clock.as_ref().unwrap().advance(step);
    app.ahead += step;
    let mut browser = Browser::new(&program);
    assert_eq!(browser.sign_in("ada", PASSWORD).await.expect(303).location(), VERIFY);
    answer(&mut browser, &app.code()).await.expect(303);
    browser.get("/").await.expect(200);
}

/// A site on https whose passkeys are those of the domain above it.
async fn under_a_domain(passkey: &str) -> (tempfile::TempDir, Program) {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["login.example.com"]);
    let mut setup = Setup::demo();
    setup.url = "https://login.example.com".into();
    setup.mail = "allow_console = true\n".into();
    setup.verify = "allow_console = true\n".into();
    setup.listen = format!("https = \"127.0.0.1:{{tls}}\"\ncertificates = [{{ cert = {cert:?}, key = {key:?} }}]\n");
    setup.extra = format!("[passkey]\n{passkey}");
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    (folder, program)
}

fn at_the_portal(program: &Program) -> Browser {
    let mut browser = Browser::tls(program, "login.example.com");
    browser.authority = "login.example.com".into();
    browser
}

async fn signs_in(program: &Program, key: &Key) -> Reply {
    let mut browser = at_the_portal(program);
    let page = browser.get("/.auth/login").await.expect(200);
    let field = |name| html::input_value(&page.text(), name).unwrap();
    let (csrf, ceremony, credential) = (field("csrf"), field("ceremony"), key.sign(&asked(&page)));
    let fields = [("csrf", csrf.as_str()), ("ceremony", &ceremony), ("credential", &credential)];
    browser.post("/.auth/login/passkey", &fields).await
}

#[tokio::test]
async fn passkeys_are_the_domains_that_the_operator_names_and_work_at_its_origins() {
    let set = "rp_id = \"example.com\"\norigins = [\"https://www.example.com\"]\n";
    let (_folder, program) = under_a_domain(set).await;
    let mut ada = at_the_portal(&program).signed_in("ada", PASSWORD).await;
    let page = ada.get("/.auth/second-factor/passkey").await.expect(200);
    assert_eq!(asked(&page)["rp"]["id"], "example.com");
    let mut key = Key::new("https://login.example.com");
    passkeys::add(&mut ada, &mut key, "Yubi").await.expect(303);
    for (origin, status) in [
        ("https://login.example.com", 303),
        ("https://www.example.com", 303),
        ("https://other.example.com", 401),
        ("https://example.com", 401),
        ("http://www.example.com", 401),
    ] {
        key.origin = origin.into();
        assert_eq!(signs_in(&program, &key).await.status, status, "{origin}");
    }
    key.origin = "https://login.example.com".into();
    key.party = Some("login.example.com".into());
    assert_eq!(signs_in(&program, &key).await.status, 401, "made for another party");
}

#[tokio::test]
async fn no_code_goes_to_an_address_that_nobody_confirmed() {
    let twilio = Twilio::start().await;
    let mut setup = Setup::demo();
    setup.verify = format!(
        "account_sid = \"{ACCOUNT_SID}\"\nauth_token = \"{AUTH_TOKEN}\"\nservice_sid = \"{SERVICE_SID}\"\nbase_url = \"{}\"\nchannels = [\"email\", \"sms\"]\n",
        twilio.base_url()
    );
    let mut program = setup.start().await;
    program.ready().await;
    // Registered while mails went to the terminal and nobody was asked to confirm; then the operator set a mail server.
    Browser::new(&program).register("eve", PASSWORD).await.expect(303);
    let mailbox = Mailbox::start().await;
    let config = std::fs::read_to_string(&program.config).unwrap();
    let mail = format!("[mail]\ntransport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    std::fs::write(&program.config, [config, mail].concat()).unwrap();
    program.terminate().await;
    program.resume().await;
    program.ready().await;
    let mut eve = Browser::new(&program).signed_in("eve", PASSWORD).await;
    let fields = [("country", "KE"), ("phone", "0712 123456"), ("channel", "email")];
    let reply = eve.submit(PHONE, PHONE, &fields).await.expect(422);
    let said = "Confirm your e-mail address first, or choose another way.";
    assert!(reply.words().contains(said), "{}", reply.words());
    assert!(twilio.sends().is_empty(), "{:?}", twilio.sends());
    // To one that somebody vouched for, it does.
    program.add_person("ada", PASSWORD, false);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    ada.submit(PHONE, PHONE, &fields).await.expect(303);
    assert_eq!(twilio.sends().pop().unwrap().field("To"), Some("ada@example.com"));
}
