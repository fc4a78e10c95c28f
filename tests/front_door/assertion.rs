//! SCENARIO 41: the signed assertion, checked as a site would: by `jwks.json` and nothing else of ours.
//!
//! Verified with jsonwebtoken, which has no part in the making.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};

use crate::support::{
    PROMPTLY,
    client::Browser,
    eventually,
    people::{PASSWORD, cookie_line, site},
    program::{Program, Setup},
    services::{self, Redis},
    upstream::Upstream,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The assertion of a fresh request.
async fn assertion(browser: &mut Browser, upstream: &Upstream) -> String {
    browser.get("/").await.expect(200);
    upstream.last().field("vestibule-assertion").expect("an assertion").to_owned()
}

async fn key_set(program: &Program) -> JwkSet {
    serde_json::from_value(Browser::new(program).api("/.auth/jwks.json").await.expect(200).json()).unwrap()
}

/// What a site would make of it: the claims, or why not. `aged`: whether it may have ended by this machine's clock.
fn checked(token: &str, keys: &JwkSet, origin: &str, aged: bool) -> Result<Value, String> {
    let kid = decode_header(token).unwrap().kid.expect("a kid");
    let key = keys.find(&kid).ok_or("a key that is not published")?;
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_issuer(&[origin]);
    rules.set_audience(&[origin]);
    rules.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    rules.validate_exp = !aged;
    rules.leeway = 0;
    let key = DecodingKey::from_jwk(key).unwrap();
    decode::<Value>(token, &key, &rules).map(|checked| checked.claims).map_err(|error| error.to_string())
}

fn kid(token: &str) -> String {
    decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test]
async fn the_assertion_verifies_against_the_published_keys() {
    let (upstream, program, mut browser) = site(|setup| setup).await;
    program.run(&["user", "groups", "ada", "staff", "board"], "");
    eventually("the groups", PROMPTLY, async || {
        browser.clone().get("/").await.expect(200);
        (upstream.last().field("remote-groups") == Some("board,staff")).then_some(())
    })
    .await;
    let token = assertion(&mut browser, &upstream).await;
    let (keys, origin) = (key_set(&program).await, program.origin());
    let claims = checked(&token, &keys, &origin, false).unwrap();
    let me = browser.api("/.auth/me").await.expect(200).json();
    for (claim, expected) in [
        ("iss", json!(origin)),
        ("aud", json!(origin)),
        ("sub", me["sub"].clone()),
        ("preferred_username", json!("ada")),
        ("name", json!("Test ada")),
        ("email", json!("ada@example.com")),
        ("groups", json!(["board", "staff"])),
        ("amr", json!(["pwd"])),
        ("auth_time", me["auth_time"].clone()),
    ] {
        assert_eq!(claims[claim], expected, "{claim}");
    }
    assert!(!claims["sid"].as_str().unwrap().is_empty());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    let header = decode_header(&token).unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::ES256, Some("JWT")));
    // And the check does check.
    assert!(checked(&token, &keys, "http://elsewhere", false).is_err());
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged: String = signature.chars().rev().collect();
    assert!(checked(&format!("{head}.{forged}"), &keys, &origin, false).is_err());
}

#[tokio::test]
async fn the_assertion_is_reused_and_follows_a_change_at_once() {
    let (upstream, program, mut browser) = site(|setup| setup).await;
    let token = assertion(&mut browser, &upstream).await;
    assert_eq!(assertion(&mut browser, &upstream).await, token);
    let claims = |token: &str, keys: &JwkSet| checked(token, keys, &program.origin(), false).unwrap();
    let keys = key_set(&program).await;
    assert_eq!(claims(&token, &keys)["groups"], json!([]), "an array of none");
    program.run(&["user", "groups", "ada", "staff"], "");
    let seen = eventually("the new group", PROMPTLY, async || {
        browser.clone().get("/").await.expect(200);
        (upstream.last().field("remote-groups") == Some("staff")).then(|| upstream.last())
    })
    .await;
    let changed = seen.field("vestibule-assertion").unwrap();
    assert_eq!(claims(changed, &keys)["groups"], json!(["staff"]), "the same request: never behind the plain field");
}

#[tokio::test]
async fn an_assertion_never_outlives_its_session() {
    let lifetime = |mut setup: Setup| {
        setup.session = "lifetime = \"2m\"\nidle = \"2m\"\n".into();
        setup
    };
    let (upstream, program, mut browser) = site(lifetime).await;
    let token = assertion(&mut browser, &upstream).await;
    let claims = checked(&token, &key_set(&program).await, &program.origin(), false).unwrap();
    let deadline = browser.api("/.auth/me").await.json()["expires_at"].as_i64().unwrap();
    assert!(claims["exp"].as_i64().unwrap() <= deadline, "{claims} after {deadline}");
}

