//! How long the slowest wait while there is room: a fixed rate, 60 % of what nginx can do here.

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::{EMBEDDED, Front, Fronts, NGINX, WITH_REDIS},
        generators::{Seen, h2load, wrk},
        load,
        report::{Goal, Section, Table, Verdict},
        rounds::{Measured, alternate, named},
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let mut fronts = Fronts::every(bench)?;
    let nginx = fronts.all.first().ok_or("there is no nginx")?;
    let rate = 0.6 * wrk(bench, &nginx.url("/"), &[], CONNECTIONS, bench.options.seconds)?.per_second;
    let all = alternate(bench, &mut fronts.all, |front, seconds| paced(bench, front, rate, seconds))?;
    let verdicts = [EMBEDDED, WITH_REDIS].into_iter().map(|name| p99(&all, name)).collect::<Result<_, _>>()?;
    let note = format!("{rate:.0} requests/s over {CONNECTIONS} connections, paced by h2load.");
    Ok(Section { verdicts, table: Table::of(&all), note })
}

/// So many requests a second against one proxy, by one thread: the open loop of [`steady`], with a thread for each connection,
/// has more to do at this rate than the core it shares with the upstream can, and would measure itself.
fn paced(bench: &Bench, front: &Front, rate: f64, seconds: u64) -> Result<Seen, Failure> {
    let each = rate / CONNECTIONS as f64;
    let words = [
        "--h1".to_owned(),
        format!("-c{CONNECTIONS}"),
        "-t1".into(),
        format!("-D{seconds}"),
        format!("--rps={each:.2}"),
    ];
    h2load(bench, &front.url("/"), &front.fields, &words)
}

/// An open loop against one proxy.
pub(super) fn steady(bench: &Bench, front: &Front, rate: f64, seconds: u64) -> Result<Seen, Failure> {
    let mut words = vec!["steady".to_owned(), front.plain.to_string(), rate.to_string(), seconds.to_string()];
    words.extend_from_slice(&front.fields);
    let [requests, failed, p50_us, p99_us] = load::ask(bench, &words)?;
    Ok(Seen { requests, per_second: requests / seconds as f64, p50_us, p99_us, failed })
}

fn p99(all: &[Measured], name: &str) -> Result<Verdict, Failure> {
    let (own, nginx) = (named(all, name)?, named(all, NGINX)?);
    Ok(Verdict {
        what: format!("p99, {name}, against {NGINX}"),
        figure: format!("{:.0} µs to {:.0} µs", own.p99_us, nginx.p99_us),
        value: own.p99_us / nginx.p99_us,
        must: Goal::AtMost(1.3),
        aim: Goal::AtMost(1.0),
        failed: own.failed + nginx.failed,
    })
}

const CONNECTIONS: usize = 64;
