//! SCENARIO 3: `return_to` outside this gateway's sites leads to the start page, whichever way it comes in.

use crate::{
    getting_in::site_with_ada,
    passkeys::{second_step, send, signed, with_passkey},
    second_factor::stage,
    support::{
        client::{Browser, Reply},
        html,
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

const FOREIGN: &[&str] = &[
    "https://evil.example/",
    "http://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%2fevil.example",
    "/%5cevil.example",
    "/%2Fevil.example",
    "/%5Cevil.example",
    "https:evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "http://localhost@evil.example/",
    "http://localhost.evil.example/",
    "http://evillocalhost/",
    "http://localhost:1/",
    "ftp://localhost/",
    "//localhost@evil.example",
    "evil.example",
    "",
    "@evil.example",
    ".evil.example",
    "/\u{0}",
];

fn query(address: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("return_to", address).finish()
}

fn foreign() -> Vec<String> {
    let long = format!("/{}", "x".repeat(9000));
    FOREIGN.iter().map(|address| (*address).to_owned()).chain([long]).collect()
}

#[tokio::test]
async fn foreign_return_addresses_fall_back_to_the_start_page() {
    let (_upstream, program) = site_with_ada().await;
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    for address in foreign() {
        let reply = browser.clone().get(&format!("/.auth/login?{}", query(&address))).await.expect(303);
        assert_eq!(reply.location(), "/", "return_to={address:?}");
    }
}

/// Refused: our own page has nothing like it, so the whole form is. Taken: it leads to the start page.
fn nowhere_else(reply: &Reply, address: &str) {
    if address.contains('\0') && reply.status == 400 {
        return;
    }
    assert_eq!((reply.status.as_u16(), reply.location()), (303, "/"), "return_to={address:?}: {}", reply.words());
}

#[tokio::test]
async fn a_foreign_return_address_in_the_sign_in_form_falls_back_too() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let csrf = html::input_value(&browser.get("/.auth/login").await.text(), "csrf").unwrap();
    for address in foreign() {
        let fields =
            |password| [("identifier", "ada"), ("password", password), ("return_to", &*address), ("csrf", &csrf)];
        let reply = browser.clone().post("/.auth/login", &fields(PASSWORD)).await;
        nowhere_else(&reply, &address);
    }
    // Nor does the form that comes back carry it on.
    for address in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        let fields = [("identifier", "ada"), ("password", OTHER_PASSWORD), ("return_to", address), ("csrf", &csrf)];
        let reply = browser.clone().post("/.auth/login", &fields).await.expect(401);
        assert_eq!(html::input_value(&reply.text(), "return_to").as_deref(), Some("/"), "{address}");
        assert!(!reply.text().contains("evil"), "{}", reply.text());
    }
}

#[tokio::test]
async fn a_foreign_return_address_is_not_carried_through_the_second_step_nor_by_a_passkey() {
    let stage = stage().await;
    let (_, key) = with_passkey(&stage).await;
    for address in foreign() {
        let mut browser = Browser::new(&stage.program);
        let mut fields = signed(&mut browser, &key).await;
        fields.iter_mut().find(|(name, _)| *name == "return_to").unwrap().1.clone_from(&address);
        nowhere_else(&send(&mut browser, &fields).await, &address);
    }
    let mut browser = Browser::new(&stage.program);
    for address in foreign() {
        let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", &*address)];
        let reply = browser.submit("/.auth/login", "/.auth/login", &fields).await;
        if reply.status == 400 {
            nowhere_else(&reply, &address);
            continue;
        }
        assert_eq!(reply.expect(303).location(), "/.auth/login/verify");
        let page = browser.get("/.auth/login/verify").await.expect(200).text();
        assert!(page.contains("href=\"/.auth/login?over=1\""), "starting over leads nowhere else: {page}");
        let mut tab = browser.clone();
        nowhere_else(&second_step(&mut tab, &key).await, &address);
    }
    // One of ours is carried through.
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", "/inside?a=1")];
    browser.submit("/.auth/login", "/.auth/login", &fields).await.expect(303);
    assert_eq!(second_step(&mut browser, &key).await.expect(303).location(), "/inside?a=1");
}
