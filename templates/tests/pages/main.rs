//! What holds of every page: escaping, tokens, the strict policy, autocomplete, size.

mod every;

use std::collections::BTreeMap;

use every::{NOW, Texts, pages};
use templates::{
    Channel, Factor, assets, mail,
    page::{Country, Demo},
};

const HOSTILE: &str = r#"</textarea></title><script>alert(1)</script>"'><img src=x onerror=alert(1)>&amp;"#;

/// 245 countries, with longer names than the real ones have on average.
fn countries() -> Vec<Country<'static>> {
    vec![Country { code: "KE", name: "Kenya Isle", dial: 254, example: "0712 123456" }; 245]
}

#[test]
fn a_country_with_a_code_that_is_none_is_left_out() {
    let odd = [Country { code: "K><script>", name: "Odd", dial: 1, example: "1" }];
    let all: BTreeMap<_, _> = pages(Texts::FRIENDLY, &odd).into_iter().collect();
    assert!(!all["enable"].clone().into_string().contains("Odd"));
}

/// The tags of a page, in order: what stands between `<` and `>`.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag).collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    rest.split_once('"').map(|(value, _)| value)
}

#[test]
fn nothing_that_was_typed_becomes_markup() {
    let hostile = [Country { code: "KE", name: HOSTILE, dial: 1, example: HOSTILE }];
    let plain = [Country { code: "KE", name: "x", dial: 1, example: "x" }];
    let calm: BTreeMap<_, _> = pages(Texts::all("x"), &plain).into_iter().collect();
    for (name, page) in pages(Texts::all(HOSTILE), &hostile) {
        let (page, calm) = (page.into_string(), calm[name].clone().into_string());
        assert_eq!(tags(&page).len(), tags(&calm).len(), "{name} has other tags than with a calm text");
        assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{name}");
        for tag in tags(&page) {
            // An attribute that was broken out of would stand outside its quotes.
            let outside: String = tag.split('"').step_by(2).collect();
            assert!(!outside.contains("onerror"), "{name}: <{tag}>");
        }
    }
}

#[test]
fn the_demo_and_the_mails_escape_what_they_show() {
    let fields = [(HOSTILE, HOSTILE), ("Remote-User", HOSTILE)];
    let demo = Demo { portal: "/.auth", method: HOSTILE, target: HOSTILE, fields: &fields, identity: &["remote-user"] };
    assert!(!demo.render().into_string().contains("<script"));
    for mail in mails(HOSTILE) {
        assert!(!mail.html.contains("<script"), "{}", mail.html);
    }
}

