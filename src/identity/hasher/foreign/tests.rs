//! Hashes that the other systems' own programs made (Werkzeug 3.1.9, Django 5.2.19, passlib 1.7.4, crypt(3), htpasswd 2.4).

use super::{
    super::{Memory, Verified},
    *,
};

#[test]
fn what_other_systems_wrote_fits_its_password_and_no_other() {
    for line in FIXTURES.lines() {
        let hash = Foreign::read(line).unwrap_or_else(|unfit| panic!("{line}: {unfit}"));
        assert!(hash.compare(&PASSWORD.into()).0, "{line}");
        for other in ["violet-tram-undid-48", "", "violet-tram-undid-47 ", "violet-tram-undid-4"] {
            assert!(!hash.compare(&other.into()).0, "{line} fits {other:?}");
        }
        assert_eq!(Adopted::of(line).unwrap().as_str(), line);
    }
}

#[test]
fn passwords_of_every_length_fit_as_the_other_programs_cut_them() {
    for line in LONG_FIXTURES.lines() {
        let (hash, cut) = line.rsplit_once(' ').unwrap();
        let hash = Foreign::read(hash).unwrap();
        let long = "Ä-lang-und-länger ".repeat(5);
        assert!(hash.compare(&long.as_str().into()).0, "{line}");
        let beginning = "Ä-lang-und-länger ".repeat(5).get(..72).unwrap().to_owned();
        assert_eq!(hash.compare(&beginning.into()).0, cut == "cut", "{line}");
    }
}

#[test]
fn djangos_argon2_is_kept_as_everybodys() {
    let adopted = Adopted::of(DJANGO_ARGON2).unwrap();
    assert!(adopted.as_str().starts_with("$argon2id$v=19$"));
    let hasher = crate::identity::hasher::Hasher::new(&settings());
    let (verified, _) = hasher.compare(&PASSWORD.into(), adopted.as_str(), &mut Memory::default());
    assert_eq!(verified, Verified::Outdated);
}

#[test]
fn a_hash_that_is_not_exactly_one_is_refused() {
    for line in FIXTURES.lines() {
        for cut in 1..line.len() {
            // Nothing that was cut short is a hash; what has fewer digits of a number still is one.
            assert!(Adopted::of(&line[..cut]).is_err(), "{}", &line[..cut]);
        }
        for more in [format!("{line}x"), format!("{line}$"), format!(" {line}"), format!("{line}\n")] {
            assert!(Adopted::of(&more).is_err(), "{more:?}");
        }
    }
    for (text, unfit) in [
        ("", Unfit::Unknown),
        ("violet-tram-undid-47", Unfit::Unknown),
        ("$1$salt$hash", Unfit::Unknown),
        ("$2x$05$Roy5s2e.Jsj04MN1xDJQuOl3YLLBY6PNdrFwd/ze55bUMEWoXpirK", Unfit::Unknown),
        ("md5$salt$0cc175b9c0f1b6a831c399e269772661", Unfit::Unknown),
        ("pbkdf2:md5:1000$salt$0cc175b9c0f1b6a831c399e269772661", Unfit::Unknown),
        ("pbkdf2:sha256:0$salt$1b04f9d6262032ac17f3ab69768669d909818f17b6d1ce22737ab84b94111370", Unfit::Malformed),
        ("pbkdf2:sha256:1000$salt$", Unfit::Malformed),
        ("pbkdf2:sha256:1000$salt$1b04", Unfit::Malformed),
        ("scrypt:30000:8:1$salt$1b04f9d6262032ac17f3ab69768669d9", Unfit::Malformed),
        ("$6$rounds=999$salt$x", Unfit::Malformed),
        ("$argon2id$v=19$m=65536,t=3,p=4$+b+3FqJUqpXyfu8do5QSAg", Unfit::Malformed),
        ("{SHA}", Unfit::Malformed),
        ("\u{e9}$", Unfit::Unknown),
    ] {
        assert_eq!(Adopted::of(text), Err(unfit), "{text}");
    }
}

#[test]
fn what_takes_more_than_a_second_or_256_mebibytes_is_refused() {
    let hex = "1b04f9d6262032ac17f3ab69768669d909818f17b6d1ce22737ab84b94111370";
    let bcrypt = "Roy5s2e.Jsj04MN1xDJQuOl3YLLBY6PNdrFwd/ze55bUMEWoXpirK";
    let sha512 = "It6iMaEMZHUmkyqaXKa5.aSPsGmATyNnw.ZFYqpgbtPd.wMKMrin2gBo7hDTu4mnV/CV3NLojHu.pffe8eAX00";
    let argon2 = "+b+3FqJUqpXyfu8do5QSAg$chb8SfT1JZT4TNdLEGpTNIokKuWvU+PG47G6MnrwEzw";
    for (dear, bearable) in [
        ("pbkdf2:sha256:9000000$salt$HEX".to_owned(), "pbkdf2:sha256:1200000$salt$HEX".to_owned()),
        ("pbkdf2:sha256:99999999999$salt$HEX".to_owned(), format!("pbkdf2:sha1:1200000$salt${}", &hex[..40])),
        ("scrypt:524288:8:1$salt$HEXHEX".into(), "scrypt:262144:8:1$salt$HEXHEX".into()),
        ("scrypt:2:8:1000000$salt$HEXHEX".into(), "scrypt:16384:8:5$salt$HEXHEX".into()),
        ("scrypt:32768:8:16$salt$HEXHEX".into(), "scrypt:32768:8:8$salt$HEXHEX".into()),
        (format!("$2y$15${bcrypt}"), format!("$2y$14${bcrypt}")),
        (format!("$6$rounds=9000000$salt${sha512}"), format!("$6$rounds=656000$salt${sha512}")),
        (format!("$argon2id$v=19$m=524288,t=1,p=1${argon2}"), format!("$argon2id$v=19$m=262144,t=3,p=4${argon2}")),
        (format!("$argon2id$v=19$m=65536,t=100,p=1${argon2}"), format!("$argon2id$v=19$m=65536,t=4,p=1${argon2}")),
    ] {
        assert_eq!(Adopted::of(&dear.replace("HEX", hex)), Err(Unfit::Dear), "{dear}");
        assert!(Adopted::of(&bearable.replace("HEX", hex)).is_ok(), "{bearable}");
    }
}

