//! The walk of a newcomer in a real browser, with scripts and without, and a picture of every page.

use futures_util::FutureExt;

use crate::support::{
    PROMPTLY,
    chromium::Window,
    client::Browser,
    eventually,
    mailbox::Mailbox,
    people::{OTHER_PASSWORD, PASSWORD},
    program::{Program, Setup},
    services::Redis,
    upstream::Upstream,
};

async fn demo() -> Program {
    let program = Setup::demo().start().await;
    program.ready().await;
    program
}

async fn type_registration(window: &Window, username: &str) {
    window.fill("first_name", "Ada").await;
    window.fill("last_name", "Lovelace").await;
    window.fill("username", username).await;
    window.fill("email", &format!("{username}@example.com")).await;
    window.fill("password", PASSWORD).await;
    window.fill("password_confirm", PASSWORD).await;
}

async fn type_sign_in(window: &Window, username: &str) {
    window.fill("identifier", username).await;
    window.fill("password", PASSWORD).await;
    window.press("Sign in").await;
}

async fn choose_kenya(window: &Window) {
    let option = window.driver.find(thirtyfour::By::Css("option[value=KE]")).await.unwrap();
    option.click().await.unwrap();
}

/// Scripts take this button away and change the example by themselves.
async fn the_example_is_a_button(window: &Window) {
    choose_kenya(window).await;
    window.fill("phone", "07").await;
    window.press("Show example").await;
    window.sees("Example: 0712 123456").await;
    let typed = window.driver.find(thirtyfour::By::Name("phone")).await.unwrap();
    assert_eq!(typed.prop("value").await.unwrap().as_deref(), Some("07"), "what was typed stays");
}

/// Whether scripts put "Show" beside the password.
async fn offers_to_show_the_password(program: &Program, window: &Window) -> bool {
    window.open_page(&format!("{}/.auth/login", program.origin())).await;
    window.sees("Password").await;
    !window.driver.find_all(thirtyfour::By::Css(".secret button")).await.unwrap().is_empty()
}

/// register → sign in → demo site → profile → enable two-factor → sign out → sign in with code → demo site
async fn walk(program: &Program, window: &Window, pictures: bool) {
    let picture = async |name: &str| {
        if pictures {
            window.pictures(name).await;
        }
    };
    window.open_page(&format!("{}/welcome?x=1", program.origin())).await;
    picture("sign-in").await;
    window.press("Create account").await;
    picture("register").await;
    type_registration(window, "ada").await;
    window.press("Create account").await;
    window.leaves("/.auth/register").await;
    if window.place().await.starts_with("/.auth/login") {
        picture("sign-in-after-registering").await;
        type_sign_in(window, "ada").await;
    }
    window.open_page(&format!("{}/welcome?x=1", program.origin())).await;
    window.sees("Remote-User").await;
    window.sees("Ada Lovelace").await;
    picture("demo").await;
    window.open_page(&format!("{}/.auth/profile", program.origin())).await;
    window.sees("@ada").await;
    picture("profile").await;
    window.press("Enable two-factor authentication").await;
    picture("second-factor-phone-or-list").await;
    if !window.place().await.contains("/phone") {
        window.press("Get codes by phone or e-mail").await;
    }
    picture("second-factor-phone").await;
    if !pictures {
        the_example_is_a_button(window).await;
    }
    choose_kenya(window).await;
    window.fill("phone", "0712 123456").await;
    let before = program.output().len();
    window.press("Send code").await;
    let code = program.console_code(before).await;
    window.sees("•••• 56").await;
    picture("second-factor-code").await;
    window.fill("code", &code).await;
    window.press("Enable").await;
    window.sees("•••• 56").await;
    picture("second-factor-on").await;
    window.press("Add an authenticator app").await;
    window.sees("Can't scan it?").await;
    picture("second-factor-app").await;
    window.open_page(&format!("{}/.auth/second-factor/recovery-codes", program.origin())).await;
    window.sees("You have none.").await;
    picture("recovery-codes-none").await;
    window.press("Make ten codes").await;
    window.sees("they are shown this once").await;
    picture("recovery-codes").await;
    window.press("Back to Security").await;
    window.sees("10 are left.").await;
    window.press("Disable").await;
    window.sees("Password").await;
    picture("second-factor-disable").await;
    window.open_page(&format!("{}/.auth/logout", program.origin())).await;
    picture("sign-out").await;
    window.press("Sign out").await;
    window.sees("Username or e-mail").await;
    let before = program.output().len();
    type_sign_in(window, "ada").await;
    window.sees("We sent a code by SMS to •••• 56").await;
    window.open_page(&format!("{}/.auth/login/verify?way=recovery", program.origin())).await;
    window.sees("Enter one of the codes you saved.").await;
    picture("verify-recovery").await;
    window.press("Back").await;
    window.sees("We sent a code by SMS to •••• 56").await;
    picture("verify").await;
    let code = program.console_code(before).await;
    window.fill("code", &code).await;
    window.press("Sign in").await;
    window.sees("Remote-User").await;
}

