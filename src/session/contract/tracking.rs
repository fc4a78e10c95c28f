//! The near cache before Redis: told of every change, closed when nobody tells, never on two servers at once.

use std::sync::atomic::Ordering;

use super::{
    bridge::Bridge,
    servers::{Servers, ask, until},
    *,
};

impl Setting {
    /// Over a way to Redis that can be broken.
    pub async fn bridged() -> (Self, Bridge) {
        let bridge = Bridge::at("127.0.0.1:0".parse().unwrap()).await;
        let prefix = format!("test:{}:", uuid::Uuid::new_v4());
        (Self::over(redis_store(&bridge.url(), &prefix), None, prefix), bridge)
    }

    fn listens(&self) -> bool {
        self.sessions.shared.near.live()
    }

    /// Waits until the cache is open.
    pub async fn listening(&self) {
        self.eventually("the cache to open", async || self.listens()).await;
    }

    pub async fn eventually(&self, what: &str, mut found: impl AsyncFnMut() -> bool) {
        let begun = std::time::Instant::now();
        while !found().await {
            assert!(begun.elapsed() < BOUND, "waited for {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends a session from another node.
    pub async fn end_elsewhere(&self, cookie: &str) {
        let other = self.other_node();
        let Resumed::Live(there) = other.resume(&fields(cookie), self.clock.now()).await else {
            panic!("not signed in on the other node")
        };
        other.end(&there).await.unwrap();
    }

    fn cached(&self, live: &Live) -> bool {
        self.sessions.shared.near.get(&live.key).is_some()
    }
}

async fn ends_when_ended_elsewhere(setting: Setting) {
    setting.listening().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    assert!(setting.cached(&live), "what Redis answered is kept");
    let (sessions, watched) = (setting.sessions.clone(), live.clone());
    let tunnel = tokio::spawn(async move { sessions.ended(&watched).await });
    setting.end_elsewhere(&cookie).await;
    setting.eventually("the push", async || !setting.cached(&live)).await;
    assert!(setting.listens(), "told, not timed out");
    assert!(setting.ended(&cookie).await);
    tokio::time::timeout(BOUND, tunnel).await.expect("the tunnel is still open").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ended_elsewhere_leaves_the_cache() {
    ends_when_ended_elsewhere(Setting::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ended_elsewhere_leaves_the_cache_over_a_cluster() {
    ends_when_ended_elsewhere(Setting::cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_falls_silent_closes_the_cache() {
    let (setting, bridge) = Setting::bridged().await;
    setting.listening().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    assert!(setting.cached(&live));
    bridge.deaf.store(true, Ordering::SeqCst);
    setting.end_elsewhere(&cookie).await;
    let begun = std::time::Instant::now();
    setting.eventually("the end of the session", async || setting.ended(&cookie).await).await;
    println!("served for {:?} after its end", begun.elapsed());
    assert!(!setting.listens());
    // Read through meanwhile; open again once Redis tells again.
    let again = setting.sign_in(&ada()).await;
    setting.live(&again).await;
    bridge.deaf.store(false, Ordering::SeqCst);
    setting.listening().await;
    setting.live(&again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_redis_serves_nobody_from_memory_for_long() {
    let (setting, bridge) = Setting::bridged().await;
    setting.listening().await;
    let cookie = setting.sign_in(&ada()).await;
    setting.live(&cookie).await;
    bridge.silent.store(true, Ordering::SeqCst);
    setting.eventually("the end of the lease", async || !setting.listens()).await;
    assert!(matches!(setting.resume(&cookie).await, Resumed::Unreachable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_ends_by_the_round_while_nobody_tells() {
    let (setting, bridge) = Setting::bridged().await;
    setting.listening().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    let sessions = setting.sessions.clone();
    let tunnel = tokio::spawn(async move { sessions.ended(&live).await });
    bridge.deaf.store(true, Ordering::SeqCst);
    setting.end_elsewhere(&cookie).await;
    tokio::time::timeout(BOUND, tunnel).await.expect("the tunnel is still open").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_track_is_read_through() {
    let mut servers = Servers::new();
    let port = servers.start(&[]);
    ask(port, &["ACL", "SETUSER", "default", "-client|tracking"]).unwrap();
    let prefix = "test:".to_owned();
    let setting = Setting::over(redis_store(&format!("redis://127.0.0.1:{port}"), &prefix), None, prefix);
    let cookie = setting.sign_in(&ada()).await;
    for _ in 0..3 {
        setting.live(&cookie).await;
    }
    assert!(!setting.listens());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_say_who_it_is_is_read_through() {
    let mut servers = Servers::new();
    let port = servers.start(&[]);
    ask(port, &["ACL", "SETUSER", "default", "-info"]).unwrap();
    let prefix = "test:".to_owned();
    let setting = Setting::over(redis_store(&format!("redis://127.0.0.1:{port}"), &prefix), None, prefix);
    let cookie = setting.sign_in(&ada()).await;
    for _ in 0..3 {
        setting.live(&cookie).await;
    }
    assert!(!setting.listens());
}

/// As when a name in DNS or a balancer leads elsewhere: the link that listens stays where it is, the other is made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_from_one_server_while_another_tells_of_changes() {
    let mut servers = Servers::new();
    let first = servers.start(&[]);
    let second = servers.start(&["--replicaof", &format!("127.0.0.1 {first}")]);
    let bridge = Bridge::to(first).await;
    let prefix = "test:".to_owned();
    let setting = Setting::over(redis_store(&bridge.url(), &prefix), None, prefix);
    setting.listening().await;
    let cookie = setting.sign_in(&ada()).await;
    let live = setting.live(&cookie).await;
    let record = format!("test:s:{}", live.key.hex());
    until("the session on the replica", || ask(second, &["EXISTS", &record]).is_some_and(|said| said.contains('1')));
    ask(second, &["REPLICAOF", "NO", "ONE"]).unwrap();
    bridge.lead_to(second);
    // A question, and so a link to the second.
    let bob = setting.sign_in(&Account::for_testing("bob")).await;
    assert_eq!(ask(second, &["KEYS", "test:s:*"]).unwrap().matches("test:s:").count(), 2, "bob signed in there");
    setting.live(&bob).await;
    setting.live(&cookie).await;
    ask(second, &["DEL", &record]).unwrap();
    setting.eventually("the end", async || setting.ended(&cookie).await).await;
    setting.listening().await;
    setting.live(&bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_go_on_after_a_failover_and_end_where_they_are_now() {
    let mut servers = Servers::new();
    let first = servers.start(&[]);
    let second = servers.start(&["--replicaof", &format!("127.0.0.1 {first}")]);
    let sentinel = servers.sentinel(first);
    until("the replica", || {
        ask(sentinel, &["SENTINEL", "REPLICAS", "main"]).is_some_and(|known| known.contains(&second.to_string()))
            && ask(second, &["INFO", "replication"]).is_some_and(|state| state.contains("master_link_status:up"))
    });
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/main");
    let prefix = "test:".to_owned();
    let setting = Setting::over(redis_store(&url, &prefix), None, prefix);
    setting.listening().await;
    let cookie = setting.sign_in(&ada()).await;
    setting.live(&cookie).await;
    until("the session on the replica", || {
        ask(second, &["KEYS", "test:s:*"]).is_some_and(|keys| keys.contains("test:s:"))
    });
    until("the failover", || ask(sentinel, &["SENTINEL", "FAILOVER", "main"]).is_some());
    // What the old one still accepts meanwhile, Redis loses: that is no business of ours.
    until("the new primary", || {
        ask(second, &["ROLE"]).is_some_and(|role| role.contains("master"))
            && ask(first, &["ROLE"]).is_some_and(|role| role.contains("slave"))
    });
    // Writing works again, by itself.
    let begun = std::time::Instant::now();
    let bob = Account::for_testing("bob");
    while setting.start(&bob, false).await.is_err() {
        assert!(begun.elapsed() < 2 * BOUND, "no sign-in after the failover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let live = setting.live(&cookie).await;
    setting.listening().await;
    let records = ask(second, &["KEYS", "test:s:*"]).unwrap();
    assert_eq!(records.matches("test:s:").count(), 2, "{records}");
    // What happens on the new primary is heard.
    setting.live(&cookie).await;
    ask(second, &["DEL", &format!("test:s:{}", live.key.hex())]).unwrap();
    setting.eventually("the end", async || setting.ended(&cookie).await).await;
}

/// Far above what is promised, far below "for ever": timings decide no test.
const BOUND: Duration = Duration::from_secs(8);
