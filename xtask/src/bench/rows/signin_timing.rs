//! How long a refused sign-in takes, by what stands behind the name: nobody, an account of ours, one with the hash of another
//! system, a disabled one, one with a second factor. Whoever measures it from outside must not learn which it is;
//! nor from the pages that take an address.

mod addresses;

use std::time::{Duration, Instant};

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::EMBEDDED,
        http::{Answer, Client},
        nginx::Upstream,
        report::{Goal, Section, Table, Verdict},
        rounds::median,
        vestibule::{Node, PASSWORD, Wanted},
    },
};

/// A kind of account and the hash its people are imported with; an empty one is our own, of [`PASSWORD`].
struct Kind {
    name: &'static str,
    hash: &'static str,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Nobody,
    Plain,
    Disabled,
    TwoFactor,
}

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let node = Node::start(bench, &Wanted::embedded(EMBEDDED, FOLDER, upstream.port).and(OPEN))?;
    let rounds = bench.options.sized(40, 3);
    // One round beforehand does not count: from the dearest hash met, failures are topped up to it.
    import(bench, &node, rounds + 1)?;
    let mut visits = 0;
    for kind in KINDS.iter().filter(|kind| kind.shape == Shape::TwoFactor) {
        for number in 0..=rounds {
            enrol(bench, &node, &kind.person(number), number, &address(&mut visits))?;
        }
    }
    let mut taken: Vec<Vec<f64>> = KINDS.iter().map(|_| Vec::new()).collect();
    let mut failed = 0.0;
    for number in 0..=rounds {
        for (kind, taken) in KINDS.iter().zip(&mut taken) {
            let (time, answer) = refused(&node, &kind.person(number), &address(&mut visits))?;
            failed += if answer.status == 401 { 0.0 } else { 1.0 };
            if number > 0 {
                taken.push(time.as_secs_f64() * 1e3);
            }
        }
    }
    let medians: Vec<f64> = taken.into_iter().map(median).collect();
    let nobody = medians.first().copied().unwrap_or(0.0);
    let mut table = Table::new(&["behind the name", "median ms", "against nobody"]);
    let mut farthest = (0.0, "nobody");
    for (kind, median) in KINDS.iter().zip(&medians) {
        let off = (median / nobody - 1.0) * 100.0;
        table.rows.push(vec![kind.name.into(), format!("{median:.1}"), format!("{off:+.1} %")]);
        if off.abs() > farthest.0 {
            farthest = (off.abs(), kind.name);
        }
    }
    let (percent, name) = farthest;
    let mut verdicts = vec![Verdict {
        what: "refused sign-ins, median, farthest from an unknown name's".into(),
        figure: format!("{percent:.1} % ({name}); {nobody:.1} ms"),
        value: percent,
        must: Goal::AtMost(10.0),
        aim: Goal::AtMost(5.0),
        failed,
    }];
    let plain = KINDS.iter().find(|kind| kind.shape == Shape::Plain);
    let known = |number| plain.map_or_else(String::new, |kind| format!("{}@example.com", kind.person(number)));
    let (more, rows) = addresses::measure(&node, rounds, &mut visits, known)?;
    verdicts.extend(more);
    table.rows.extend(rows);
    let note = format!("One at a time, {rounds} of each kind in turn, each name once and from a network of its own.");
    Ok(Section { verdicts, table, note })
}

impl Kind {
    fn person(&self, number: usize) -> String {
        let word: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{}{number}", word.to_lowercase())
    }
}

/// All accounts of all kinds at once.
fn import(bench: &Bench, node: &Node, each: usize) -> Result<(), Failure> {
    let own = node.hash(bench)?;
    let mut csv = String::from("username,email,password_hash,disabled\n");
    for kind in KINDS.iter().filter(|kind| kind.shape != Shape::Nobody) {
        let hash = if kind.hash.is_empty() { own.as_str() } else { kind.hash };
        for number in 0..each {
            let (person, disabled) = (kind.person(number), kind.shape == Shape::Disabled);
            csv += &format!("{person},{person}@example.com,\"{hash}\",{disabled}\n");
        }
    }
    node.import(bench, &bench.stage.write("people.csv", &csv)?)
}

