//! Pictures of pages that no walk passes: approvals on a telephone, what cannot go, administrators' pages, tokens.

use std::time::Duration;

use crate::{
    approval::PEOPLE,
    authenticator::{self, App},
    invitations::{self, INVITATIONS},
    passkeys,
    second_factor::{NUMBER, stage_with},
    support::{
        chromium::Window,
        client::Browser,
        html,
        key::Key,
        mailbox::Mailbox,
        people::{OTHER_PASSWORD, PASSWORD},
        program::{Program, Setup},
    },
};

/// A window at the sign-in page of that program, the password typed and sent.
async fn signing_in(window: &Window, program: &Program, username: &str, to: &str) {
    window.open_page(&format!("{}/.auth/login?return_to={to}", program.origin())).await;
    window.fill("identifier", username).await;
    window.fill("password", PASSWORD).await;
    window.press("Sign in").await;
}

#[tokio::test]
async fn pages_of_approvals_on_a_telephone_look_right() {
    let stage = stage_with(|setup| setup.verify += "push = true\n").await;
    let window = Window::open(true).await;
    signing_in(&window, &stage.program, "ada", "/.auth/second-factor").await;
    window.sees("Approve on your phone").await;
    window.pictures("security-all-ways").await;
    window.press("Approve on your phone").await;
    window.sees("I added it").await;
    window.pictures("push-add").await;
    window.press("I added it").await;
    window.sees("We can't see your phone yet").await;
    window.pictures("push-not-there").await;
    window.press("Show a new code").await;
    window.sees("paste this code").await;
    let page = window.driver.source().await.unwrap();
    let (_, token) = page.split_once("<code>").unwrap();
    let (token, _) = token.split_once("</code>").unwrap();
    stage.twilio.install(token, "Pixel 9 of a long name, in the kitchen", true);
    window.press("I added it").await;
    window.sees("Your phone is added.").await;
    window.pictures("push-added").await;
    window.open_page(&format!("{}/.auth/logout", stage.program.origin())).await;
    window.press("Sign out").await;
    window.sees("You are signed out.").await;
    signing_in(&window, &stage.program, "ada", "/").await;
    window.sees("I approved it").await;
    window.pictures("verify-push").await;
    window.press("I approved it").await;
    window.sees("Not approved yet.").await;
    window.pictures("verify-push-pending").await;
    stage.twilio.deny(&stage.twilio.challenges().pop().unwrap());
    window.press("I approved it").await;
    window.sees("It was denied on your phone.").await;
    window.pictures("verify-push-denied").await;
    window.close().await;
}

#[tokio::test]
async fn the_second_step_by_an_app_looks_right() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    let mut browser = stage.enrolled().await;
    let page = browser.get("/.auth/second-factor/app").await.expect(200);
    let app = App::told_by(&page);
    browser.submit("/.auth/second-factor/app", "/.auth/second-factor/app", &[("code", &app.code())]).await.expect(303);
    authenticator::recovery_codes(&mut browser).await;
    let window = Window::open(true).await;
    signing_in(&window, &stage.program, "ada", "/").await;
    window.sees("Enter the code from your authenticator app.").await;
    window.pictures("verify-app").await;
    window.unfold("Another way").await;
    window.pictures("verify-app-another-way").await;
    window.fill("code", "000000").await;
    window.press("Sign in").await;
    window.sees("That code isn't right.").await;
    window.pictures("verify-app-wrong").await;
    window.close().await;
}

#[tokio::test]
async fn a_factor_that_has_to_stay_looks_right() {
    let stage = stage_with(|setup| setup.sites += "[[site.rule]]\npath = \"/x\"\nallow = \"two-factor\"\n").await;
    stage.enrolled().await;
    let window = Window::open(true).await;
    signing_in(&window, &stage.program, "ada", "/.auth/second-factor").await;
    window.sees("We sent a code by SMS").await;
    window.fill("code", &stage.twilio.code_for(NUMBER).unwrap()).await;
    window.press("Sign in").await;
    window.sees("Disable").await;
    window.press("Disable").await;
    window.sees("can't be removed until there is another one").await;
    window.pictures("second-factor-stays").await;
    window.close().await;
}

