//! What a session costs Redis: nothing once known, one question when not, and the same with a million others stored.

use std::time::Instant;

use crate::{
    Failure,
    bench::{
        Bench,
        generators::{percentile, wrk},
        http::Client,
        nginx::Upstream,
        redis::{Redis, Talk},
        report::{Goal, Section, Table, Verdict, figure},
        vestibule::{ADA, Node, Wanted},
    },
};

/// What was found with so many sessions stored.
struct Found {
    warm_questions: f64,
    cold_questions: f64,
    warm_cpu_us: f64,
    cold_p50_us: f64,
    round_trip_us: f64,
}

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let redis = Redis::start(bench)?;
    let mut node = Node::start(bench, &Wanted::with_redis("vestibule", "lookup", upstream.port, &redis))?;
    let mut talk = redis.talk()?;
    let cookies = (0..bench.options.sized(60, 5)).map(|_| node.sign_in(ADA, None)).collect::<Result<Vec<_>, _>>()?;
    let few = look(bench, &mut node, &mut talk, &cookies)?;
    let stored = bench.options.sized(1_000_000, 10_000);
    for kind in ["s", "t"] {
        // Keys like ours, named by numbers, with values of a record's size.
        talk.ask(&format!("DEBUG POPULATE {stored} vestibule:{kind} {}", if kind == "s" { 400 } else { 13 }))?;
    }
    let many = look(bench, &mut node, &mut talk, &cookies)?;
    let mut table = Table::new(&[
        "sessions stored",
        "warm questions",
        "cold questions",
        "warm CPU µs",
        "cold p50 µs",
        "Redis round trip µs",
    ]);
    for (stored, found) in [(cookies.len(), &few), (stored, &many)] {
        let Found { warm_questions, cold_questions, warm_cpu_us, cold_p50_us, round_trip_us } = *found;
        let figures = [warm_questions, cold_questions, warm_cpu_us, cold_p50_us, round_trip_us].map(figure);
        table.rows.push(std::iter::once(stored.to_string()).chain(figures).collect());
    }
    Ok(Section {
        verdicts: verdicts(&few, &many),
        table,
        note: "Questions to Redis for each request (GET, MGET).".into(),
    })
}

fn verdicts(few: &Found, many: &Found) -> Vec<Verdict> {
    let verdict = |what: &str, value: f64, bound: f64, few: f64, many: f64| Verdict {
        what: what.into(),
        figure: format!("{} few, {} many", figure(few), figure(many)),
        value,
        must: Goal::AtMost(bound),
        aim: Goal::Unset,
        failed: 0.0,
    };
    let worst = |of: fn(&Found) -> f64| of(few).max(of(many));
    vec![
        // One connection's first request may come before the session is known again.
        verdict(
            "warm: questions per request",
            worst(|one| one.warm_questions),
            0.01,
            few.warm_questions,
            many.warm_questions,
        ),
        verdict(
            "cold: questions per request",
            worst(|one| one.cold_questions),
            1.0,
            few.cold_questions,
            many.cold_questions,
        ),
        verdict(
            "a million stored: warm CPU, ratio",
            many.warm_cpu_us / few.warm_cpu_us,
            1.05,
            few.warm_cpu_us,
            many.warm_cpu_us,
        ),
        verdict(
            "a million stored: cold p50, ratio",
            many.cold_p50_us / few.cold_p50_us,
            1.2,
            few.cold_p50_us,
            many.cold_p50_us,
        ),
    ]
}

fn look(bench: &Bench, node: &mut Node, talk: &mut Talk, cookies: &[String]) -> Result<Found, Failure> {
    let mut round_trips = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        talk.ask("GET nothing")?;
        round_trips.push(start.elapsed().as_secs_f64() * 1e6);
    }
    // Empty memory: every cookie is met for the first time.
    node.restart(bench)?;
    let mut client = Client::open(node.front.plain, &node.host).map_err(|error| error.to_string())?;
    // The first session pays for connecting.
    let (first, others) = cookies.split_first().ok_or("nobody is signed in")?;
    ask(&mut client, first)?;
    let before = talk.lookups()?;
    let mut cold = others.iter().map(|cookie| ask(&mut client, cookie)).collect::<Result<Vec<_>, _>>()?;
    let cold_questions = (talk.lookups()? - before) as f64 / cold.len() as f64;
    let (before, before_us) = (talk.lookups()?, node.front.usage().cpu_us());
    let seen = wrk(bench, &node.front.url("/"), std::slice::from_ref(first), 64, bench.options.seconds.max(2))?;
    Ok(Found {
        warm_questions: (talk.lookups()? - before) as f64 / seen.requests,
        cold_questions,
        warm_cpu_us: (node.front.usage().cpu_us() - before_us) / seen.requests,
        cold_p50_us: percentile(&mut cold, 50),
        round_trip_us: percentile(&mut round_trips, 50),
    })
}

/// Microseconds to a good answer.
fn ask(client: &mut Client, cookie: &str) -> Result<f64, Failure> {
    let start = Instant::now();
    match client.get("/", &[cookie.to_owned()]) {
        Ok(answer) if answer.status == 200 => Ok(start.elapsed().as_secs_f64() * 1e6),
        Ok(answer) => Err(format!("a live session is answered {}", answer.status)),
        Err(error) => Err(error.to_string()),
    }
}
