//! From one connection to thousands: what a request costs with so many others open and busy.

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::{EMBEDDED, NGINX, two},
        generators::wrk,
        nginx::Upstream,
        report::{Goal, Section, Table, Verdict, figure},
        rounds::{Measured, alternate, named},
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let mut fronts = two(bench, &upstream)?;
    let mut verdicts = Vec::new();
    let mut table = Table::new(&[
        "connections",
        "nginx CPU µs",
        "vestibule CPU µs",
        "ratio",
        "nginx requests/s",
        "vestibule requests/s",
    ]);
    for connections in [1, 64, 1024, 8192] {
        let all = alternate(bench, &mut fronts, |front, seconds| {
            // Thousands of connections take seconds to be made: the queue of a listener holds fewer, and SYNs are repeated.
            let seconds = if connections > 1024 { seconds.max(10) } else { seconds };
            wrk(bench, &front.url("/"), &front.fields, connections, seconds)
        })?;
        table.rows.push(line(connections, &all)?);
        let verdict = Verdict::cpu(&all, EMBEDDED, NGINX, Goal::AtMost(1.2), Goal::AtMost(1.0))?;
        verdicts.push(Verdict { what: format!("{connections} connections: {}", verdict.what), ..verdict });
    }
    Ok(Section { verdicts, table, note: String::new() })
}

fn line(connections: usize, all: &[Measured]) -> Result<Vec<String>, Failure> {
    let (nginx, own) = (named(all, NGINX)?, named(all, EMBEDDED)?);
    Ok(vec![
        connections.to_string(),
        format!("{:.1}", nginx.cpu_us),
        format!("{:.1}", own.cpu_us),
        figure(own.cpu_us / nginx.cpu_us),
        format!("{:.0}", nginx.per_second),
        format!("{:.0}", own.per_second),
    ])
}
