//! SCENARIO 21: people of another system sign in with the password they had, which is then stored anew.

use std::time::{Duration, Instant};

use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};

use crate::support::{
    client::Browser,
    program::{Program, Setup},
};

/// What the hashes beneath are of.
const PASSWORD: &str = "violet-tram-undid-47";

async fn stage(files: &[(&str, &str)]) -> Program {
    let program = Setup::demo().start().await;
    program.ready().await;
    for (name, text) in files {
        std::fs::write(program.config.with_file_name(name), text).unwrap();
    }
    program
}

async fn stored(program: &Program, username: &str) -> Option<String> {
    let options = SqliteConnectOptions::new().filename(program.data.join("accounts.db")).read_only(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let sql = "SELECT password_hash FROM accounts WHERE username = $1";
    let hash = sqlx::query_scalar(sql).bind(username).fetch_optional(&pool).await.unwrap();
    pool.close().await;
    hash
}

/// Wrong once, right twice; what is stored in between.
async fn signs_in_and_is_upgraded(program: &Program, username: &str) {
    let before = stored(program, username).await.unwrap();
    assert!(!before.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{username}");
    Browser::new(program).sign_in(username, "violet-tram-undid-48").await.expect(401);
    assert_eq!(stored(program, username).await.unwrap(), before, "{username}");
    for _ in 0..2 {
        let mut browser = Browser::new(program).signed_in(username, PASSWORD).await;
        assert_eq!(browser.api("/.auth/me").await.expect(200).json()["username"], username);
        let hash = stored(program, username).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{username}: {hash}");
    }
}

const CSV: &str = "username,email,first_name,last_name,groups,password_hash,disabled
werkzeug,werkzeug@example.org,Ada,Lovelace,staff;wiki,scrypt:32768:8:1$M4n14udDOmO51J8O$85be1e43c2489f95268153764ffc2bfc4d89ee83c83c9cbd1946bdcd7bbc0e4016818e4cb2d7742719595be3d9ea466d43c1f2c6da338023aa819a00cb0b6fc5,
older,older@example.org,,,,pbkdf2:sha256:600000$Byi61cO0rDL1gurU$1b04f9d6262032ac17f3ab69768669d909818f17b6d1ce22737ab84b94111370,false
away,away@example.org,,,,pbkdf2:sha256:600000$Byi61cO0rDL1gurU$1b04f9d6262032ac17f3ab69768669d909818f17b6d1ce22737ab84b94111370,true
";
const DJANGO: &str = r#"[{"model": "auth.group", "pk": 3, "fields": {"name": "editors"}},
{"model": "auth.user", "pk": 1, "fields": {"username": "django", "email": "django@example.org", "is_superuser": true,
"password": "pbkdf2_sha256$1000000$jbDePT0NBkpxhPmQmreN2B$lp2lkTD3gx3qcqu7Re74e4Cv2uXomXbXMVlAG3iAFwA=", "groups": [3]}},
{"model": "auth.user", "pk": 2, "fields": {"username": "sha256", "email": "sha256@example.org",
"password": "bcrypt_sha256$$2b$12$EBWOFfMbcEyOwaE6vs5CkuLKUX.rQ2GvvqIL2JvDflipX2s4RhVOa"}}]"#;
const HTPASSWD: &str = "# people
apache:$apr1$2/9QvfCr$D9UtI/OD1WYTrUUWYv6bY.
sha1:{SHA}sWXQbaK15eo1O7R3mbJNjng7tcU=
bcrypt:$2y$05$Roy5s2e.Jsj04MN1xDJQuOl3YLLBY6PNdrFwd/ze55bUMEWoXpirK
";
const AUTHELIA: &str = "users:
  authelia:
    displayname: 'Grace Hopper'
    password: '$6$rounds=10000$xEhqoCIeAhGIYJ82$2UiEuSZ3u5KMCO2y.RIzrTjfcnDTUiID3Ff9NtPNYiRMMvVgqeOd1.y7Xr2S2nGfNMNyWBSdAOFOh9r4VWsJs0'
    email: authelia@example.org
    groups: [dev, 'ops']
";

#[tokio::test]
async fn people_of_other_systems_sign_in_with_their_password_and_are_upgraded() {
    let files = [("a.csv", CSV), ("b.json", DJANGO), ("c.htpasswd", HTPASSWD), ("d.yml", AUTHELIA)];
    let program = stage(&files).await;
    let said = program.run(&["user", "import", "a.csv", "--group", "all"], "");
    assert!(said.contains("Imported 3 people. Their passwords work as before"), "{said}");
    assert!(said.contains("1 person: disabled"), "{said}");
    let said = program.run(&["user", "import", "b.json", "--admins"], "");
    assert!(said.contains("Imported 2 people, 1 in the administrators' group."), "{said}");
    let said = program.run(&["user", "import", "c.htpasswd", "--email-domain", "example.org"], "");
    assert!(said.contains("3 people: with an address still to be confirmed"), "{said}");
    program.run(&["user", "import", "--format", "authelia", "-"], AUTHELIA);
    let names = ["werkzeug", "older", "django", "sha256", "apache", "sha1", "bcrypt", "authelia"];
    for name in names {
        signs_in_and_is_upgraded(&program, name).await;
    }
    Browser::new(&program).sign_in("away", PASSWORD).await.expect(401);
    let mut ada = Browser::new(&program).signed_in("werkzeug@example.org", PASSWORD).await;
    let me = ada.api("/.auth/me").await.json();
    assert_eq!((&me["name"], &me["groups"]), (&"Ada Lovelace".into(), &serde_json::json!(["all", "staff", "wiki"])));
    let card = program.run(&["user", "show", "django"], "");
    assert!(card.contains("admin, editors"), "{card}");
}

#[tokio::test]
async fn a_list_with_a_mistake_is_refused_with_lines_and_fields_and_writes_nothing() {
    let bad = CSV.replace("older@example.org", "nowhere").replace(",true", ",maybe").replace("scrypt:", "md4:");
    let program = stage(&[("bad.csv", &bad), ("good.csv", CSV)]).await;
    let output = program.command(&["user", "import", "bad.csv"], "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "EX_DATAERR: {said}");
    for part in ["3 problems", "line 3, email: ", "line 4, disabled: ", "line 2, password_hash: ", "--without-password"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("85be1e43"), "a hash is never repeated");
    let said = program.run(&["user", "import", "good.csv", "--dry-run"], "");
    assert!(said.contains("Nothing was written. 3 people would be imported."), "{said}");
    for name in ["werkzeug", "older", "away"] {
        assert_eq!(stored(&program, name).await, None);
    }
    assert_eq!(program.command(&["user", "import", "absent.csv"], "").status.code(), Some(66), "EX_NOINPUT");
    assert_eq!(program.command(&["user", "import", "-"], "ada:x\n").status.code(), Some(65), "of no plain format");
}

/// What an import of so many cost.
#[derive(Debug)]
struct Cost {
    took: Duration,
    peak_kib: u64,
    /// The longest that one change of a profile waited meanwhile, and how many were refused.
    longest_wait: Duration,
    refused: usize,
}

/// Imports made-up people beside a server that is used.
async fn bulk(people: usize) -> Cost {
    let mut list = String::from("username,email,first_name,last_name,groups,password_hash\n");
    for number in 0..people {
        let hash =
            "pbkdf2:sha256:600000$Byi61cO0rDL1gurU$1b04f9d6262032ac17f3ab69768669d909818f17b6d1ce22737ab84b94111370";
        list += &format!("p{number},p{number}@example.org,Test,Number {number},staff;wiki,{hash}\n");
    }
    let program = stage(&[("many.csv", &list)]).await;
    program.add_person("ada", PASSWORD, false);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let start = Instant::now();
    let mut import = program.begin(&["user", "import", "many.csv"]);
    let status = format!("/proc/{}/status", import.id());
    let mut cost = Cost { took: Duration::ZERO, peak_kib: 0, longest_wait: Duration::ZERO, refused: 0 };
    let ended = loop {
        if let Some(ended) = import.try_wait().unwrap() {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        cost.peak_kib = cost.peak_kib.max(peak.unwrap_or(0));
        let page = "/.auth/profile/edit";
        let fields = [("first_name", "Ada"), ("last_name", "L"), ("username", "ada"), ("about_me", "here")];
        let asked = Instant::now();
        let reply = ada.submit(page, page, &fields).await;
        cost.longest_wait = cost.longest_wait.max(asked.elapsed());
        if reply.status != 303 {
            assert_eq!(reply.status, 503, "resting, and nothing worse: {}", reply.words());
            cost.refused += 1;
        }
    };
    cost.took = start.elapsed();
    let said = std::io::read_to_string(import.stdout.take().unwrap()).unwrap();
    assert!(ended.success() && said.contains(&format!("Imported {people} people.")), "{said}");
    Browser::new(&program).sign_in(&format!("p{}", people - 1), PASSWORD).await.expect(303);
    cost
}

#[tokio::test]
async fn two_thousand_people_come_in_beside_a_server_that_is_used() {
    let cost = bulk(2_000).await;
    // The most that a list may hold stays within what the README says.
    assert!(cost.peak_kib > 0 && cost.peak_kib < 256 << 10, "{cost:?}");
}

/// `cargo test --release --test front_door -- --ignored --nocapture a_hundred_thousand`
#[tokio::test]
#[ignore = "takes a minute, for its figures"]
async fn a_hundred_thousand_people_come_in() {
    let cost = bulk(100_000).await;
    println!("{cost:?}");
    assert!(cost.peak_kib < 256 << 10, "{cost:?}");
}
