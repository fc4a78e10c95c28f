//! One list of facts, run on SQLite and on PostgreSQL.

mod access_tokens;
mod approval;
mod changes;
mod devices;
mod guards;
mod import;
mod invitations;
mod links;
mod register;
mod sign_in;
mod trail;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{account::Account, people::Addition, *};
use crate::{
    config::{
        accounts::{Database, Registration},
        verify::{Provider, Verify},
    },
    inbound::Client,
    mail::Letter,
    world::Clock,
};

/// Runs every fact on both databases.
macro_rules! facts {
    ($($fact:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::super::on_sqlite(|house| Box::pin(async move { super::$fact(&house).await; house })).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::super::on_postgres(|house| Box::pin(async move { super::$fact(&house).await; house })).await;
            })*
        }
    };
}
use facts;

/// An identity room of its own, and what a test sees of the world around it.
pub(super) struct House {
    pub(super) identity: Identity,
    db: Db,
    place: (Database, PathBuf),
    letters: Arc<Mutex<Vec<Letter>>>,
    clock: Clock,
}

/// A password that passes.
pub(super) const PASSWORD: &str = "violet-tram-undid-47";
pub(super) const OTHER_PASSWORD: &str = "copper walrus hums 9 psalms";

impl House {
    async fn new(database: Database, dir: &Path) -> Self {
        let db = Db::new(&database, dir).unwrap();
        let (post, letters) = Post::kept();
        let clock = Clock::manual(UnixMillis(1_700_000_000_000));
        let house =
            Self { identity: build(&db, settings(|_| ()), post), db, place: (database, dir.into()), letters, clock };
        house.identity.migrate().await.unwrap();
        house
    }

    /// The same database under other settings.
    pub(super) fn with(&self, change: impl FnOnce(&mut Settings)) -> Identity {
        build(&self.db, settings(change), self.identity.inner.post.clone())
    }

    /// Another node on the same database, with a pool and a queue of writers of its own.
    pub(super) fn other_node(&self) -> Identity {
        let db = Db::new(&self.place.0, &self.place.1).unwrap();
        build(&db, settings(|_| ()), self.identity.inner.post.clone())
    }

