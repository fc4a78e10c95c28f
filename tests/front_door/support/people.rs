//! People in tests, and the scene most of them play in.

use super::{
    client::Browser,
    program::{Program, Setup},
    upstream::Upstream,
};

/// A password that is strong enough everywhere.
pub const PASSWORD: &str = "violet-harbour-93-lantern";
/// Another one.
pub const OTHER_PASSWORD: &str = "copper-meadow-47-sparrow";

/// An upstream, the program before it, and Ada, signed in.
pub async fn site(setup: impl FnOnce(Setup) -> Setup) -> (Upstream, Program, Browser) {
    let upstream = Upstream::start().await;
    let program = setup(Setup::before(&upstream.url())).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    (upstream, program, browser)
}

/// The session cookie as a request's `Cookie` says it.
pub fn cookie_line(browser: &Browser) -> String {
    let (name, value) = browser.session_cookie().unwrap();
    format!("{name}={value}")
}
