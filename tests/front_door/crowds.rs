//! SCENARIO 49: many idle connections and a burst of sign-ins leave everybody else's requests answering.
//!
//! Time decides nothing here; the figures are measured by hand.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{net::TcpStream, task::JoinSet};

use crate::support::{
    client::Browser,
    people::{PASSWORD, site},
};

/// As many of 10,000 as this machine lets two processes have, with room for what else runs beside this test.
fn crowd() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    files.map_or(10_000, |files| usize::try_from(files.saturating_sub(512) / 3).unwrap()).min(10_000)
}

#[tokio::test]
async fn a_crowd_at_the_door_and_many_sign_ins_leave_others_served() {
    let (_upstream, program, browser) = site(|mut setup| {
        setup.limits = "head_timeout = \"5m\"\n".into();
        setup
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..crowd() {
        idle.push(TcpStream::connect(program.http).await.unwrap());
    }
    let mut page = Browser::new(&program);
    let form = page.get("/.auth/login").await.expect(200).text();
    let csrf = crate::support::html::input_value(&form, "csrf").unwrap();
    let mut arriving = JoinSet::new();
    for number in 0..100 {
        let (mut browser, csrf) = (page.clone(), csrf.clone());
        arriving.spawn(async move {
            let identifier = format!("nobody-{number}");
            let fields = [("identifier", identifier.as_str()), ("password", PASSWORD), ("csrf", csrf.as_str())];
            browser.post("/.auth/login", &fields).await.status.as_u16()
        });
    }
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut browser = browser.clone();
        asking.spawn(async move { browser.api("/x").await.status.as_u16() });
    }
    assert!(asking.join_all().await.into_iter().all(|status| status == 200), "people who are signed in are served");
    for status in arriving.join_all().await {
        assert!([401, 429, 503].contains(&status), "a sign-in is refused or shed, never lost: {status}");
    }
    drop(idle);
}
