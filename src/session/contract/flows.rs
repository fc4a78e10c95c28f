//! The flow cookie, form tokens, and what waits between two pages.

use super::*;
use crate::{
    config::verify::Channel,
    identity::{
        account::AccountId,
        challenge::{Asked, Challenge, Delivery},
    },
    session::Pending,
    world::UnixMillis,
};

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn pending(return_to: &str) -> Pending {
    let delivery = Delivery {
        factor: "f".into(),
        masked: "•••• 42".into(),
        channels: vec![Channel::Sms],
        channel: Channel::Sms,
        started: None,
        fell_back: false,
    };
    let challenge = Challenge {
        account: AccountId("ada".into()),
        password_at: UnixMillis(1),
        generation: 1,
        asked: Asked::Code(delivery),
        others: Vec::new(),
        aside: None,
        resend_at: UnixMillis(2),
        sends: 1,
        locale: None,
        device: String::new(),
        pushes: Default::default(),
    };
    Pending::SignIn { challenge: Box::new(challenge), remember: true, return_to: return_to.into() }
}

fn return_to(pending: Option<Pending>) -> Option<String> {
    match pending {
        Some(Pending::SignIn { return_to, .. }) => Some(return_to),
        _ => None,
    }
}

on_all! {
    async fn what_is_held_waits_is_replaced_and_is_released_once(setting: Setting) {
        let (flow, _) = setting.sessions.new_flow().unwrap();
        let now = setting.clock.now();
        assert!(setting.sessions.held(&flow, now).await.unwrap().is_none());
        setting.sessions.hold(&flow, &pending("/a"), TEN_MINUTES, now).await.unwrap();
        setting.sessions.hold(&flow, &pending("/b"), TEN_MINUTES, now).await.unwrap();
        assert_eq!(return_to(setting.sessions.held(&flow, now).await.unwrap()).as_deref(), Some("/b"));
        let (other, _) = setting.sessions.new_flow().unwrap();
        assert!(setting.sessions.held(&other, now).await.unwrap().is_none());
        let releases = (0..8).map(|_| setting.sessions.release(&flow));
        let released = futures_util::future::join_all(releases).await;
        assert_eq!(released.into_iter().filter(|released| *released.as_ref().unwrap()).count(), 1);
        assert!(setting.sessions.held(&flow, now).await.unwrap().is_none());
    }

    async fn a_step_that_comes_too_late_brings_nothing_back(setting: Setting) {
        let (flow, _) = setting.sessions.new_flow().unwrap();
        let now = setting.clock.now();
        assert!(!setting.sessions.keep(&flow, &pending("/a"), TEN_MINUTES, now).await.unwrap());
        setting.sessions.hold(&flow, &pending("/a"), TEN_MINUTES, now).await.unwrap();
        assert!(setting.sessions.keep(&flow, &pending("/b"), TEN_MINUTES, now).await.unwrap());
        assert_eq!(return_to(setting.sessions.held(&flow, now).await.unwrap()).as_deref(), Some("/b"));
        assert!(setting.sessions.release(&flow).await.unwrap());
        assert!(!setting.sessions.keep(&flow, &pending("/c"), TEN_MINUTES, now).await.unwrap());
        assert!(setting.sessions.held(&flow, now).await.unwrap().is_none());
    }

    async fn more_than_a_flow_may_hold_is_refused(setting: Setting) {
        let (flow, _) = setting.sessions.new_flow().unwrap();
        let huge = pending(&"a".repeat(50_000));
        assert!(setting.sessions.hold(&flow, &huge, TEN_MINUTES, setting.clock.now()).await.is_err());
    }

    async fn a_flow_is_never_a_session(setting: Setting) {
        let (flow, set) = setting.sessions.new_flow().unwrap();
        setting.sessions.hold(&flow, &pending("/a"), TEN_MINUTES, setting.clock.now()).await.unwrap();
        let as_session = sent(&set).replace("vestibule-flow-8080", "vestibule-8080");
        assert!(matches!(setting.resume(&as_session).await, Resumed::Invalid { ended: false }));
    }
}

#[tokio::test]
async fn what_is_held_runs_out_in_the_embedded_store() {
    let setting = Setting::embedded().await;
    let (flow, _) = setting.sessions.new_flow().unwrap();
    setting.sessions.hold(&flow, &pending("/a"), TEN_MINUTES, setting.clock.now()).await.unwrap();
    setting.advance(TEN_MINUTES);
    assert!(setting.sessions.held(&flow, setting.clock.now()).await.unwrap().is_none());
    assert!(!setting.sessions.release(&flow).await.unwrap());
}

#[tokio::test]
async fn what_is_held_runs_out_in_redis() {
    let setting = Setting::redis().await;
    let (flow, _) = setting.sessions.new_flow().unwrap();
    setting.sessions.hold(&flow, &pending("/a"), Duration::from_millis(20), setting.clock.now()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(setting.sessions.held(&flow, setting.clock.now()).await.unwrap().is_none());
    assert!(!setting.sessions.release(&flow).await.unwrap());
}

#[tokio::test]
async fn a_flow_cookie_is_read_back_once_and_only_if_ours() {
    let setting = Setting::embedded().await;
    let (flow, set) = setting.sessions.new_flow().unwrap();
    let cookie = sent(&set);
    assert!(setting.sessions.flow(&fields(&format!("a=1; {cookie}"))) == Some(flow));
    assert!(setting.sessions.flow(&fields(&format!("{cookie}; {cookie}"))).is_none());
    assert!(setting.sessions.flow(&fields("vestibule-flow-8080=forged")).is_none());
    assert!(setting.sessions.flow(&HeaderMap::new()).is_none());
}

#[tokio::test]
async fn a_form_token_belongs_to_one_flow_and_one_session() {
    let setting = Setting::embedded().await;
    let sessions = &setting.sessions;
    let (flow, other) = (sessions.new_flow().unwrap().0, sessions.new_flow().unwrap().0);
    let live = setting.live(&setting.sign_in(&ada()).await).await;
    let token = sessions.form_token(&flow, Some(&live));
    assert!(sessions.form_token_valid(&token, &flow, Some(&live)));
    assert!(!sessions.form_token_valid(&token, &flow, None));
    assert!(!sessions.form_token_valid(&token, &other, Some(&live)));
    let anonymous = sessions.form_token(&flow, None);
    assert!(sessions.form_token_valid(&anonymous, &flow, None));
    assert!(!sessions.form_token_valid(&anonymous, &flow, Some(&live)));
    for wrong in ["", "x", &token[1..], &format!("{token}A"), &"A".repeat(43), &"é".repeat(30)] {
        assert!(!sessions.form_token_valid(wrong, &flow, Some(&live)), "{wrong}");
    }
}
