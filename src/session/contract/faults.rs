//! Redis slow, silent, away, emptied, or holding what is not ours.

use std::{sync::atomic::Ordering, time::Instant};

use futures_util::FutureExt;

use super::{bridge::Bridge, *};
use crate::session::store::SessionStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_unreachable_and_back_at_once() {
    let (setting, bridge) = Setting::bridged().await;
    let cookie = setting.sign_in(&ada()).await;
    let address = bridge.down().await;
    let started = Instant::now();
    for _ in 0..3 {
        assert!(matches!(setting.resume(&cookie).await, Resumed::Unreachable));
    }
    assert!(started.elapsed() < BOUND, "refused connections are known at once");
    assert!(setting.sessions.ready().await.is_err());
    assert!(matches!(setting.start(&ada(), false).await, Err(NotStarted::Unreachable(_))));
    let _bridge = Bridge::at(address).await;
    setting.live(&cookie).await;
    setting.sessions.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_store_is_unreachable_in_bounded_time_and_recovers() {
    let (setting, bridge) = Setting::bridged().await;
    let cookie = setting.sign_in(&ada()).await;
    bridge.silent.store(true, Ordering::SeqCst);
    let started = Instant::now();
    assert!(matches!(setting.resume(&cookie).await, Resumed::Unreachable));
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    bridge.silent.store(false, Ordering::SeqCst);
    setting.live(&cookie).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_made_up_cookie_costs_no_lookup() {
    let (setting, bridge) = Setting::bridged().await;
    let cookie = setting.sign_in(&ada()).await;
    bridge.down().await;
    let forged = format!("vestibule-8080={}", "A".repeat(64));
    assert!(matches!(setting.resume(&forged).await, Resumed::Invalid { ended: false }));
    assert!(matches!(setting.resume("a=1").await, Resumed::Absent));
    assert!(matches!(setting.resume(&cookie).await, Resumed::Unreachable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_opens_while_redis_is_down() {
    let address = Bridge::at("127.0.0.1:0".parse().unwrap()).await.down().await;
    let prefix = format!("test:{}:", uuid::Uuid::new_v4());
    let setting = Setting::over(redis_store(&format!("redis://{address}"), &prefix), None, prefix);
    assert!(setting.start(&ada(), false).await.is_err());
    let _bridge = Bridge::at(address).await;
    let cookie = setting.sign_in(&ada()).await;
    setting.live(&cookie).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_redis_signs_everyone_out_without_an_error() {
    let setting = Setting::redis().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    let mut redis = ::redis::Client::open(redis_url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> =
        ::redis::cmd("KEYS").arg(format!("{}*", setting.prefix)).query_async(&mut redis).await.unwrap();
    let () = ::redis::cmd("DEL").arg(keys).query_async(&mut redis).await.unwrap();
    setting.eventually("the push", async || setting.ended(&cookie).await).await;
    setting.sessions.end(&live).await.unwrap();
    setting.live(&setting.sign_in(&ada()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_is_no_session_and_stays_where_it_is() {
    let setting = Setting::redis().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    let name = format!("{}s:{}", setting.prefix, live.key.hex());
    let mut redis = ::redis::Client::open(redis_url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    for garbage in [b"".as_slice(), b"{\"sid\":", b"\xff\xfe", b"[]"] {
        let () = ::redis::cmd("SET").arg(&name).arg(garbage).query_async(&mut redis).await.unwrap();
        setting.eventually("the push", async || setting.ended(&cookie).await).await;
        let kept: Vec<u8> = ::redis::cmd("GET").arg(&name).query_async(&mut redis).await.unwrap();
        assert_eq!(kept, garbage);
    }
    let () = ::redis::cmd("DEL").arg(&name).query_async(&mut redis).await.unwrap();
    let () = ::redis::cmd("LPUSH").arg(&name).arg("x").query_async(&mut redis).await.unwrap();
    assert!(setting.ended(&cookie).await, "nor is a list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_mid_change_breaks_nothing_off() {
    let setting = Setting::redis().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    for _ in 0..20 {
        // Polled once and dropped, as when the connection closes.
        let _ = setting.resume(&cookie).now_or_never();
    }
    setting.live(&cookie).await;
    let _ = setting.sessions.end(&live).now_or_never();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(setting.ended(&cookie).await, "what was begun is finished");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_outlives_a_silent_store_by_five_seconds_and_no_more() {
    let (setting, bridge) = Setting::bridged().await;
    let live = setting.live(&setting.sign_in(&ada()).await).await;
    let sessions = setting.sessions.clone();
    let tunnel = tokio::spawn(async move { sessions.ended(&live).await });
    bridge.down().await;
    tokio::time::sleep(4 * SECOND).await;
    assert!(!tunnel.is_finished(), "a short outage cuts nobody off");
    tokio::time::timeout(3 * SECOND, tunnel).await.expect("the tunnel is still open").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activity_seen_by_one_node_counts_on_the_other() {
    let setting = Setting::redis().await;
    let cookie = setting.sign_in(&ada()).await;
    setting.advance(HOUR / 2);
    setting.live(&cookie).await;
    setting.sessions.flush().await;
    setting.advance(HOUR - SECOND);
    let there = setting.other_node().resume(&fields(&cookie), setting.clock.now()).await;
    assert!(matches!(there, Resumed::Live(_)), "{there:?}");
    let stored = setting.store.read(setting.live(&cookie).await.key).await.unwrap().unwrap();
    assert!(stored.active_at.is_some());
}

/// Far above what is promised (a second and a half), far below "for ever": timings decide no test.
const BOUND: Duration = Duration::from_secs(8);
