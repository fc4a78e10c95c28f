//! One list of facts about the kept keys, run on SQLite and on PostgreSQL.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::*;
use crate::{
    config::accounts::Database,
    world::{Clock, UnixMillis},
};

/// Runs every fact on both databases.
macro_rules! facts {
    ($($fact:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $fact() {
                super::on_sqlite(async |house| super::$fact(house).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $fact() {
                super::on_postgres(async |house| super::$fact(house).await).await;
            })*
        }
    };
}

facts! {
    the_first_key_signs_at_once_and_is_kept,
    nodes_that_start_together_share_one_key,
    nodes_that_rotate_together_make_one_key,
    a_key_is_known_before_it_signs_and_after,
    a_replaced_secret_keeps_the_keys_and_seals_them_again,
    keys_of_other_secrets_are_not_used_and_a_new_one_is_made,
    no_private_key_stands_in_the_database_in_clear,
    a_public_key_put_into_the_table_is_not_published,
    keys_in_memory_sign_on_while_the_database_is_down,
}

/// A database of its own and the time.
struct House {
    place: (Database, PathBuf),
    clock: Clock,
}

impl House {
    async fn new(database: Database, dir: &Path) -> Self {
        let house = Self { place: (database, dir.into()), clock: Clock::manual(UnixMillis(1_700_000_000_000)) };
        house.db().migrate().await.unwrap();
        house
    }

    fn db(&self) -> Db {
        Db::new(&self.place.0, &self.place.1).unwrap()
    }

    /// A node with these secrets, the current one first; its keys are not read yet.
    fn node(&self, secrets: &[&str]) -> Node {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
        let settings = Settings { issuer: "https://a".into(), audiences: vec!["https://b".into()], with_email: true };
        let room =
            Assertions::new(settings, self.db(), (&secrets[0], &secrets[1..]), self.clock.clone(), Entropy::System);
        Node(room.unwrap().shared.unwrap())
    }

    /// A node that has looked.
    async fn open(&self, secrets: &[&str]) -> Node {
        let node = self.node(secrets);
        node.look().await;
        node
    }

    fn later(&self, days: f64) {
        self.clock.advance(Duration::from_secs_f64(days * 24.0 * 3600.0));
    }

    async fn rows(&self) -> Vec<ledger::StoredKey> {
        ledger::keys(&mut self.db().read().await.unwrap()).await.unwrap()
    }
}

struct Node(Arc<Shared>);

impl Node {
    async fn look(&self) {
        self.0.refresh(self.0.clock.now()).await.unwrap();
    }

    /// The name of the key that signs now.
    fn signs(&self) -> String {
        self.0.ring.load().signing(self.0.clock.now()).unwrap().kid().to_owned()
    }

    /// The names in `jwks.json`.
    fn published(&self) -> Vec<String> {
        let set: serde_json::Value = serde_json::from_slice(self.0.ring.load().document().unwrap()).unwrap();
        let name = |key: &serde_json::Value| key["kid"].as_str().unwrap().to_owned();
        set["keys"].as_array().unwrap().iter().map(name).collect()
    }
}

async fn the_first_key_signs_at_once_and_is_kept(house: &House) {
    let node = house.node(&["one"]);
    let room = Assertions { shared: Some(Arc::clone(&node.0)) };
    assert!(!room.ready() && room.field(&Arc::new(Record::for_testing()), 0).is_none());
    node.look().await;
    assert!(room.ready());
    assert_eq!(node.published(), [node.signs()]);
    node.look().await;
    assert_eq!(house.open(&["one"]).await.signs(), node.signs(), "after a restart");
    assert_eq!(house.rows().await.len(), 1);
}

async fn nodes_that_start_together_share_one_key(house: &House) {
    let nodes = [(); 4].map(|()| house.node(&["one"]));
    futures_util::future::join_all(nodes.iter().map(Node::look)).await;
    assert_eq!(house.rows().await.len(), 1);
    assert!(nodes.iter().all(|node| node.signs() == nodes[0].signs()));
}

async fn nodes_that_rotate_together_make_one_key(house: &House) {
    let nodes = [house.open(&["one"]).await, house.open(&["one"]).await, house.open(&["one"]).await];
    house.later(29.5);
    futures_util::future::join_all(nodes.iter().map(Node::look)).await;
    assert_eq!(house.rows().await.len(), 2);
    assert!(nodes.iter().all(|node| node.published() == nodes[0].published()));
}

async fn a_key_is_known_before_it_signs_and_after(house: &House) {
    let node = house.open(&["one"]).await;
    let first = node.signs();
    house.later(29.5);
    node.look().await;
    let [old, new] = &node.published()[..] else { panic!("two keys") };
    assert_eq!((old, &node.signs()), (&first, &first), "the new one only waits");
    // It was made half a day late, so that it begins half a day late.
    house.later(0.9);
    assert_eq!(node.signs(), first);
    house.later(0.2);
    assert_eq!(&node.signs(), new, "without another look");
    node.look().await;
    assert_eq!(node.published(), [old.clone(), new.clone()], "what the old one signed still verifies");
    house.later(1.1);
    node.look().await;
    assert_eq!(&node.published(), std::slice::from_ref(new));
    assert_eq!(house.rows().await.len(), 1);
}

async fn a_replaced_secret_keeps_the_keys_and_seals_them_again(house: &House) {
    let first = house.open(&["old"]).await;
    let sealed = house.rows().await;
    let second = house.open(&["new", "old"]).await;
    assert_eq!(second.signs(), first.signs());
    assert_ne!(house.rows().await[0].sealed, sealed[0].sealed);
    assert_eq!(house.open(&["new"]).await.signs(), first.signs(), "the old secret is not needed any more");
    first.look().await;
    assert_eq!(first.published(), second.published(), "a node that was not restarted yet goes on");
}

async fn keys_of_other_secrets_are_not_used_and_a_new_one_is_made(house: &House) {
    let lost = house.open(&["lost"]).await.signs();
    let node = house.open(&["new"]).await;
    assert_ne!(node.signs(), lost);
    assert_eq!(node.published(), [node.signs()]);
    house.later(61.0);
    node.look().await;
    assert!(house.rows().await.iter().all(|row| row.kid != lost), "it goes in the end");
}

async fn no_private_key_stands_in_the_database_in_clear(house: &House) {
    let node = house.open(&["one"]).await;
    let document = node.0.ring.load().signing(house.clock.now()).unwrap().pkcs8().unwrap();
    let sealed = &house.rows().await[0].sealed;
    // Longer than what all PKCS#8 documents of P-256 have in common at any place.
    let parts: Vec<_> = document.windows(8).collect();
    assert!(!sealed.windows(8).any(|part| parts.contains(&part)));
}

async fn a_public_key_put_into_the_table_is_not_published(house: &House) {
    let node = house.open(&["one"]).await;
    let foreign = key::SigningKey::make().unwrap();
    let own = &house.rows().await[0];
    let mut tx = node.0.db.write().await.unwrap();
    for row in [
        ledger::StoredKey::new(foreign.kid(), foreign.pkcs8().unwrap().to_vec(), UnixMillis(0)),
        ledger::StoredKey::new("another name", own.sealed.clone(), UnixMillis(0)),
    ] {
        ledger::insert(&mut tx, &row).await.unwrap();
    }
    tx.commit().await.unwrap();
    node.look().await;
    assert_eq!(node.published(), std::slice::from_ref(&own.kid));
    assert_eq!(house.open(&["one"]).await.published(), std::slice::from_ref(&own.kid));
}

async fn keys_in_memory_sign_on_while_the_database_is_down(house: &House) {
    let node = house.open(&["one"]).await;
    let first = node.signs();
    node.0.db.close().await;
    house.later(90.0);
    assert!(node.0.refresh(house.clock.now()).await.is_err());
    assert_eq!((node.signs(), node.published()), (first.clone(), vec![first]));
}

#[tokio::test]
async fn an_assertion_is_made_once_and_reused_until_half_its_life() {
    on_sqlite(async |house| {
        let room = Assertions { shared: Some(Arc::clone(&house.open(&["one"]).await.0)) };
        let day = house.clock.now().plus(Duration::from_secs(86_400));
        let record = Arc::new(Record { expires_at: day, ..Record::for_testing() });
        let field = |record: &Arc<Record>| room.field(record, 0).unwrap();
        let first = field(&record);
        assert_eq!(field(&record).as_bytes().as_ptr(), first.as_bytes().as_ptr(), "the very same bytes");
        assert_eq!(field(&Arc::new((*record).clone())), first, "read anew from the store");
        let changed = Arc::new(Record { groups: vec!["board".into()], ..(*record).clone() });
        assert_ne!(field(&changed), first, "at once");
        let changed = field(&changed);
        house.clock.advance(Duration::from_secs(149));
        assert_eq!(
            room.field(&Arc::new(Record { groups: vec!["board".into()], ..(*record).clone() }), 0),
            Some(changed)
        );
        house.clock.advance(Duration::from_secs(1));
        let second = field(&record);
        assert_ne!(second, first);
        assert!(second.is_sensitive(), "kept out of logs");
        assert_eq!(room.field(&record, 1), None, "an unknown site");
        assert_eq!(Assertions::off().field(&record, 0), None);
    })
    .await;
}

async fn on_sqlite(fact: impl AsyncFnOnce(&House)) {
    let dir = tempfile::tempdir().unwrap();
    fact(&House::new(Database::Sqlite("accounts.db".into()), dir.path()).await).await;
}

async fn on_postgres(fact: impl AsyncFnOnce(&House)) {
    let server = std::env::var("VESTIBULE_TEST_POSTGRES")
        .expect("run `cargo xtask test`: it starts the services these tests need");
    let name = format!("assertion_{}", uuid::Uuid::new_v4().simple());
    let mut link = PgConnection::connect(&server).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut link).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    fact(&House::new(Database::Postgres(format!("{base}/{name}")), Path::new(".")).await).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut link).await.unwrap();
}
