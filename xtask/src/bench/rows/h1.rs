//! The plainest case, and the one to steer by: HTTP/1.1, 64 kept connections, 1 KiB.

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::{EMBEDDED, Fronts, NGINX, NGINX_AUTH, WITH_REDIS},
        generators::wrk,
        report::{Goal, Section, Table, Verdict},
        rounds::alternate,
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let mut fronts = Fronts::every(bench)?;
    let all = alternate(bench, &mut fronts.all, |front, seconds| {
        wrk(bench, &front.url("/"), &front.fields, CONNECTIONS, seconds)
    })?;
    let mut verdicts = Vec::new();
    for name in [EMBEDDED, WITH_REDIS] {
        verdicts.push(Verdict::cpu(&all, name, NGINX, Goal::AtMost(1.2), Goal::AtMost(1.0))?);
        verdicts.push(Verdict::cpu(&all, name, NGINX_AUTH, Goal::AtMost(0.55), Goal::AtMost(0.45))?);
    }
    Ok(Section { verdicts, table: Table::of(&all), note: String::new() })
}

const CONNECTIONS: usize = 64;
