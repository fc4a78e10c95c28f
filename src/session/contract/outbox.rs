//! From a change in the accounts database to the sessions, by the drain.

use secrecy::SecretString;

use super::{bridge::Bridge, *};
use crate::{
    config::{accounts::Database, mail::Mail, verify::Verify},
    identity::{self, Identity, people::Addition},
    mail::Post,
    session::outbox::drain,
    storage::Db,
    verify::Verifier,
};

/// Accounts in a folder of their own, and one person in them.
pub(super) async fn accounts(folder: &TempDir, clock: &Clock) -> (Identity, Account) {
    let identity = Identity::new(
        Db::new(&Database::Sqlite("accounts.db".into()), folder.path()).unwrap(),
        identity::Settings::default(),
        Post::start(Mail::default(), None).unwrap(),
        Verifier::new(Verify::default(), clock.clone(), Entropy::System).unwrap(),
        Entropy::System,
    );
    identity.migrate().await.unwrap();
    let addition = Addition {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        username: "ada".into(),
        email: "ada@example.org".into(),
        groups: vec!["staff".into()],
        password: SecretString::from("correct horse battery staple"),
        admin: false,
    };
    let account = identity.add(addition, clock.now()).await.unwrap();
    (identity, account)
}

on_all! {
    async fn a_change_reaches_the_sessions_and_is_then_settled(setting: Setting) {
        let folder = tempfile::tempdir().unwrap();
        let (identity, account) = accounts(&folder, &setting.clock).await;
        let drain = tokio::spawn(drain(identity.clone(), setting.sessions.clone()));
        let cookie = setting.sign_in(&account).await;
        let now = setting.clock.now();
        let row = identity.set_groups(&account.id, &["night".into()], now).await.unwrap();
        setting.sessions.settled(row).await.unwrap();
        assert_eq!(setting.live(&cookie).await.record.groups, ["night"]);
        let row = identity.disable(&account.id, now).await.unwrap();
        setting.sessions.settled(row).await.unwrap();
        assert!(setting.ended(&cookie).await);
        assert!(setting.start(&account, false).await.is_err(), "a proof from before does not help");
        assert!(identity.changes(10).await.unwrap().is_empty());
        drain.abort();
    }

    async fn another_nodes_change_is_applied_without_anybody_waiting(setting: Setting) {
        let folder = tempfile::tempdir().unwrap();
        let (identity, account) = accounts(&folder, &setting.clock).await;
        let cookie = setting.sign_in(&account).await;
        let drain = tokio::spawn(drain(identity.clone(), setting.sessions.clone()));
        identity.disable(&account.id, setting.clock.now()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert!(setting.ended(&cookie).await);
        drain.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_made_while_redis_is_down_is_kept_and_applied_once_it_is_back() {
    let bridge = Bridge::at("127.0.0.1:0".parse().unwrap()).await;
    let prefix = format!("test:{}:", uuid::Uuid::new_v4());
    let setting = Setting::over(redis_store(&bridge.url(), &prefix), None, prefix);
    let folder = tempfile::tempdir().unwrap();
    let (identity, account) = accounts(&folder, &setting.clock).await;
    let cookie = setting.sign_in(&account).await;
    let address = bridge.down().await;
    let drain = tokio::spawn(drain(identity.clone(), setting.sessions.clone()));
    let row = identity.disable(&account.id, setting.clock.now()).await.unwrap();
    assert!(setting.sessions.settled(row).await.is_err(), "nobody is told that it is done");
    assert_eq!(identity.changes(10).await.unwrap().len(), 1);
    let _bridge = Bridge::at(address).await;
    setting.sessions.settled(row).await.unwrap();
    assert!(setting.ended(&cookie).await);
    drain.abort();
}
