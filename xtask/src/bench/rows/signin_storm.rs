//! Two hundred sign-ins arrive every second, far more than passwords can be hashed: those who are signed in already must
//! hardly notice, while thousands of connections idle. All of it shares one core, hashing included.

use std::thread;

use super::{idle_memory::crowd, p99_fixed::steady};
use crate::{
    Failure,
    bench::{
        Bench,
        fronts::EMBEDDED,
        load,
        nginx::Upstream,
        report::{Goal, Section, Table, Verdict},
        rounds::median,
        vestibule::{Node, Wanted},
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let node = Node::start(bench, &Wanted::embedded(EMBEDDED, "storm", upstream.port))?;
    for number in 0..load::PEOPLE {
        node.add(bench, &format!("person{number}"))?;
    }
    let seconds = bench.options.seconds.max(3);
    let idle = bench.options.sized(9_000, 500);
    let _crowd = crowd(bench, &node.front, &node.front.url("/"), idle)?;
    let (mut calm, mut stormy, mut outcomes) = (Vec::new(), Vec::new(), [0.0; 3]);
    let mut failed = 0.0;
    for _ in 0..bench.options.rounds {
        let quiet = steady(bench, &node.front, RATE, seconds)?;
        let (loud, storm) = together(bench, &node, seconds)?;
        calm.push(quiet.p99_us);
        stormy.push(loud.p99_us);
        failed += quiet.failed + loud.failed;
        for (sum, one) in outcomes.iter_mut().zip(storm) {
            *sum += one;
        }
    }
    let (calm, stormy) = (median(calm), median(stormy));
    let [accepted, shed, others] = outcomes;
    let mut table =
        Table::new(&["p99 calm µs", "p99 in the storm µs", "sign-ins accepted", "shed (429, 503)", "broken"]);
    table.rows.push([calm, stormy, accepted, shed, others].iter().map(|figure| format!("{figure:.0}")).collect());
    let verdicts = vec![Verdict {
        what: "p99 of signed-in requests, storm against calm".into(),
        figure: format!("{stormy:.0} µs to {calm:.0} µs; {accepted:.0} accepted, {shed:.0} shed, {others:.0} broken"),
        value: stormy / calm,
        must: Goal::AtMost(2.0),
        aim: Goal::AtMost(1.3),
        failed,
    }];
    let note = format!(
        "{STORM} sign-ins/s for {seconds} s beside {RATE:.0} signed-in requests/s; {idle} connections idle all the while."
    );
    Ok(Section { verdicts, table, note })
}

fn together(bench: &Bench, node: &Node, seconds: u64) -> Result<(crate::bench::generators::Seen, [f64; 3]), Failure> {
    let words =
        ["storm".to_owned(), node.front.plain.to_string(), node.host.clone(), STORM.to_string(), seconds.to_string()];
    thread::scope(|scope| {
        let storm = scope.spawn(|| load::ask(bench, &words));
        let seen = steady(bench, &node.front, RATE, seconds);
        let storm = storm.join().map_err(|_| "the storm broke off")??;
        Ok((seen?, storm))
    })
}

const STORM: u64 = 200;
const RATE: f64 = 1000.0;