#[tokio::test]
async fn the_page_after_a_reset_with_what_is_still_on_looks_right() {
    let mailbox = Mailbox::start().await;
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    for name in ["Yubi", "The one with a rather long name that I keep on my key ring"] {
        passkeys::add(&mut browser, &mut Key::new(&program.origin()), name).await.expect(303);
    }
    let form = "/.auth/password/forgot";
    browser.submit(form, form, &[("email", "ada@example.com")]).await.expect(303);
    let window = Window::open(true).await;
    window.open_page(&mailbox.wait_for("ada@example.com", "password").await.link()).await;
    window.fill("password", OTHER_PASSWORD).await;
    window.fill("password_confirm", OTHER_PASSWORD).await;
    window.press("Set password").await;
    window.sees("If you don't know one, remove it").await;
    window.pictures("reset-still-on").await;
    window.close().await;
}

#[tokio::test]
async fn pages_of_administrators_and_of_those_they_let_in_look_right() {
    let (mailbox, _upstream, program, mut boss) = invitations::stage("approve").await;
    program.add_person("grace", PASSWORD, false);
    program.run(&["user", "disable", "grace"], "");
    program.run(&["user", "groups", "boss", "admin", "staff", "wiki"], "");
    let window = Window::open(true).await;
    let origin = program.origin();
    window.open_page(&format!("{origin}/.auth/register")).await;
    window.sees("An administrator looks at new accounts").await;
    window.pictures("register-approved").await;
    Browser::new(&program).register("ada", PASSWORD).await.expect(303);
    let link = mailbox.wait_for("ada@example.com", "confirm").await.link();
    window.open_page(&link).await;
    window.driver.find(thirtyfour::By::Css("main form button")).await.unwrap().click().await.unwrap();
    window.sees("An administrator looks at it now").await;
    window.pictures("register-waits").await;
    signing_in(&window, &program, "boss", PEOPLE).await;
    window.sees("1 person waits for your approval").await;
    window.pictures("people").await;
    window.press("1 person waits").await;
    window.sees("Everyone").await;
    window.pictures("people-waiting").await;
    window.press("Decline").await;
    window.sees("Decline Ada Lovelace?").await;
    window.pictures("decline").await;
    window.open_page(&format!("{origin}{INVITATIONS}")).await;
    window.sees("Make invitation").await;
    window.pictures("invitations-none").await;
    window.fill("email", "a.rather.long.address.of.somebody@subdomain.example.com").await;
    window.fill("groups", "staff, wiki").await;
    window.press("Make invitation").await;
    window.sees("Invitation made").await;
    window.pictures("invitation-made").await;
    let page = boss.submit(INVITATIONS, INVITATIONS, &[("email", ""), ("groups", ""), ("days", "7")]).await.expect(200);
    let link = html::input_value(&page.text(), "link").expect("the link, to copy");
    window.open_page(&format!("{origin}{INVITATIONS}")).await;
    window.sees("Open invitations").await;
    window.pictures("invitations").await;
    window.open_page(&format!("{origin}/.auth/logout")).await;
    window.press("Sign out").await;
    window.sees("You are signed out.").await;
    window.open_page(&link).await;
    window.sees("You are invited.").await;
    window.pictures("register-invited").await;
    window.close().await;
}

#[tokio::test]
async fn pages_of_tokens_look_right() {
    let mut setup = Setup::demo();
    setup.moved_clock = true;
    setup.sites += "[[site]]\nhost = \"wiki.example.com\"\nupstream = \"demo\"\n";
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let window = Window::open(true).await;
    let origin = program.origin();
    signing_in(&window, &program, "ada", "/.auth/tokens").await;
    window.sees("Make a token").await;
    window.pictures("tokens-none").await;
    window.fill("name", "backup on my laptop").await;
    window.press("Make the token").await;
    window.sees("What it opens").await;
    window.pictures("tokens-wrong").await;
    window.driver.find(thirtyfour::By::Name("all")).await.unwrap().click().await.unwrap();
    window.press("Make the token").await;
    window.sees("shown this once").await;
    window.pictures("token-made").await;
    window.press("Your access tokens").await;
    window.sees("never used").await;
    window.pictures("tokens").await;
    program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    window.open_page(&format!("{origin}/.auth/tokens")).await;
    window.sees("sign in once more").await;
    window.pictures("tokens-later").await;
    window.close().await;
}