#[test]
fn a_password_that_would_make_it_dearer_is_wrong_without_work() {
    let hash = Foreign::read(FIXTURES.lines().find(|line| line.starts_with("$6$")).unwrap()).unwrap();
    assert_eq!(hash.compare(&"x".repeat(129).into()), (false, 0));
    assert!(hash.compare(&"x".repeat(128).into()).1 > hash.compare(&"x".into()).1);
    let bcrypt = Foreign::read(FIXTURES.lines().find(|line| line.starts_with("$2y$")).unwrap()).unwrap();
    assert_eq!(bcrypt.compare(&"violet-tram-undid-47\0violet-tram-undid-47".into()), (false, 0));
}

#[test]
fn a_failure_is_the_same_work_for_these_hashes_and_for_nobodys() {
    for line in FIXTURES.lines() {
        let hasher = crate::identity::hasher::Hasher::new(&settings());
        let mut memory = Memory::default();
        let (verified, known) = hasher.compare(&"something else".into(), line, &mut memory);
        let (_, unknown) = hasher.compare(&"something else".into(), &hasher.nobodys(), &mut memory);
        assert_eq!(verified, Verified::Wrong);
        assert!(known.abs_diff(unknown) <= 100, "{known}, {unknown}: {line}");
    }
}

fn settings() -> crate::config::password::Password {
    crate::config::password::Password { memory_kib: 8192, iterations: 2, ..Default::default() }
}

#[test]
#[ignore = "prints what hashes cost on this machine"]
fn price_list() {
    let argon2 = super::super::hash(Params::new(19_456, 2, 1, None).unwrap(), &PASSWORD.into(), [7; 16]).unwrap();
    let mut memory = Memory::default();
    let params = Params::new(19_456, 2, 1, None).unwrap();
    let time = |what: &str, units: u64, work: &mut dyn FnMut()| {
        work();
        let best = (0..5)
            .map(|_| {
                let start = std::time::Instant::now();
                work();
                start.elapsed()
            })
            .min()
            .unwrap();
        println!("{what}: {best:?}, {:.1} ns each", best.as_nanos() as f64 / units as f64);
    };
    time("argon2, KiB times passes", 38_912, &mut || {
        super::super::verify(&params, &"x".into(), &argon2, &mut memory);
    });
    let iterations = NonZeroU32::new(100_000).unwrap();
    for (digest, len) in [(Digest::Sha1, 20), (Digest::Sha256, 32), (Digest::Sha512, 64)] {
        let hash = Foreign::Pbkdf2 { digest, iterations, salt: vec![7; 16], hash: vec![7; len] };
        time(&format!("{digest:?}"), 100_000, &mut || {
            hash.compare(&PASSWORD.into());
        });
    }
    for (n, r, p) in [(15, 8, 1), (14, 8, 5), (17, 8, 1), (18, 8, 1)] {
        let hash =
            Foreign::Scrypt { params: scrypt::Params::new(n, r, p).unwrap(), salt: vec![7; 16], hash: vec![7; 64] };
        time(&format!("scrypt {n}"), (1 << n) * u64::from(r * p), &mut || {
            hash.compare(&PASSWORD.into());
        });
    }
    let hash = Foreign::Bcrypt { cost: 10, salt: [7; 16], hash: [7; 23], before: Before::Password };
    time("bcrypt", 1 << 10, &mut || {
        hash.compare(&PASSWORD.into());
    });
    for sha in [Sha::Crypt256, Sha::Crypt512] {
        for password in [8, 20, 64, 128] {
            let hash = Foreign::ShaCrypt { sha, rounds: 50_000, salt: "0123456789abcdef".into(), hash: "x".into() };
            time(&format!("{sha:?} {password}"), 50_000 * sha.blocks_per_round(password), &mut || {
                hash.compare(&"x".repeat(password).into());
            });
        }
    }
    let hash = Foreign::Apr1 { salt: "01234567".into(), hash: "x".into() };
    time("apr1", 1, &mut || {
        hash.compare(&PASSWORD.into());
    });
}
/// Of [`PASSWORD`].
const FIXTURES: &str = include_str!("fixtures.txt");
/// Of 95 bytes, and whether what follows the first 72 counts there.
const LONG_FIXTURES: &str = include_str!("fixtures_long.txt");
const DJANGO_ARGON2: &str =
    "argon2$argon2id$v=19$m=102400,t=2,p=8$ZUp4MHZ2aGt4Sk5mQkdLOVh5V1RkbQ$s4UxmgsJgciXC5PQWEy3f9tbNQMTp06OtV7vPSffjHE";
const PASSWORD: &str = "violet-tram-undid-47";
