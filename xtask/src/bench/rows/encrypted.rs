//! TLS 1.3: HTTP/1.1 on kept connections, and HTTP/2 with 100 streams on each.

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::{EMBEDDED, Front, Fronts, NGINX, WITH_REDIS},
        generators::{Seen, h2load, wrk},
        report::{Goal, Section, Table, Verdict},
        rounds::alternate,
    },
};

pub(super) fn h1(bench: &Bench) -> Result<Section, Failure> {
    measure(bench, |front, seconds| wrk(bench, &front.secure_url("/"), &front.fields, 64, seconds))
}

pub(super) fn h2(bench: &Bench) -> Result<Section, Failure> {
    measure(bench, |front, seconds| {
        // Whole rounds of streams: a connection's last answers come after the time is over.
        let words = ["-c8", "-m100", "-t1"].map(str::to_owned).into_iter().chain([format!("-D{seconds}")]);
        h2load(bench, &front.secure_url("/"), &front.fields, &words.collect::<Vec<_>>())
    })
}

fn measure(bench: &Bench, load: impl Fn(&Front, u64) -> Result<Seen, Failure>) -> Result<Section, Failure> {
    let mut fronts = Fronts::every(bench)?;
    let all = alternate(bench, &mut fronts.all, load)?;
    let verdict = |name| Verdict::cpu(&all, name, NGINX, Goal::AtMost(1.2), Goal::AtMost(1.0));
    let verdicts = [EMBEDDED, WITH_REDIS].into_iter().map(verdict).collect::<Result<_, _>>()?;
    Ok(Section { verdicts, table: Table::of(&all), note: String::new() })
}