#[test]
fn the_demo_shows_the_identity_and_the_whole_request() {
    let fields = [("host", "localhost:8080"), ("REMOTE-USER", "ada")];
    let demo = |identity| Demo { portal: "/.auth", method: "GET", target: "/a?b=1", fields: &fields, identity };
    let page = demo(&["Remote-User"]).render().into_string();
    for part in
        ["<style>:root{", "<dd>ada</dd>", "GET /a?b=1\nHost: localhost:8080\nREMOTE-USER: ada\n", "/.auth/profile"]
    {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(page.contains("--upstream http://127.0.0.1:3000") && page.contains("built-in demo"));
    assert!(demo(&[]).render().into_string().contains("Nobody is signed in"));
}

#[test]
fn no_page_needs_more_than_the_strict_policy() {
    for (name, page) in pages(Texts::FRIENDLY, &countries()) {
        for tag in tags(&page.into_string()) {
            assert!(attribute(tag, "style").is_none() && !tag.starts_with("style"), "{name}: <{tag}>");
            assert!(!tag.starts_with("script") || attribute(tag, "src").is_some(), "{name}: <{tag}>");
            assert!(!tag.split(' ').any(|part| part.starts_with("on")), "{name}: <{tag}>");
            assert!(!tag.contains("javascript:"), "{name}: <{tag}>");
        }
    }
}

#[test]
fn every_form_posts_with_its_token() {
    let mut forms = 0;
    for (name, page) in pages(Texts::FRIENDLY, &countries()) {
        for form in page.into_string().split("<form").skip(1) {
            let form = form.split_once("</form>").map_or(form, |(form, _)| form);
            assert!(form.starts_with(r#" method="post" action="/.auth/"#), "{name}: {form}");
            assert_eq!(form.matches(r#"<input type="hidden" name="csrf" value="csrf-token"#).count(), 1, "{name}");
            forms += 1;
        }
    }
    assert!(forms > 30, "{forms}");
}

#[test]
fn fields_tell_password_managers_and_keyboards_what_they_are() {
    let expected: &[(&str, &[(&str, &str)])] = &[
        ("sign-in", &[("identifier", "username webauthn"), ("password", "current-password")]),
        (
            "register",
            &[
                ("first_name", "given-name"),
                ("last_name", "family-name"),
                ("username", "username"),
                ("email", "email"),
                ("password", "new-password"),
                ("password_confirm", "new-password"),
            ],
        ),
        ("edit", &[("first_name", "given-name"), ("last_name", "family-name"), ("username", "username")]),
        (
            "password",
            &[
                ("username", "username"),
                ("current_password", "current-password"),
                ("password", "new-password"),
                ("password_confirm", "new-password"),
            ],
        ),
        ("forgotten", &[("email", "email")]),
        ("email", &[("email", "email")]),
        ("delete", &[("username", "username"), ("password", "current-password")]),
        ("reset", &[("password", "new-password"), ("password_confirm", "new-password")]),
        ("verify", &[("code", "one-time-code")]),
        ("enrol-code", &[("code", "one-time-code")]),
        ("enable", &[("country", "country"), ("phone", "tel-national")]),
        ("disable", &[("username", "username"), ("password", "current-password")]),
    ];
    let all: BTreeMap<_, _> = pages(Texts::FRIENDLY, &countries()).into_iter().collect();
    for (name, fields) in expected {
        let page = all[name].clone().into_string();
        for (field, token) in *fields {
            let found = tags(&page).into_iter().find(|tag| attribute(tag, "name") == Some(field));
            assert_eq!(found.and_then(|tag| attribute(tag, "autocomplete")), Some(*token), "{name}: {field}");
        }
    }
    let code = all["verify"].clone().into_string();
    assert!(code.contains(r#"inputmode="numeric""#) && code.contains("autofocus"));
}

#[test]
fn every_field_has_a_label_and_every_id_is_its_own() {
    let mut labelled = 0;
    for (name, page) in pages(Texts::FRIENDLY, &countries()) {
        let page = page.into_string();
        let tags = tags(&page);
        let ids: Vec<_> = tags.iter().filter_map(|tag| attribute(tag, "id")).collect();
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{name}: two elements have the id {id}");
        }
        for tag in &tags {
            for referred in attribute(tag, "aria-describedby").into_iter().flat_map(str::split_whitespace) {
                assert!(ids.contains(&referred), "{name}: {referred} is nowhere");
            }
            if let Some(target) = attribute(tag, "for") {
                assert!(ids.contains(&target), "{name}: the label of {target} labels nothing");
            }
            let typed_into = ["input ", "select ", "textarea "].iter().any(|kind| tag.starts_with(kind));
            // Boxes and buttons to tick stand inside their labels.
            let ticked = matches!(attribute(tag, "type"), Some("checkbox" | "radio"));
            let shown = attribute(tag, "type") != Some("hidden") && attribute(tag, "aria-hidden").is_none();
            if typed_into && shown && !ticked {
                let id = attribute(tag, "id").unwrap_or_default();
                assert!(page.contains(&format!(r#"<label for="{id}">"#)), "{name}: {id} has no label");
                labelled += 1;
            }
            if ticked {
                assert!(page.contains(&format!(r#"<label class="check"><{tag}>"#)), "{name}: <{tag}> has no label");
            }
        }
        assert!(page.matches(" autofocus").count() <= 1, "{name}: two fields want the focus");
        assert_eq!(page.matches("<h1>").count(), 1, "{name}");
        assert!(page.contains(r#"<html lang="en">"#) && page.contains("<main id=\"main\">"), "{name}");
    }
    assert!(labelled > 30, "{labelled}");
}

#[test]
fn passwords_and_codes_are_never_shown_again() {
    for (name, page) in pages(Texts::FRIENDLY, &countries()) {
        for tag in tags(&page.into_string()) {
            if attribute(tag, "type") == Some("password") || attribute(tag, "name") == Some("code") {
                assert_eq!(attribute(tag, "value"), None, "{name}: <{tag}>");
            }
        }
    }
}

#[test]
fn what_was_typed_comes_back_with_the_error_beside_its_field() {
    let all: BTreeMap<_, _> = pages(Texts::FRIENDLY, &countries()).into_iter().collect();
    let page = all["register-errors"].clone().into_string();
    assert!(page.contains("<title>Error: Create account – Vestibule</title>"));
    for (field, typed) in [("first_name", "Ada Lovelace"), ("username", "ada"), ("email", "ada@example.org")] {
        let tag = tags(&page).into_iter().find(|tag| attribute(tag, "name") == Some(field)).unwrap_or_default();
        assert_eq!(attribute(tag, "value"), Some(typed), "{field}");
    }
    let wrong = tags(&page).into_iter().find(|tag| attribute(tag, "name") == Some("username")).unwrap_or_default();
    assert_eq!(attribute(wrong, "aria-invalid"), Some("true"));
    assert_eq!(attribute(wrong, "aria-describedby"), Some("username-hint username-error"));
    assert!(wrong.contains(" autofocus"));
    assert!(page.contains(r##"<a href="#password">"##), "the summary leads to the field");
    assert!(page.contains(r#"role="alert""#));
}

#[test]
fn page_stylesheet_and_script_weigh_at_most_thirty_kilobytes() {
    let shared: usize = assets()[..2].iter().map(|asset| asset.body.len()).sum();
    for (name, page) in pages(Texts::FRIENDLY, &countries()) {
        let bytes = shared + page.into_string().len();
        assert!(bytes <= 30_000, "{name} has {bytes} bytes");
    }
}

#[test]
fn sessions_say_device_network_way_and_times_and_only_others_can_be_signed_out() {
    let all: BTreeMap<_, _> = pages(Texts::FRIENDLY, &[]).into_iter().collect();
    let page = all["sessions"].clone().into_string();
    let rows: Vec<_> = page.split("<dt>").skip(1).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].contains("This device") && !rows[0].contains("<button"), "{}", rows[0]);
    for part in [
        "Ada Lovelace",
        "Network 192.0.2.0/24",
        "signed in with password and code by message",
        "2 May 2026</time>",
        "5 minutes ago</time>",
        r#"name="session" value="c2VjcmV0LXRva2VuLWluLWEtbGluaw""#,
    ] {
        assert!(rows[1].contains(part), "{part} is missing in {}", rows[1]);
    }
    assert!(!rows[1].contains("This device"));
    assert!(rows[2].contains("A browser") && !rows[2].contains("Network") && !rows[2].contains("signed in with"));
    assert!(page.contains(r#"name="all" value="others""#) && !page.contains("Older ones"));
    let alone = all["sessions-alone"].clone().into_string();
    assert!(!alone.contains(r#"action="/.auth/sessions""#) && alone.contains("signed in nowhere else"));
    assert!(all["sessions-many"].clone().into_string().contains(r#"href="/.auth/sessions?from=20">Older ones"#));
    assert!(all["security-on"].clone().into_string().contains(r#"href="/.auth/sessions""#));
}

#[test]
fn activity_says_what_when_where_and_whether_it_was_let_through() {
    let all: BTreeMap<_, _> = pages(Texts::FRIENDLY, &[]).into_iter().collect();
    let page = all["activity"].clone().into_string();
    let rows: Vec<_> = page.split("<dt>").skip(1).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].contains("Ada Lovelace") && !rows[0].contains("Refused") && !rows[0].contains("network"));
    for part in ["no tries left", "Refused", "3 May 2026, 14:32 UTC</time>", "network 2001:db8:1234:5678::/64"] {
        assert!(rows[1].contains(part), "{part} is missing in {}", rows[1]);
    }
    assert!(!page.contains("Older ones") && !page.contains("Newest ones"));
    let many = all["activity-many"].clone().into_string();
    assert!(many.contains(r#"href="/.auth/activity?before=1234567890">Older ones"#));
    assert!(many.contains(r#"href="/.auth/activity">Newest ones"#));
    assert!(all["activity-none"].clone().into_string().contains("Nothing has happened yet."));
    for linked in ["security-on", "sessions", "sessions-alone"] {
        assert!(all[linked].clone().into_string().contains(r#"href="/.auth/activity""#), "{linked}");
    }
}

#[test]
fn assets_are_found_by_their_hashed_name_only() {
    for asset in assets() {
        assert_eq!(templates::asset::find(&asset.file_name()), Some(asset));
        assert_eq!(asset.hash.len(), 16);
        assert_eq!(templates::asset::find(&format!("{}.{}", asset.name, asset.ext)), None);
    }
}

#[test]
fn both_parts_of_a_mail_say_the_same() {
    for mail in mails("Wiki") {
        assert!(!mail.subject.is_empty());
        // The operator's mail is about no account, and the administrators' about nobody's they know.
        let to_operator = mail.subject.starts_with("Failures at ") || mail.subject.contains("for your approval");
        let told = mail.text.contains("If this wasn't you") && mail.html.contains("If this wasn't you");
        assert!(told != to_operator, "{}", mail.subject);
        assert!(mail.text.contains("https://login.example/"), "{}", mail.text);
        // A list at the end has a link of its own.
        let links = if mail.text.contains("\n- ") || mail.text.contains("still work") { 3 } else { 2 };
        assert!(mail.html.matches("href=\"https://login.example/").count() == links, "{}", mail.subject);
        assert!(!mail.html.contains("<img") && !mail.html.contains("url("), "nothing is fetched");
        assert!(mail.text.lines().all(|line| line.chars().count() <= 78), "{}", mail.text);
    }
}

fn mails(site_name: &str) -> Vec<templates::MailBody> {
    let first_name = site_name;
    let link = "https://login.example/.auth/x?token=c2VjcmV0LXRva2VuLWlu";
    let lives = std::time::Duration::from_secs(600);
    vec![
        mail::ConfirmRegistration { site_name, link, lives }.body(),
        mail::AddressTaken {
            site_name,
            first_name,
            claim: mail::Claim::Register,
            login: link,
            forgot: "https://login.example/forgot",
        }
        .body(),
        mail::AddressTaken {
            site_name,
            first_name,
            claim: mail::Claim::Change,
            login: link,
            forgot: "https://login.example/forgot",
        }
        .body(),
        mail::AccountDeleted { site_name, first_name, username: "ada", at: NOW, login: link }.body(),
        mail::Digest {
            site_name,
            site: link,
            failed: &[
                mail::Failed { words: "a mail did not leave and is dropped", times: 3, first: NOW - 60_000, last: NOW },
                mail::Failed { words: "serving a request panicked", times: 1, first: NOW, last: NOW },
            ],
            others: 2,
        }
        .body(),
        mail::Invitation { site_name, link, lives }.body(),
        mail::InvitationMade {
            site_name,
            first_name,
            masked: Some("a•••@example.org"),
            groups: "staff, wiki",
            at: NOW,
            until: NOW,
            invitations: link,
        }
        .body(),
        mail::InvitationMade {
            site_name,
            first_name,
            masked: None,
            groups: "",
            at: NOW,
            until: NOW,
            invitations: link,
        }
        .body(),
        mail::Approved { site_name, first_name, username: "ada", login: link }.body(),
        mail::NotApproved { site_name, first_name, login: link }.body(),
        mail::PeopleWait { site_name, first_name, waiting: 12, people: link }.body(),
        mail::AddressHeld { site_name, login: link }.body(),
        mail::ChangeAddress { site_name, username: "ada", link, lives }.body(),
        mail::AddressChanged { site_name, first_name, masked: "a•••@example.org", at: NOW, undo: link, lives }.body(),
        mail::ResetLink { site_name, first_name, username: "ada", why: mail::Why::Asked, link, lives }.body(),
        mail::ResetLink {
            site_name,
            first_name,
            username: "ada",
            why: mail::Why::Undone { tokens: true, invitations: true },
            link,
            lives,
        }
        .body(),
        mail::PasswordChanged {
            site_name,
            first_name,
            tokens: mail::Tokens::Working(3, "https://login.example/tokens"),
            invitations: false,
            at: NOW,
            forgot: link,
            still_on: &[],
            security: link,
        }
        .body(),
        mail::PasswordChanged {
            site_name,
            first_name,
            tokens: mail::Tokens::Ended(true),
            invitations: true,
            at: NOW,
            forgot: link,
            still_on: &[
                (Factor::Passkey { name: "Yubi <b>" }, NOW),
                (Factor::Code { channel: Channel::Sms, masked: "•••• 42" }, NOW),
            ],
            security: "https://login.example/security",
        }
        .body(),
        mail::TokenMade { site_name, first_name, name: "backup", at: NOW, expires: NOW, tokens: link }.body(),
        mail::TokensEnded { site_name, first_name, any: true, invitations: true, at: NOW, tokens: link, profile: link }
            .body(),
        mail::TokensEnded {
            site_name,
            first_name,
            any: false,
            invitations: true,
            at: NOW,
            tokens: "https://login.example/tokens",
            profile: link,
        }
        .body(),
        mail::FactorOn {
            site_name,
            first_name,
            factor: Factor::Code { channel: Channel::Sms, masked: "•••• 42" },
            at: NOW,
            forgot: link,
        }
        .body(),
        mail::FactorOn { site_name, first_name, factor: Factor::App, at: NOW, forgot: link }.body(),
        mail::FactorOn { site_name, first_name, factor: Factor::Passkey { name: site_name }, at: NOW, forgot: link }
            .body(),
        mail::FactorChanged {
            site_name,
            first_name,
            what: mail::FactorChange::PasskeyRenamed,
            at: NOW,
            security: link,
        }
        .body(),
        mail::FactorChanged { site_name, first_name, what: mail::FactorChange::AskedFirst, at: NOW, security: link }
            .body(),
        mail::PasskeyCopied { site_name, first_name, name: site_name, at: NOW, security: link }.body(),
        mail::RecoveryCodes { site_name, first_name, what: mail::Recovery::Made, at: NOW, forgot: link }.body(),
        mail::RecoveryCodes { site_name, first_name, what: mail::Recovery::Used { left: 1 }, at: NOW, forgot: link }
            .body(),
        mail::NewDevice {
            site_name,
            first_name,
            device: "Firefox on Windows",
            network: "192.0.2.0/24",
            at: NOW,
            sessions: link,
        }
        .body(),
        mail::FactorOff {
            site_name,
            first_name,
            last: false,
            tokens: false,
            invitations: false,
            at: NOW,
            forgot: link,
        }
        .body(),
        mail::FactorOff { site_name, first_name, last: true, tokens: true, invitations: true, at: NOW, forgot: link }
            .body(),
    ]
}