#[tokio::test]
async fn keys_are_for_everybody_and_only_on_the_portals_host() {
    let (_upstream, program, _) = site(|setup| setup).await;
    let reply = Browser::new(&program).api("/.auth/jwks.json").await.expect(200);
    assert_eq!(reply.field("content-type"), "application/jwk-set+json");
    assert_eq!(reply.field("cache-control"), "public, max-age=3600");
    assert!(reply.set_cookies().is_empty());
    for key in reply.json()["keys"].as_array().unwrap() {
        let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"], "nothing private");
    }
    let mut browser = Browser::new(&program);
    browser.send(http::Method::HEAD, "/.auth/jwks.json", &[], Default::default()).await.expect(200);
    browser.post("/.auth/jwks.json", &[]).await.expect(405);
}

#[tokio::test]
async fn a_left_out_assertion_is_never_signed() {
    let off = |mut setup: Setup| {
        setup.extra = "[identity]\nassertion = \"\"\n".into();
        setup
    };
    let (upstream, program, mut browser) = site(off).await;
    let forged = [("vestibule-assertion", "forged")];
    browser.send(http::Method::GET, "/", &forged, Default::default()).await.expect(200);
    assert_eq!(upstream.last().field("vestibule-assertion"), None);
    assert_eq!(upstream.last().field("remote-user"), Some("ada"), "{}", cookie_line(&browser));
    Browser::new(&program).api("/.auth/jwks.json").await.expect(404);
}

#[tokio::test]
async fn an_old_key_verifies_during_the_overlap() {
    let moved = |mut setup: Setup| {
        setup.moved_clock = true;
        setup
    };
    let (upstream, mut program, mut browser) = site(moved).await;
    let old = assertion(&mut browser, &upstream).await;
    let origin = program.origin();
    // A day and a half before the change the next key is made, and signs nothing.
    step(&mut program, DAY * 59 / 2).await;
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    assert_eq!(kid(&assertion(&mut browser, &upstream).await), kid(&old));
    assert_eq!(key_set(&program).await.keys.len(), 2);
    step(&mut program, DAY * 11 / 10).await;
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let new = assertion(&mut browser, &upstream).await;
    let keys = key_set(&program).await;
    assert_ne!(kid(&new), kid(&old));
    checked(&old, &keys, &origin, true).unwrap();
    checked(&new, &keys, &origin, true).unwrap();
    step(&mut program, DAY * 11 / 10).await;
    assert_eq!(checked(&old, &key_set(&program).await, &origin, true).unwrap_err(), "a key that is not published");
}

/// Later: the program looks at its keys when it starts.
async fn step(program: &mut Program, span: Duration) {
    program.clock.as_ref().unwrap().advance(span);
    program.kill();
    program.resume().await;
    program.ready().await;
}

#[tokio::test]
async fn two_nodes_on_one_database_share_their_keys_and_a_new_secret_keeps_them() {
    let redis = Redis::start().await;
    let database = services::postgres_database().await;
    let upstream = Upstream::start().await;
    let node = async |secrets: &str| {
        let mut setup = crate::sessions::with_redis(&redis)(Setup::before(&upstream.url()));
        setup.url = "http://localhost:1234".into();
        setup.accounts += &format!("database = \"{database}\"\n");
        setup.extra = format!("[secrets]\n{secrets}");
        setup.start().await
    };
    const OLD: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
    let current = format!("current = \"{OLD}\"\n");
    // At the same moment, on an empty database.
    let (one, two) = tokio::join!(node(&current), node(&current));
    one.ready().await;
    two.ready().await;
    one.add_person("ada", PASSWORD, false);
    let mut browser = Browser::new(&one);
    browser.authority = "localhost:1234".into();
    browser.sign_in("ada", PASSWORD).await.expect(303);
    let token = assertion(&mut browser, &upstream).await;
    assert_eq!(key_set(&two).await, key_set(&one).await);
    let replaced = format!("current = \"fedcba9876543210fedcba9876543210\"\nprevious = [\"{OLD}\"]\n");
    let three = node(&replaced).await;
    three.ready().await;
    let keys = key_set(&three).await;
    checked(&token, &keys, "http://localhost:1234", false).unwrap();
    browser.address = three.http;
    assert_eq!(kid(&assertion(&mut browser, &upstream).await), kid(&token));
}
