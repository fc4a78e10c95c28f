//! Figures, not facts: what a lookup costs and how soon a revocation is seen. Printed, never judged.
//!
//! `VESTIBULE_TEST_REDIS=… cargo test --release --lib session::figures -- --ignored --nocapture`, on a Redis of its own;
//! `VESTIBULE_TEST_STORED=1000000` stores that many more sessions first.

use std::time::{Duration, Instant};

use super::{
    Sessions,
    contract::{Setting, ada, fields, redis_url},
    id::{self, Key},
    keys::Purpose,
    record::Record,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn what_sessions_cost() {
    let setting = Setting::redis().await;
    setting.listening().await;
    store_many().await;
    let cookie = setting.sign_in(&ada()).await;
    cookies(&setting.sessions, &cookie);
    warm(&setting, &cookie).await;
    cold(&setting, &cookie).await;
    revocation(&setting).await;
}

fn cookies(sessions: &Sessions, cookie: &str) {
    let shared = &sessions.shared;
    let value = cookie.split_once('=').unwrap().1.as_bytes();
    let open = |value: &[u8]| id::open(&shared.keys, Purpose::Session, value).map(|id| Key::of(&id));
    each("cookie to key, MAC and hash", 200_000, || assert!(open(value).is_some()));
    each("cookie to key, seen before", 1_000_000, || assert!(shared.memo.key(value, open).is_some()));
}

async fn warm(setting: &Setting, cookie: &str) {
    let (fields, now) = (fields(cookie), setting.clock.now());
    let begun = Instant::now();
    for _ in 0..1_000_000 {
        setting.sessions.resume(&fields, now).await;
    }
    println!("warm resume: {:?}", begun.elapsed() / 1_000_000);
}

async fn cold(setting: &Setting, cookie: &str) {
    use super::store::SessionStore;
    let live = setting.live(cookie).await;
    let (fields, now) = (fields(cookie), setting.clock.now());
    let (mut cold, mut trips) = (Vec::new(), Vec::new());
    for _ in 0..2_000 {
        setting.sessions.shared.near.remove(&live.key);
        let begun = Instant::now();
        setting.sessions.resume(&fields, now).await;
        cold.push(begun.elapsed());
        let begun = Instant::now();
        setting.store.ready().await.unwrap();
        trips.push(begun.elapsed());
    }
    spread("cold resume", cold);
    spread("one round trip (PING)", trips);
}

async fn revocation(setting: &Setting) {
    let other = setting.other_node();
    let mut spans = Vec::new();
    for _ in 0..200 {
        let cookie = setting.sign_in(&ada()).await;
        let live = setting.live(&cookie).await;
        let begun = Instant::now();
        other.end(&live).await.unwrap();
        let answered = begun.elapsed();
        while setting.sessions.shared.near.get(&live.key).is_some() {
            tokio::task::yield_now().await;
        }
        spans.push(begun.elapsed().saturating_sub(answered));
    }
    spread("revoked on one node (answered) to gone on another", spans);
}

async fn store_many() {
    let Ok(count) = std::env::var("VESTIBULE_TEST_STORED").map(|count| count.parse::<usize>().unwrap()) else { return };
    let record = serde_json::to_string(&Record::for_testing()).unwrap();
    let mut link = ::redis::Client::open(redis_url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    link.set_response_timeout(Duration::from_secs(60));
    for batch in 0..count / 10_000 {
        let mut pipe = ::redis::pipe();
        for number in 0..10_000 {
            let hex = Key::of(&std::array::from_fn(|at| ((batch * 10_000 + number) >> (8 * (at % 4))) as u8)).hex();
            pipe.cmd("SET").arg(format!("many:s:{hex}")).arg(&record).arg("EX").arg(3600).ignore();
            pipe.cmd("SET").arg(format!("many:t:{hex}")).arg(1).arg("EX").arg(3600).ignore();
        }
        let () = pipe.query_async(&mut link).await.unwrap();
    }
    println!("{count} sessions stored");
}

fn each(what: &str, times: u32, mut work: impl FnMut()) {
    let begun = Instant::now();
    for _ in 0..times {
        work();
    }
    println!("{what}: {:?}", begun.elapsed() / times);
}

fn spread(what: &str, mut spans: Vec<Duration>) {
    spans.sort_unstable();
    let at = |share: usize| spans[(spans.len() - 1) * share / 100];
    println!("{what}: p50 {:?}, p99 {:?}", at(50), at(99));
}
