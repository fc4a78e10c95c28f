//! One contract, held by both backends: each fact is run in memory with a file behind it and on a real Redis.

use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::{
    config::{session::Redis as Servers, verify::Channel},
    storage::redis::Link,
};

const STEPS: Steps =
    Steps { free: 2, waits: &[Duration::from_secs(1), Duration::from_secs(60)], halve: Duration::from_secs(900) };

/// A backend, and where it is found again.
struct Setting {
    limits: Limits,
    folder: Option<TempDir>,
    prefix: String,
    now: UnixMillis,
}

impl Setting {
    async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits::embedded(folder.path()).await.unwrap();
        Self { limits, folder: Some(folder), prefix: String::new(), now: Clock::System.now() }
    }

    async fn redis() -> Self {
        let prefix = format!("test:{}:", uuid::Uuid::new_v4());
        // Redis has a clock of its own, which lets keys run out.
        Self { limits: redis(&prefix), folder: None, prefix, now: Clock::System.now() }
    }

    /// Another process over the same.
    async fn restarted(mut self) -> Self {
        self.limits.close().await;
        self.limits = match &self.folder {
            Some(folder) => Limits::embedded(folder.path()).await.unwrap(),
            None => redis(&self.prefix),
        };
        self
    }

    async fn admit(&self, admission: &Admission) -> Option<UnixMillis> {
        self.limits.admit(admission, self.now).await.unwrap()
    }

    async fn claim(&self, key: Key, wanted: Wait) -> Result<Claim, UnixMillis> {
        self.limits.claim(key, wanted, self.now).await.unwrap()
    }

    fn wait(&self, account: &str, proved: bool) -> Wait {
        let until = self.now.plus(Duration::from_secs(600));
        Wait { account: id(account), until, proved, started: None }
    }
}

fn redis(prefix: &str) -> Limits {
    let url =
        std::env::var("VESTIBULE_TEST_REDIS").expect("run `cargo xtask test`: it starts the services these tests need");
    Limits::shared(Link::under(&Servers::parse(&url).unwrap(), prefix).unwrap())
}

fn id(name: &str) -> AccountId {
    AccountId(name.into())
}

/// A try by one name from one network.
fn by(name: &str, network: &str) -> Admission {
    Admission {
        pair: Some((key(&["pair", network, name]), STEPS)),
        network: Some((key(&["network", network]), Steps { free: 6, ..STEPS })),
        subject: Some((key(&["subject", name]), Steps { free: 4, ..STEPS })),
        usual: Some(key(&["usual", network, name])),
        distinct: false,
    }
}

macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($setting:ident: Setting) $body:block)+) => {
        $($(#[$meta])* async fn $name($setting: Setting) $body)+

        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Setting::embedded().await).await;
            })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Setting::redis().await).await;
            })+
        }
    };
}