#[tokio::test]
async fn a_newcomer_walks_from_registering_to_two_factor_sign_in() {
    let program = demo().await;
    let window = Window::open(true).await;
    assert!(offers_to_show_the_password(&program, &window).await);
    walk(&program, &window, true).await;
    window.close().await;
}

#[tokio::test]
async fn the_same_walk_works_with_scripts_off() {
    let program = demo().await;
    let window = Window::open(false).await;
    assert!(!offers_to_show_the_password(&program, &window).await, "scripts run");
    walk(&program, &window, false).await;
    window.close().await;
}

#[tokio::test]
async fn codes_by_mail_are_enabled_without_a_number() {
    let mut setup = Setup::demo();
    setup.verify = "channels = [\"sms\", \"email\"]\n".into();
    let program = setup.start().await;
    program.ready().await;
    program.add_person("grace", PASSWORD, false);
    let window = Window::open(true).await;
    window.open_page(&format!("{}/.auth/login?return_to=/.auth/second-factor/phone", program.origin())).await;
    type_sign_in(&window, "grace").await;
    window.open_page(&format!("{}/.auth/second-factor/phone", program.origin())).await;
    window.driver.find(thirtyfour::By::Css("input[value=email]")).await.unwrap().click().await.unwrap();
    window.pictures("second-factor-by-mail").await;
    window.press("Send code").await;
    window.sees("We sent a code by e-mail to").await;
    window.pictures("second-factor-code-by-mail").await;
    window.close().await;
}

#[tokio::test]
async fn forms_that_come_back_look_right() {
    let program = demo().await;
    program.add_person("grace", PASSWORD, false);
    let window = Window::open(true).await;
    let origin = program.origin();
    window.open_page(&format!("{origin}/.auth/login")).await;
    window.fill("identifier", "grace").await;
    window.fill("password", OTHER_PASSWORD).await;
    window.press("Sign in").await;
    window.sees("That name and password don't match").await;
    let focused = window.driver.active_element().await.unwrap().attr("name").await.unwrap();
    assert_eq!(focused.as_deref(), Some("password"), "focus where to go on");
    window.pictures("sign-in-wrong").await;
    window.open_page(&format!("{origin}/.auth/register")).await;
    type_registration(&window, "grace").await;
    for (weak, why) in [
        ("short", "Too short"),
        ("aabbccaabbcc", "The same few characters"),
        ("violet-4567-harbour", "A row like “4567”"),
        ("violet-trewq-harbour", "A row like “trew”"),
        ("violet-Lovelace-93", "Your last name is in it"),
        ("hunter-grace-lantern", "Your username is in it"),
        (PASSWORD, "Good length"),
    ] {
        window.fill("password", weak).await;
        window.sees(why).await;
    }
    window.fill("password_confirm", OTHER_PASSWORD).await;
    window.press("Create account").await;
    window.sees("taken").await;
    window.pictures("register-errors").await;
    window.open_page(&format!("{origin}/.auth/password/forgot")).await;
    window.pictures("forgotten").await;
    window.fill("email", "grace@example.com").await;
    let before = program.output().len();
    window.press("Send").await;
    window.pictures("forgotten-sent").await;
    let link = crate::support::eventually("the reset link", std::time::Duration::from_secs(10), async || {
        let output = program.output();
        let rest = output.get(before..)?.split("/.auth/password/reset?token=").nth(1)?.to_owned();
        Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect::<String>())
    })
    .await;
    window.open_page(&format!("{origin}/.auth/password/reset?token={link}")).await;
    window.pictures("reset").await;
    let setup = program.setup_token().await;
    window.open_page(&format!("{origin}/.auth/setup?token={setup}")).await;
    window.pictures("setup").await;
    window.open_page(&format!("{origin}/.auth/login")).await;
    type_sign_in(&window, "grace").await;
    // Another device, for the page of sessions.
    let _ = Browser::new(&program).signed_in("grace", PASSWORD).await;
    for (path, name) in [
        ("profile/edit", "profile-edit"),
        ("password", "password"),
        ("second-factor", "second-factor-off"),
        ("sessions", "sessions"),
        ("activity", "activity"),
    ] {
        window.open_page(&format!("{origin}/.auth/{path}")).await;
        window.pictures(name).await;
    }
    window.close().await;
}

