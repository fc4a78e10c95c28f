//! From nothing to the first answer, resident memory before anybody came, and the size of the program.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    bench::{
        Bench,
        generators::percentile,
        http::Client,
        nginx::Upstream,
        report::{Goal, Section, Table, Verdict},
        rounds::median,
        vestibule::{Node, Wanted},
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let mut node = Node::start(bench, &Wanted::embedded("vestibule", "start", upstream.port))?;
    let mut times = Vec::new();
    for _ in 0..bench.options.sized(20, 3) {
        node.front.process.end();
        let start = Instant::now();
        node.begin_again(bench)?;
        until_answer(&node, start)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    thread::sleep(Duration::from_secs(2));
    let idle_mib = node.front.usage().rss_kib() / 1024.0;
    let size_mb = fs::metadata(&bench.program).map_err(|error| error.to_string())?.len() as f64 / 1e6;
    let slowest = percentile(&mut times, 100);
    let first = median(times);
    let mut table = Table::new(&["first answer ms", "slowest ms", "idle resident MiB", "program MB"]);
    table.rows.push([first, slowest, idle_mib, size_mb].iter().map(|figure| format!("{figure:.1}")).collect());
    let verdicts = vec![
        verdict("start to first answer, median", format!("{first:.0} ms"), first, 100.0, 50.0),
        verdict("resident memory, idle", format!("{idle_mib:.1} MiB"), idle_mib, 20.0, 12.0),
        verdict("program, stripped", format!("{size_mb:.1} MB"), size_mb, 25.0, 15.0),
    ];
    Ok(Section { verdicts, table, note: "Started with an existing data folder, on one core.".into() })
}

/// Any answer will do: without a cookie it is 401.
fn until_answer(node: &Node, start: Instant) -> Result<(), Failure> {
    loop {
        let answer = Client::open(node.front.plain, &node.host).and_then(|mut client| client.get("/", &[]));
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if start.elapsed() > Duration::from_secs(30) => return Err(format!("no answer: {error}")),
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn verdict(what: &str, figure: String, value: f64, must: f64, aim: f64) -> Verdict {
    Verdict { what: what.into(), figure, value, must: Goal::AtMost(must), aim: Goal::AtMost(aim), failed: 0.0 }
}