on_both! {
    async fn a_volley_gets_no_more_tries_than_a_queue(setting: Setting) {
        let (limits, now) = (&setting.limits, setting.now);
        let volley = (0..50).map(|_| {
            let limits = limits.clone();
            tokio::spawn(async move { limits.admit(&by("ada", "1"), now).await.unwrap().is_none() })
        });
        let mut admitted = 0;
        for one in volley.collect::<Vec<_>>() {
            admitted += u32::from(one.await.unwrap());
        }
        assert_eq!(admitted, 2);
    }

    async fn a_restart_forgets_nothing(setting: Setting) {
        let (code, number) = (key(&["code"]), key(&["number"]));
        let started = Started { verification: "VE1".into(), channel: Channel::Sms, sent_at: setting.now };
        for _ in 0..3 {
            setting.limits.count(code, setting.now).await.unwrap().unwrap();
        }
        setting.claim(number, setting.wait("ada", false)).await.unwrap();
        setting.limits.sent(number, &id("ada"), &started).await.unwrap();
        for _ in 0..2 {
            assert_eq!(setting.admit(&by("ada", "1")).await, None);
        }
        let usual = Correction { forgotten: vec![], taken_back: vec![], usual: Some(key(&["usual", "9", "ada"])) };
        setting.limits.correct(&usual, setting.now).await.unwrap();
        let setting = setting.restarted().await;
        assert_eq!(setting.admit(&by("ada", "1")).await, Some(setting.now.plus(Duration::from_secs(1))));
        for network in ["2", "3"] {
            assert_eq!(setting.admit(&by("ada", network)).await, None);
        }
        assert!(setting.admit(&by("ada", "4")).await.is_some(), "four were counted for the account");
        assert_eq!(setting.admit(&by("ada", "9")).await, None, "a usual network");
        assert_eq!(setting.limits.window(code, setting.now).await.unwrap(), Window { began: setting.now, tries: 3 });
        let taken = setting.claim(number, setting.wait("grace", true)).await.unwrap();
        assert_eq!(taken, Claim::Taken(Wait { started: Some(started), ..setting.wait("ada", false) }));
    }

    async fn what_was_taken_back_does_not_count(setting: Setting) {
        let ada = by("ada", "1");
        let keys = [ada.pair, ada.network, ada.subject].map(|bound| bound.unwrap().0);
        for _ in 0..10 {
            assert_eq!(setting.admit(&ada).await, None);
            let undone = Correction { forgotten: vec![], taken_back: keys.to_vec(), usual: None };
            setting.limits.correct(&undone, setting.now).await.unwrap();
        }
        for _ in 0..2 {
            assert_eq!(setting.admit(&ada).await, None);
        }
        assert!(setting.admit(&ada).await.is_some());
        let forgotten = Correction { forgotten: vec![keys[0]], taken_back: vec![], usual: None };
        setting.limits.correct(&forgotten, setting.now).await.unwrap();
        assert_eq!(setting.admit(&ada).await, None, "the pair starts anew");
    }

    async fn a_network_counts_each_pair_once_where_it_counts_pairs(setting: Setting) {
        let number = |name: &str| Admission {
            pair: Some((key(&["pair", name]), Steps { free: u32::MAX, waits: &[], ..STEPS })),
            network: Some((key(&["network"]), STEPS)),
            subject: None,
            usual: None,
            distinct: true,
        };
        for name in ["1", "1", "1", "2", "2"] {
            assert_eq!(setting.admit(&number(name)).await, None);
        }
        assert!(setting.admit(&number("3")).await.is_some());
        assert_eq!(setting.admit(&number("1")).await, None);
    }

    async fn five_wrong_codes_close_a_window_until_it_ends(setting: Setting) {
        let code = key(&["code"]);
        let (limits, now) = (&setting.limits, setting.now);
        let volley = (0..20).map(|_| {
            let limits = limits.clone();
            tokio::spawn(async move { limits.count(code, now).await.unwrap().is_ok() })
        });
        let mut counted = 0;
        for one in volley.collect::<Vec<_>>() {
            counted += u32::from(one.await.unwrap());
        }
        assert_eq!(counted, Window::TRIES);
        limits.take_back(code).await.unwrap();
        let window = limits.count(code, now).await.unwrap().unwrap();
        assert_eq!(window, Window { began: now, tries: Window::TRIES });
        let later = now.plus(Duration::from_secs(599));
        assert_eq!(limits.count(code, later).await.unwrap(), Err(window));
        let over = now.plus(Window::SPAN);
        assert_eq!(limits.count(code, over).await.unwrap(), Ok(Window { began: over, tries: 1 }));
        limits.clear(code).await.unwrap();
        assert_eq!(limits.window(code, over).await.unwrap().tries, 0);
    }

    async fn a_number_waits_for_one_account(setting: Setting) {
        let number = key(&["number"]);
        let (limits, now) = (&setting.limits, setting.now);
        let started = Started { verification: "VE1".into(), channel: Channel::Call, sent_at: now };
        assert_eq!(setting.claim(number, setting.wait("ada", false)).await, Ok(Claim::Fresh));
        limits.sent(number, &id("ada"), &started).await.unwrap();
        limits.sent(number, &id("grace"), &Started { verification: "VE2".into(), ..started.clone() }).await.unwrap();
        let until = setting.wait("ada", false).until;
        assert_eq!(setting.claim(number, setting.wait("grace", false)).await, Err(until));
        assert_eq!(setting.claim(number, setting.wait("ada", false)).await, Ok(Claim::Renewed));
        limits.release(number, &id("grace")).await.unwrap();
        assert!(!limits.lost(number, &id("ada"), now).await.unwrap());
        let before = Wait { started: Some(started), ..setting.wait("ada", false) };
        let taken = setting.claim(number, setting.wait("grace", true)).await;
        assert_eq!(taken, Ok(Claim::Taken(before.clone())), "who proved it goes first");
        assert!(limits.lost(number, &id("ada"), now).await.unwrap());
        limits.restore(number, &id("ada"), before.clone()).await.unwrap();
        assert!(limits.lost(number, &id("ada"), now).await.unwrap(), "only from whom it waits for");
        limits.restore(number, &id("grace"), before).await.unwrap();
        assert!(!limits.lost(number, &id("ada"), now).await.unwrap());
        limits.release(number, &id("ada")).await.unwrap();
        assert_eq!(setting.claim(number, setting.wait("grace", false)).await, Ok(Claim::Fresh));
        let over = now.plus(Duration::from_secs(600));
        assert!(!limits.lost(number, &id("ada"), over).await.unwrap());
        let wanted = Wait { until: over.plus(Duration::from_secs(600)), ..setting.wait("ada", false) };
        assert_eq!(limits.claim(number, wanted, over).await.unwrap(), Ok(Claim::Fresh), "nothing waits longer");
    }

    async fn one_of_many_claims_at_once_succeeds(setting: Setting) {
        let number = key(&["number"]);
        let claims = (0..20).map(|account| {
            let (limits, now) = (setting.limits.clone(), setting.now);
            let wanted = setting.wait(&format!("account {account}"), false);
            tokio::spawn(async move { limits.claim(number, wanted, now).await.unwrap().is_ok() })
        });
        let mut succeeded = 0;
        for one in claims.collect::<Vec<_>>() {
            succeeded += u32::from(one.await.unwrap());
        }
        assert_eq!(succeeded, 1);
    }
}