    /// With confirmation by mail.
    pub(super) fn confirming(&self) -> Identity {
        self.with(|settings| settings.accounts.confirm_email = true)
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    pub(super) fn later(&self, span: Duration) -> UnixMillis {
        self.clock.advance(span);
        self.now()
    }

    /// Registers somebody who is active at once.
    pub(super) async fn person(&self, username: &str) -> Account {
        match self.identity.register(form(username), &client(), self.now()).await.unwrap() {
            Registered::Active(account) => *account,
            other => panic!("neither confirmation nor approval was asked for: {other:?}"),
        }
    }

    /// Adds an administrator.
    pub(super) async fn administrator(&self, username: &str) -> Account {
        self.identity.add(addition(username, true), self.now()).await.unwrap()
    }

    pub(super) async fn reload(&self, account: &Account) -> Account {
        self.identity.account(&account.id).await.unwrap().unwrap()
    }

    /// The only mail that came since the last look.
    pub(super) async fn mail(&self) -> Letter {
        let letter = self.one_mail().await;
        assert!(self.letters.lock().unwrap().is_empty(), "more than one mail");
        letter
    }

    /// One of the mails that came.
    pub(super) async fn one_mail(&self) -> Letter {
        for _ in 0..3000 {
            let letter = self.letters.lock().unwrap().pop();
            if let Some(letter) = letter {
                return letter;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no mail came");
    }

    /// The oldest mail to that address; others stay.
    pub(super) async fn mail_to(&self, address: &str) -> Letter {
        for _ in 0..3000 {
            let found = {
                let mut letters = self.letters.lock().unwrap();
                let place = letters.iter().position(|letter| letter.to.to_string() == address);
                place.map(|place| letters.remove(place))
            };
            if let Some(letter) = found {
                return letter;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no mail came to {address}");
    }

    pub(super) async fn no_mail(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(self.letters.lock().unwrap().is_empty());
    }

    /// Outbox rows, oldest first, which are then gone.
    pub(super) async fn drained(&self) -> Vec<outbox::Row> {
        let rows = self.identity.changes(100).await.unwrap();
        for row in &rows {
            self.identity.applied(row.id).await.unwrap();
        }
        rows
    }
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    settings.accounts.registration = Registration::Open;
    settings.password.memory_kib = 64;
    settings.password.iterations = 1;
    change(&mut settings);
    settings
}

fn build(db: &Db, settings: Settings, post: Post) -> Identity {
    let verify = Verify { provider: Provider::Off, ..Verify::default() };
    let verifier = Verifier::new(verify, Clock::System, Entropy::System).unwrap();
    Identity::new(db.clone(), settings, post, verifier, Entropy::System)
}

pub(super) fn form(username: &str) -> NewAccount {
    NewAccount {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        username: username.into(),
        email: format!("{username}@example.org"),
        password: PASSWORD.into(),
        password_confirm: PASSWORD.into(),
    }
}

pub(super) fn addition(username: &str, admin: bool) -> Addition {
    Addition {
        first_name: "Grace".into(),
        last_name: "Hopper".into(),
        username: username.into(),
        email: format!("{username}@example.org"),
        password: PASSWORD.into(),
        groups: vec!["staff".into()],
        admin,
    }
}

pub(super) fn client() -> Client {
    from("192.0.2.1")
}

pub(super) fn from(address: &str) -> Client {
    Client { address: address.parse().unwrap(), via_trusted_proxy: false }
}

/// The token of the link in a mail.
pub(super) fn token(letter: &Letter) -> String {
    let (_, rest) = letter.text.split_once("token=").expect("a link");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

pub(super) fn faulty_fields(refusal: &Refusal) -> Vec<&'static str> {
    match refusal {
        Refusal::Fields(faults) => faults.iter().map(|fault| fault.field).collect(),
        other => panic!("{other:?}"),
    }
}

type Run = std::pin::Pin<Box<dyn Future<Output = House> + Send>>;

async fn on_sqlite(fact: impl FnOnce(House) -> Run) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::Sqlite("accounts.db".into());
    fact(House::new(database, dir.path()).await).await.db.close().await;
}

async fn on_postgres(fact: impl FnOnce(House) -> Run) {
    let server = std::env::var("VESTIBULE_TEST_POSTGRES")
        .expect("run `cargo xtask test`: it starts the services these tests need");
    let name = format!("identity_{}", uuid::Uuid::new_v4().simple());
    let mut link = PgConnection::connect(&server).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut link).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let database = Database::Postgres(format!("{base}/{name}"));
    fact(House::new(database, Path::new(".")).await).await.db.close().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut link).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_down_refuses_every_call_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("not-there-yet");
    let db = Db::new(&Database::Sqlite("accounts.db".into()), &missing).unwrap();
    let (post, _) = Post::kept();
    let identity = build(&db, settings(|_| ()), post);
    let now = UnixMillis(1_700_000_000_000);
    let store = |refusal| matches!(refusal, Refusal::Store(_));
    assert!(store(identity.migrate().await.unwrap_err()));
    assert!(store(identity.ready().await.unwrap_err()));
    assert!(store(identity.authenticate("ada", &PASSWORD.into(), &client(), now).await.unwrap_err()));
    assert!(store(identity.register(form("ada"), &client(), now).await.unwrap_err()));
    assert!(store(identity.forgot("ada@example.org", &client(), now).await.unwrap_err()));
    assert!(store(identity.changes(1).await.unwrap_err()));

    std::fs::create_dir(&missing).unwrap();
    assert!(store(identity.ready().await.unwrap_err()), "not before its tables are there");
    identity.migrate().await.unwrap();
    identity.ready().await.unwrap();
    identity.register(form("ada"), &client(), now).await.unwrap();
}

/// The gateway spawns the pages' futures.
#[test]
fn futures_of_this_room_may_move_between_threads() {
    fn spawnable<T: Send>(_: impl FnOnce(&'static Identity) -> T) {}
    spawnable(|identity| identity.register(form("ada"), Box::leak(Box::new(client())), UnixMillis(0)));
    spawnable(|identity| {
        identity.authenticate("ada", Box::leak(Box::new(PASSWORD.into())), Box::leak(Box::new(client())), UnixMillis(0))
    });
    spawnable(|identity| identity.redeem_setup("", form("ada"), Box::leak(Box::new(client())), UnixMillis(0)));
    spawnable(|identity| identity.reset("", PASSWORD.into(), PASSWORD.into(), UnixMillis(0)));
}