#[tokio::test]
async fn error_pages_look_right() {
    let upstream = Upstream::start().await;
    let gone = upstream.address;
    drop(upstream);
    let mut setup = Setup::before(&format!("http://{gone}"));
    setup.sites += "[[site.rule]]\npath = \"/staff/\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n";
    let program = setup.start().await;
    program.ready().await;
    program.add_person("grace", PASSWORD, false);
    let window = Window::open(true).await;
    let origin = program.origin();
    window.open_page(&format!("{origin}/.auth/login")).await;
    type_sign_in(&window, "grace").await;
    window.sees("isn't answering").await;
    window.pictures("error-502").await;
    for (path, name, words) in [
        ("/staff/x", "error-403", "group staff"),
        ("/a%2Fb", "error-400", "allow_encoded"),
        ("/.auth/nowhere", "error-404", "There is nothing here"),
        ("/.auth/password/reset?token=made-up", "dead-link", "link"),
    ] {
        window.open_page(&format!("{origin}{path}")).await;
        window.sees(words).await;
        window.pictures(name).await;
    }
    window.close().await;
}

#[tokio::test]
async fn pages_of_rarer_moments_look_right() {
    let (mailbox, mut redis) = (Mailbox::start().await, Redis::start().await);
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    setup.session = format!("store = \"{}\"\n", redis.url());
    let program = setup.start().await;
    program.ready().await;
    program.add_person("grace", PASSWORD, false);
    let window = Window::open(true).await;
    let (origin, port) = (program.origin(), program.http.port());
    window.open_page(&format!("{origin}/.auth/register")).await;
    type_registration(&window, "ada").await;
    window.press("Create account").await;
    window.sees("mail").await;
    window.pictures("register-sent").await;
    window.open_page(&mailbox.wait_for("ada@example.com", "").await.link()).await;
    window.pictures("confirm").await;
    window.driver.find(thirtyfour::By::Css("main form button")).await.unwrap().click().await.unwrap();
    window.sees("Username or e-mail").await;
    window.pictures("confirmed").await;
    window.open_page(&format!("http://unknown.example:{port}/")).await;
    window.sees("unknown.example").await;
    window.pictures("error-421").await;
    let form = format!(
        "<form method=post action={origin}/comment><input name=text value=long><button>Comment</button></form>"
    );
    window.open_page(&format!("data:text/html,{form}")).await;
    window.press("Comment").await;
    window.sees("Your session ended before this was sent").await;
    window.pictures("error-401-form").await;
    window.open_page(&format!("{origin}/.auth/login")).await;
    for tries in 1.. {
        window.fill("identifier", "nobody").await;
        window.fill("password", OTHER_PASSWORD).await;
        window.press("Sign in").await;
        window.sees("Sign in").await;
        if window.words().await.contains("Too many tries. Wait until ") {
            break;
        }
        assert!(tries < 30, "nothing holds back the tries");
    }
    window.pictures("sign-in-throttled").await;
    type_sign_in(&window, "grace").await;
    window.open_page(&format!("{origin}/")).await;
    window.sees("Remote-User").await;
    redis.stop();
    window.open_page(&format!("{origin}/")).await;
    window.sees("Your session is safe").await;
    window.pictures("error-503").await;
    window.close().await;
}

#[tokio::test]
async fn pages_of_changing_an_address_and_leaving_look_right() {
    let mailbox = Mailbox::start().await;
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    let program = setup.start().await;
    program.ready().await;
    program.add_person("grace", PASSWORD, false);
    let window = Window::open(true).await;
    let origin = program.origin();
    window.open_page(&format!("{origin}/.auth/login")).await;
    type_sign_in(&window, "grace").await;
    window.open_page(&format!("{origin}/.auth/profile")).await;
    window.pictures("profile-mine").await;
    window.open_page(&format!("{origin}/.auth/profile/delete")).await;
    window.pictures("delete").await;
    window.open_page(&format!("{origin}/.auth/profile/email")).await;
    window.pictures("email").await;
    window.fill("email", "grace@example.org").await;
    window.press("Send a link there").await;
    window.sees("on its way to the new address").await;
    window.pictures("email-asked").await;
    window.open_page(&mailbox.wait_for("grace@example.org", "").await.link()).await;
    window.pictures("email-change").await;
    window.press("Change e-mail").await;
    window.sees("Your e-mail is changed.").await;
    window.open_page(&mailbox.wait_for("grace@example.com", "was changed").await.link()).await;
    window.pictures("email-undo").await;
    window.press("Undo the change").await;
    window.sees("The change is undone").await;
    window.pictures("email-undone").await;
    window.open_page(&format!("{origin}/.auth/email/undo?token=made-up")).await;
    window.pictures("email-dead").await;
    window.close().await;
}

#[tokio::test]
async fn a_test_that_fails_leaves_no_browser_running() {
    let mut found = None;
    let failing = std::panic::AssertUnwindSafe(async {
        let window = Window::open(true).await;
        let processes = found.insert(window.processes());
        assert!(processes() > 0, "found while it runs");
        panic!("on purpose");
    });
    assert!(failing.catch_unwind().await.is_err());
    let processes = found.unwrap();
    eventually("the browser to end", PROMPTLY, async || (processes() == 0).then_some(())).await;
}
