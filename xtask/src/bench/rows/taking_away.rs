//! What the command line takes away beside a running server: from the start of the command to the first refusal of a session
//! that was let in until then. The outbox carries it.

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

/// A command, beside which everything is as before.
struct Deed {
    name: &'static str,
    words: &'static [&'static str],
    /// What the session is refused with.
    refusal: u16,
}

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let redis = Redis::start(bench)?;
    let mut table = Table::new(&["command", "sessions in", "times", "p50 ms", "longest ms"]);
    let mut farthest = (0.0, String::new());
    for (store, wanted) in [
        ("the embedded store", Wanted::embedded("node", "away-own", upstream.port)),
        ("Redis", Wanted::with_redis("node", "away-redis", upstream.port, &redis)),
    ] {
        let node = Node::start(bench, &wanted.and(RULE))?;
        for deed in DEEDS {
            let mut times = Vec::new();
            for _ in 0..bench.options.sized(50, 3) {
                times.push(once(bench, &node, deed)?);
            }
            let (p50, longest) = (percentile(&mut times, 50), percentile(&mut times, 100));
            let row = [deed.name.to_owned(), store.to_owned(), times.len().to_string()];
            table.rows.push(row.into_iter().chain([p50, longest].map(|time| format!("{time:.0}"))).collect());
            if longest > farthest.0 {
                farthest = (longest, format!("{}, {store}: p50 {p50:.0} ms, longest {longest:.0} ms", deed.name));
            }
        }
    }
    let (value, figure) = farthest;
    let verdicts = vec![Verdict {
        what: "command line to first refusal, longest (ms)".into(),
        figure,
        value,
        must: Goal::AtMost(1000.0),
        aim: Goal::AtMost(500.0),
        failed: 0.0,
    }];
    let note = "From the start of the command, its own start included, to the first refusal.";
    Ok(Section { verdicts, table, note: note.into() })
}

/// Milliseconds until the session is refused.
fn once(bench: &Bench, node: &Node, deed: &Deed) -> Result<f64, Failure> {
    let broken = |error: std::io::Error| error.to_string();
    for undo in UNDO {
        node.command(bench, undo)?;
    }
    let cookie = [node.sign_in(ADA, None)?];
    let mut client = Client::open(node.front.plain, &node.host).map_err(broken)?;
    let mut ask = || client.get(INSIDE, &cookie).map(|answer| answer.status).map_err(broken);
    // Twice: the second time it comes from memory.
    for _ in 0..2 {
        let status = ask()?;
        if status != 200 {
            return Err(format!("before {} a live session is answered {status}", deed.name));
        }
    }
    let start = Instant::now();
    let refused = std::thread::scope(|scope| {
        let command = scope.spawn(|| node.command(bench, deed.words));
        let refused = loop {
            let status = ask()?;
            if status == deed.refusal {
                break start.elapsed();
            }
            if status != 200 || start.elapsed() > Duration::from_secs(10) {
                return Err(format!("after {} the session is answered {status}", deed.name));
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        command.join().map_err(|_| format!("{} ended badly", deed.name))??;
        Ok(refused)
    })?;
    Ok(refused.as_secs_f64() * 1e3)
}

const INSIDE: &str = "/inside";
/// Of the only site.
const RULE: &str = "[[site.rule]]\npath = \"/inside\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n";
const DEEDS: &[Deed] = &[
    Deed { name: "user groups", words: &["user", "groups", ADA, "wiki"], refusal: 403 },
    Deed { name: "user disable", words: &["user", "disable", ADA], refusal: 401 },
];
const UNDO: &[&[&str]] = &[&["user", "enable", ADA], &["user", "groups", ADA, "staff"]];
