//! Tunnels end with their session, and only with it.

use tokio::{task::JoinHandle, time::timeout};

use super::*;

/// A tunnel that waits for its session's end.
fn tunnel(sessions: &Sessions, live: &Live) -> JoinHandle<()> {
    let (sessions, live) = (sessions.clone(), live.clone());
    tokio::spawn(async move { sessions.ended(&live).await })
}

async fn ends_within_a_second(tunnel: JoinHandle<()>) {
    timeout(SECOND, tunnel).await.expect("the tunnel is still open").unwrap();
}

async fn stays_open(tunnel: &mut JoinHandle<()>) {
    assert!(timeout(Duration::from_millis(600), tunnel).await.is_err(), "the tunnel ended");
}

on_all! {
    async fn a_tunnel_ends_with_sign_out(setting: Setting) {
        let live = setting.live(&setting.sign_in(&ada()).await).await;
        let mut tunnel = tunnel(&setting.sessions, &live);
        stays_open(&mut tunnel).await;
        setting.sessions.end(&live).await.unwrap();
        ends_within_a_second(tunnel).await;
    }

    async fn a_tunnel_opened_after_the_end_closes(setting: Setting) {
        let live = setting.live(&setting.sign_in(&ada()).await).await;
        setting.sessions.end(&live).await.unwrap();
        // The embedded store is asked at once only about what has run out; a tunnel that joins asks anyway.
        ends_within_a_second(tunnel(&setting.sessions, &live)).await;
    }

    async fn a_tunnel_ends_when_the_account_does(setting: Setting) {
        let live = setting.live(&setting.sign_in(&ada()).await).await;
        let bob = setting.live(&setting.sign_in(&Account::for_testing("bob")).await).await;
        let (adas, mut bobs) = (tunnel(&setting.sessions, &live), tunnel(&setting.sessions, &bob));
        stays_open(&mut bobs).await;
        setting.sessions.end_account(&ada().id, None, changed(&ada()).generation).await.unwrap();
        ends_within_a_second(adas).await;
        stays_open(&mut bobs).await;
    }

    async fn a_tunnel_outlives_a_rotation_and_its_activity_follows(setting: Setting) {
        let live = setting.live(&setting.sign_in(&ada()).await).await;
        let mut tunnel = tunnel(&setting.sessions, &live);
        let proof = setting.proof(&ada(), Method::Sms);
        let new = sent(&setting.sessions.rotate(&live, proof, setting.clock.now()).await.unwrap());
        stays_open(&mut tunnel).await;
        setting.advance(HOUR - SECOND);
        setting.sessions.touch(&live, setting.clock.now());
        setting.advance(HOUR - SECOND);
        setting.live(&new).await;
        stays_open(&mut tunnel).await;
        setting.sessions.end(&live).await.unwrap();
        ends_within_a_second(tunnel).await;
    }

    async fn a_tunnel_without_traffic_ends_at_the_idle_deadline(setting: Setting) {
        let live = setting.live(&setting.sign_in(&ada()).await).await;
        let mut tunnel = tunnel(&setting.sessions, &live);
        setting.advance(HOUR / 2);
        setting.sessions.touch(&live, setting.clock.now());
        setting.advance(HOUR - SECOND);
        stays_open(&mut tunnel).await;
        setting.advance(SECOND);
        ends_within_a_second(tunnel).await;
    }

    async fn a_busy_tunnel_ends_at_the_absolute_deadline(setting: Setting) {
        let live = setting.live(&setting.sign_in(&ada()).await).await;
        let tunnel = tunnel(&setting.sessions, &live);
        for _ in 0..24 {
            setting.advance(HOUR / 2);
            setting.sessions.touch(&live, setting.clock.now());
        }
        ends_within_a_second(tunnel).await;
    }

    async fn a_tunnel_ends_when_a_group_is_taken_away_and_not_when_one_is_given(setting: Setting) {
        let live = setting.live(&setting.sign_in(&ada()).await).await;
        let mut tunnel = tunnel(&setting.sessions, &live);
        let mut more = changed(&ada());
        more.groups.push("night".into());
        setting.sessions.rewrite_account(&more).await.unwrap();
        stays_open(&mut tunnel).await;
        let less = Account { groups: vec!["staff".into()], ..changed(&more) };
        setting.sessions.rewrite_account(&less).await.unwrap();
        ends_within_a_second(tunnel).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_ends_when_another_node_signs_out() {
    let setting = Setting::redis().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    let other = setting.other_node();
    let mut tunnel = tunnel(&setting.sessions, &live);
    stays_open(&mut tunnel).await;
    let Resumed::Live(there) = other.resume(&fields(&cookie), setting.clock.now()).await else {
        panic!("not signed in on the other node")
    };
    let rotated = other.rotate(&there, setting.proof(&ada(), Method::Sms), setting.clock.now()).await.unwrap();
    stays_open(&mut tunnel).await;
    let Resumed::Live(there) = other.resume(&fields(&sent(&rotated)), setting.clock.now()).await else {
        panic!("not signed in under the new id")
    };
    other.end(&there).await.unwrap();
    ends_within_a_second(tunnel).await;
    assert!(setting.ended(&sent(&rotated)).await);
}