/// What may happen in a history.
#[derive(Clone, Debug)]
enum Step {
    Try { name: u8, network: u8, distinct: bool },
    Later(u64),
    TakeBack(u8),
    Succeed { name: u8, network: u8 },
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    use proptest::prelude::*;
    let step = prop_oneof![
        6 => (0..3_u8, 0..3_u8, any::<bool>()).prop_map(|(name, network, distinct)| Step::Try { name, network, distinct }),
        3 => prop_oneof![0..3_000_u64, 0..70_000_u64, 0..4_000_000_u64].prop_map(Step::Later),
        1 => (0..3_u8).prop_map(Step::TakeBack),
        1 => (0..3_u8, 0..3_u8).prop_map(|(name, network)| Step::Succeed { name, network }),
    ];
    proptest::collection::vec(step, 1..60)
}

#[test]
fn the_script_and_the_rule_agree_over_any_history() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    proptest::proptest!(proptest::test_runner::Config::with_cases(40), |(history in steps())| {
        runtime.block_on(async {
            let (script, rule) = (Setting::redis().await.limits, Limits::default());
            let mut now = Clock::System.now();
            for (place, step) in history.iter().enumerate() {
                let (name, network) = match step {
                    Step::Try { name, network, .. } | Step::Succeed { name, network } => (*name, *network),
                    Step::TakeBack(name) => (*name, 0),
                    Step::Later(millis) => {
                        now = now.plus(Duration::from_millis(*millis));
                        continue;
                    }
                };
                let mut admission = by(&name.to_string(), &network.to_string());
                let keys = [admission.pair, admission.network, admission.subject].map(|bound| bound.unwrap().0);
                let correction = match step {
                    Step::Try { distinct, .. } => {
                        admission.distinct = *distinct;
                        let (one, two) = (script.admit(&admission, now).await, rule.admit(&admission, now).await);
                        assert_eq!(one.unwrap(), two.unwrap(), "step {place} of {history:?}");
                        continue;
                    }
                    Step::TakeBack(_) => Correction { forgotten: vec![], taken_back: keys.to_vec(), usual: None },
                    _ => Correction {
                        forgotten: vec![keys[0]],
                        taken_back: keys[1..].to_vec(),
                        usual: admission.usual,
                    },
                };
                script.correct(&correction, now).await.unwrap();
                rule.correct(&correction, now).await.unwrap();
            }
        });
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_names_use_bounded_memory_and_rows() {
    let setting = Setting::embedded().await;
    for name in 0..TALLIES {
        setting.admit(&by(&format!("name {name}"), &(name / 5).to_string())).await;
    }
    let Limits::Own(own) = &setting.limits else { panic!("embedded") };
    let (held, rows) = own.count_all(setting.now).await;
    assert!(held <= TALLIES, "{held} in memory");
    assert!(rows > TALLIES / 2 && rows <= TALLIES, "{rows} rows");
    let guessed = by("ada", "guesser");
    for _ in 0..2 {
        assert_eq!(setting.admit(&guessed).await, None);
    }
    assert!(setting.admit(&guessed).await.is_some());
    assert!(setting.restarted().await.admit(&guessed).await.is_some(), "what counted most stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_redis_run_out_with_what_they_count() {
    let setting = Setting::redis().await;
    for _ in 0..2 {
        assert_eq!(setting.admit(&by("ada", "1")).await, None);
    }
    let Limits::Shared(shared) = &setting.limits else { panic!("Redis") };
    let left = shared.left(&by("ada", "1").pair.unwrap().0).await;
    assert!((1_700_000..=1_800_000).contains(&left), "two halvings: {left} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_nothing_is_admitted_and_nobody_waits_long() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // It accepts and never says a word.
    let servers = Servers::parse(&format!("redis://{}", listener.local_addr().unwrap())).unwrap();
    let limits = Limits::shared(Link::under(&servers, "test:").unwrap());
    let bounded = tokio::time::timeout(Duration::from_secs(30), limits.admit(&by("ada", "1"), UnixMillis(1))).await;
    assert!(bounded.unwrap().is_err());
}

/// Before the tests' Redis: hands everything on, and cuts the link instead of bringing the answer to what runs a script,
/// as often as it is told to.
async fn cutting(cuts: Arc<std::sync::atomic::AtomicU32>) -> String {
    use std::sync::atomic::Ordering::SeqCst;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = url::Url::parse(&std::env::var("VESTIBULE_TEST_REDIS").unwrap()).unwrap();
    let server = format!("{}:{}", server.host_str().unwrap(), server.port().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (server, cuts) = (server.clone(), cuts.clone());
            tokio::spawn(async move {
                let mut redis = tokio::net::TcpStream::connect(server).await.unwrap();
                let (mut asked, mut answered) = ([0; 64 << 10], [0; 64 << 10]);
                let mut script = false;
                loop {
                    tokio::select! {
                        count = client.read(&mut asked) => match count {
                            Ok(count) if count > 0 => {
                                script = asked[..count].windows(7).any(|part| part == b"EVALSHA");
                                redis.write_all(&asked[..count]).await.unwrap();
                            }
                            _ => return,
                        },
                        count = redis.read(&mut answered) => match count {
                            Ok(count) if count > 0 => {
                                // An unknown script is no work done.
                                let done = script && !answered.starts_with(b"-NOSCRIPT");
                                if done && cuts.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
                                    return;
                                }
                                client.write_all(&answered[..count]).await.unwrap();
                            }
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_breaks_before_the_answer_counts_nothing_twice() {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    let cuts = Arc::new(AtomicU32::default());
    let url = cutting(cuts.clone()).await;
    let prefix = format!("test:{}:", uuid::Uuid::new_v4());
    let limits = Limits::shared(Link::under(&Servers::parse(&url).unwrap(), &prefix).unwrap());
    let setting = Setting { limits: limits.clone(), folder: None, prefix, now: Clock::System.now() };
    let cut_next = || cuts.store(1, SeqCst);
    let was_cut = || assert_eq!(cuts.load(SeqCst), 0, "the link broke");
    let code = key(&["code"]);
    let window = |tries| Window { began: setting.now, tries };
    cut_next();
    assert_eq!(limits.count(code, setting.now).await.unwrap(), Ok(window(1)));
    was_cut();
    assert_eq!(limits.count(code, setting.now).await.unwrap(), Ok(window(2)));
    cut_next();
    limits.take_back(code).await.unwrap();
    was_cut();
    assert_eq!(limits.window(code, setting.now).await.unwrap(), window(1));
    // Two are free; the second is refused when the first counts as two.
    cut_next();
    assert_eq!(setting.admit(&by("ada", "1")).await, None);
    was_cut();
    assert_eq!(setting.admit(&by("ada", "1")).await, None);
    let ada = by("ada", "1");
    let keys = [ada.pair, ada.network, ada.subject].map(|bound| bound.unwrap().0);
    cut_next();
    limits
        .correct(&Correction { forgotten: vec![], taken_back: keys.to_vec(), usual: None }, setting.now)
        .await
        .unwrap();
    was_cut();
    assert_eq!(setting.admit(&ada).await, None, "one was taken back");
    assert!(setting.admit(&ada).await.is_some(), "and only one");
    cut_next();
    let number = key(&["number"]);
    assert_eq!(setting.claim(number, setting.wait("ada", false)).await, Ok(Claim::Fresh));
    was_cut();
}
