//! Two nodes of one portal on one Redis: somebody signs out at one, and the other must stop letting them in.

use std::time::{Duration, Instant};

use crate::{
    Failure,
    bench::{
        Bench,
        generators::percentile,
        http::Client,
        nginx::Upstream,
        redis::Redis,
        report::{Goal, Section, Table, Verdict},
        vestibule::{ADA, Node, Wanted},
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let redis = Redis::start(bench)?;
    let one = Node::start(bench, &Wanted::with_redis("node A", "node-a", upstream.port, &redis))?;
    let wanted = Wanted::with_redis("node B", "node-b", upstream.port, &redis);
    let other = Node::start(bench, &wanted.beside(one.front.plain))?;
    let mut times = Vec::new();
    for _ in 0..bench.options.sized(100, 5) {
        times.push(once(&one, &other)?);
    }
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    let mut table = Table::new(&["sign-outs", "p50 ms", "p99 ms"]);
    table.rows.push(vec![times.len().to_string(), format!("{p50:.2}"), format!("{p99:.2}")]);
    let verdicts = vec![Verdict {
        what: "second node refuses, p99 (ms)".into(),
        figure: format!("p50 {p50:.2} ms, p99 {p99:.2} ms"),
        value: p99,
        must: Goal::AtMost(1000.0),
        aim: Goal::AtMost(50.0),
        failed: 0.0,
    }];
    let note = "From the answer to the sign-out at one node to the first refusal at the other, which knew the session.";
    Ok(Section { verdicts, table, note: note.into() })
}

/// Milliseconds until the other node refuses.
fn once(one: &Node, other: &Node) -> Result<f64, Failure> {
    let cookie = [one.sign_in(ADA, None)?];
    let broken = |error: std::io::Error| error.to_string();
    let mut there = Client::open(other.front.plain, &other.host).map_err(broken)?;
    // Twice: the second time it comes from the other node's memory.
    for _ in 0..2 {
        let status = there.get("/", &cookie).map_err(broken)?.status;
        if status != 200 {
            return Err(format!("the other node answers {status} to a live session"));
        }
    }
    let left = one.sign_out(&cookie)?;
    while there.get("/", &cookie).map_err(broken)?.status == 200 {
        if left.elapsed() > Duration::from_secs(10) {
            return Err("the other node lets them in ten seconds after".into());
        }
    }
    Ok(Instant::now().duration_since(left).as_secs_f64() * 1e3)
}
