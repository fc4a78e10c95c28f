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
        rounds::median,
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

/// A Redis with so many sessions, and a node that knows none of them yet.
struct Side {
    stored: usize,
    node: Node,
    talk: Talk,
    cookies: Vec<String>,
    found: Vec<Found>,
    _redis: Redis,
}

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let people = bench.options.sized(60, 5);
    let stored = bench.options.sized(1_000_000, 10_000);
    let mut few = Side::open(bench, &upstream, "lookup-few", people, 0)?;
    let mut many = Side::open(bench, &upstream, "lookup-many", people, stored)?;
    for _ in 0..bench.options.rounds {
        look(bench, &mut few, &mut many)?;
    }
    let mut table = Table::new(&[
        "sessions stored",
        "warm questions",
        "cold questions",
        "warm CPU µs",
        "cold p50 µs",
        "Redis round trip µs",
    ]);
    let (of_few, of_many) = (few.medians(), many.medians());
    for (stored, found) in [(few.stored, &of_few), (many.stored, &of_many)] {
        let Found { warm_questions, cold_questions, warm_cpu_us, cold_p50_us, round_trip_us } = *found;
        let figures = [warm_questions, cold_questions, warm_cpu_us, cold_p50_us, round_trip_us].map(figure);
        table.rows.push(std::iter::once(stored.to_string()).chain(figures).collect());
    }
    Ok(Section {
        verdicts: verdicts(&of_few, &of_many),
        table,
        note: "Questions to Redis for each request (GET, MGET). Two nodes, each with a Redis of its own, are asked in turn."
            .into(),
    })
}

impl Side {
    fn open(
        bench: &Bench,
        upstream: &Upstream,
        folder: &'static str,
        people: usize,
        others: usize,
    ) -> Result<Self, Failure> {
        let redis = Redis::start(bench)?;
        let node = Node::start(bench, &Wanted::with_redis("vestibule", folder, upstream.port, &redis))?;
        let mut talk = redis.talk()?;
        let cookies = (0..people).map(|_| node.sign_in(ADA, None)).collect::<Result<Vec<_>, _>>()?;
        if others > 0 {
            for kind in ["s", "t"] {
                // Keys like ours, named by numbers, with values of a record's size.
                talk.ask(&format!("DEBUG POPULATE {others} vestibule:{kind} {}", if kind == "s" { 400 } else { 13 }))?;
            }
        }
        Ok(Self { stored: people + others, node, talk, cookies, found: Vec::new(), _redis: redis })
    }

    /// Empty memory: every cookie is met for the first time. The first session pays for connecting.
    fn fresh(&mut self) -> Result<Client, Failure> {
        self.node.restart()?;
        let mut client = Client::open(self.node.front.plain, &self.node.host).map_err(|error| error.to_string())?;
        ask(&mut client, self.first()?)?;
        Ok(client)
    }

    fn first(&self) -> Result<&String, Failure> {
        self.cookies.first().ok_or_else(|| "nobody is signed in".into())
    }

    /// Questions and CPU microseconds of each request by a session that is known.
    fn warm(&mut self, bench: &Bench) -> Result<(f64, f64), Failure> {
        let (before, before_us) = (self.talk.lookups()?, self.node.front.usage().cpu_us());
        let cookie = std::slice::from_ref(self.first()?);
        let seen = wrk(bench, &self.node.front.url("/"), cookie, 64, bench.options.seconds.max(2))?;
        let used_us = self.node.front.usage().cpu_us() - before_us;
        Ok(((self.talk.lookups()? - before) as f64 / seen.requests, used_us / seen.requests))
    }

    /// Of every round; of questions the worst.
    fn medians(&self) -> Found {
        let of = |figure: fn(&Found) -> f64| median(self.found.iter().map(figure).collect());
        let worst = |figure: fn(&Found) -> f64| self.found.iter().map(figure).fold(0.0, f64::max);
        Found {
            warm_questions: worst(|found| found.warm_questions),
            cold_questions: worst(|found| found.cold_questions),
            warm_cpu_us: of(|found| found.warm_cpu_us),
            cold_p50_us: of(|found| found.cold_p50_us),
            round_trip_us: of(|found| found.round_trip_us),
        }
    }
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

/// One round: each question is put to both sides before the next, so that a noisy neighbour disturbs both alike.
fn look(bench: &Bench, few: &mut Side, many: &mut Side) -> Result<(), Failure> {
    let mut sides = [few, many];
    let (mut trips, mut cold) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..200 {
        for (side, trips) in sides.iter_mut().zip(&mut trips) {
            let start = Instant::now();
            side.talk.ask("GET nothing")?;
            trips.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    let mut clients = Vec::new();
    let mut before = Vec::new();
    for side in sides.iter_mut() {
        clients.push(side.fresh()?);
        before.push(side.talk.lookups()?);
    }
    let others = sides.iter().map(|side| side.cookies.len()).min().unwrap_or(0);
    for nth in 1..others {
        for ((side, client), cold) in sides.iter().zip(&mut clients).zip(&mut cold) {
            let cookie = side.cookies.get(nth).ok_or("a session is missing")?;
            cold.push(ask(client, cookie)?);
        }
    }
    for (((side, before), mut cold), mut trips) in sides.into_iter().zip(before).zip(cold).zip(trips) {
        let cold_questions = (side.talk.lookups()? - before) as f64 / cold.len() as f64;
        let (warm_questions, warm_cpu_us) = side.warm(bench)?;
        side.found.push(Found {
            warm_questions,
            cold_questions,
            warm_cpu_us,
            cold_p50_us: percentile(&mut cold, 50),
            round_trip_us: percentile(&mut trips, 50),
        });
    }
    Ok(())
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