/// Turns codes by SMS on; the code is read where it is printed.
fn enrol(bench: &Bench, node: &Node, person: &str, number: usize, from: &str) -> Result<(), Failure> {
    let broken = |error: std::io::Error| error.to_string();
    let session = node.sign_in(person, Some(from))?;
    let mut client = Client::open(node.front.plain, &node.host).map_err(broken)?;
    let form = "/.auth/second-factor/phone";
    let page = client.get(form, std::slice::from_ref(&session)).map_err(broken)?;
    let token = page.hidden("csrf").ok_or("the phone page has no token")?.to_owned();
    let cookies = match page.cookie_line().strip_prefix("Cookie: ") {
        Some(flow) if !flow.is_empty() => format!("{session}; {flow}"),
        _ => session,
    };
    let phone = format!("csrf={token}&country=KE&phone=07{:08}&channel=sms", 12_000_000 + number);
    let post = |client: &mut Client, form_data: &str| client.post(form, std::slice::from_ref(&cookies), form_data);
    let said = bench.stage.said(FOLDER).len();
    let sent = post(&mut client, &phone).map_err(broken)?.status;
    let code = code_after(bench, said).ok_or(format!("no code is printed; the form was answered {sent}"))?;
    let page = client.get(form, std::slice::from_ref(&cookies)).map_err(broken)?;
    let token = page.hidden("csrf").ok_or("the code page has no token")?.to_owned();
    match post(&mut client, &format!("csrf={token}&code={code}")).map_err(broken)?.status {
        303 => Ok(()),
        status => Err(format!("{person} cannot turn on a second factor: {status}")),
    }
}

fn code_after(bench: &Bench, said: usize) -> Option<String> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        let log = bench.stage.said(FOLDER);
        let line = log.get(said..).and_then(|news| news.lines().find(|line| line.contains(" by SMS: ")));
        if let Some((_, rest)) = line.and_then(|line| line.split_once(" by SMS: ")) {
            return Some(rest.chars().take_while(char::is_ascii_digit).collect());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Posts a wrong password; how long the form took.
fn refused(node: &Node, person: &str, from: &str) -> Result<(Duration, Answer), Failure> {
    let broken = |error: std::io::Error| error.to_string();
    let mut client = Client::open(node.front.plain, &node.host).map_err(broken)?;
    let from = format!("X-Forwarded-For: {from}");
    let page = client.get("/.auth/login", std::slice::from_ref(&from)).map_err(broken)?;
    let token = page.hidden("csrf").ok_or("the sign-in page has no token")?;
    let form = format!("identifier={person}&password=not-{PASSWORD}&csrf={token}");
    let start = Instant::now();
    let answer = client.post("/.auth/login", &[from, page.cookie_line()], &form).map_err(broken)?;
    Ok((start.elapsed(), answer))
}

/// Another network each time, so that no throttle answers.
fn address(visits: &mut usize) -> String {
    *visits += 1;
    format!("10.{}.{}.1", *visits / 256, *visits % 256)
}

const FOLDER: &str = "timing";
/// Anybody may register, and proves the address first: only then it must not show whether it is taken.
const OPEN: &str = "[accounts]\nregistration = \"open\"\nconfirm_email = true\n";

/// Nobody first: the others are held against it. The hashes were made by the systems named, of a password that is not tried.
const KINDS: &[Kind] = &[
    Kind { name: "nobody", hash: "", shape: Shape::Nobody },
    Kind { name: "Argon2id", hash: "", shape: Shape::Plain },
    Kind { name: "disabled", hash: "", shape: Shape::Disabled },
    Kind { name: "second factor", hash: "", shape: Shape::TwoFactor },
    Kind {
        name: "bcrypt 12",
        hash: "bcrypt_sha256$$2b$12$EBWOFfMbcEyOwaE6vs5CkuLKUX.rQ2GvvqIL2JvDflipX2s4RhVOa",
        shape: Shape::Plain,
    },
    Kind {
        name: "bcrypt 5",
        hash: "$2y$05$Roy5s2e.Jsj04MN1xDJQuOl3YLLBY6PNdrFwd/ze55bUMEWoXpirK",
        shape: Shape::Plain,
    },
    Kind {
        name: "scrypt 32768:8:1",
        hash: "scrypt:32768:8:1$M4n14udDOmO51J8O$85be1e43c2489f95268153764ffc2bfc4d89ee83c83c9cbd1946bdcd7bbc0e4016818e4cb2d7742719595be3d9ea466d43c1f2c6da338023aa819a00cb0b6fc5",
        shape: Shape::Plain,
    },
    Kind {
        name: "PBKDF2-SHA256 600000",
        hash: "pbkdf2:sha256:600000$Byi61cO0rDL1gurU$1b04f9d6262032ac17f3ab69768669d909818f17b6d1ce22737ab84b94111370",
        shape: Shape::Plain,
    },
    Kind {
        name: "SHA-512-crypt 10000",
        hash: "$6$rounds=10000$xEhqoCIeAhGIYJ82$2UiEuSZ3u5KMCO2y.RIzrTjfcnDTUiID3Ff9NtPNYiRMMvVgqeOd1.y7Xr2S2nGfNMNyWBSdAOFOh9r4VWsJs0",
        shape: Shape::Plain,
    },
    Kind { name: "apr1", hash: "$apr1$2/9QvfCr$D9UtI/OD1WYTrUUWYv6bY.", shape: Shape::Plain },
    Kind { name: "{SHA}", hash: "{SHA}sWXQbaK15eo1O7R3mbJNjng7tcU=", shape: Shape::Plain },
];
