//! TLS 1.3 handshakes, full and resumed: each on a new connection that asks once and is told off at once.
//!
//! On two cores the client cannot keep a server busy, so what counts is the CPU a handshake costs; its inverse is what a core
//! could do in a second.

use std::{path::Path, thread};

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::{Front, two},
        nginx::Upstream,
        report::{Goal, Section, Table, Verdict},
        rounds::median,
        stage::Core,
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let upstream = Upstream::start(bench)?;
    let fronts = two(bench, &upstream)?;
    let mut table =
        Table::new(&["handshake", "target", "CPU µs", "a core could do in a second", "were done in a second"]);
    let mut verdicts = Vec::new();
    for (kind, flag) in [("full", "-new"), ("resumed", "-reuse")] {
        let mut samples: [(Vec<f64>, Vec<f64>); 2] = Default::default();
        for _ in 0..bench.options.rounds {
            for (front, (costs, rates)) in fronts.iter().zip(&mut samples) {
                let (cost_us, rate) = shake(bench, front, flag)?;
                costs.push(cost_us);
                rates.push(rate);
            }
        }
        let [(nginx, _), (own, _)] = &samples;
        let (nginx, own) = (1e6 / median(nginx.clone()), 1e6 / median(own.clone()));
        for (front, (costs, rates)) in fronts.iter().zip(samples) {
            let cost = median(costs);
            let figures = [format!("{cost:.0}"), format!("{:.0}", 1e6 / cost), format!("{:.0}", median(rates))];
            table.rows.push([kind.to_owned(), front.name.to_owned()].into_iter().chain(figures).collect());
        }
        verdicts.push(Verdict {
            what: format!("{kind} handshakes a second of CPU against nginx"),
            figure: format!("{own:.0} to {nginx:.0}"),
            value: own / nginx,
            must: Goal::AtLeast(0.95),
            aim: Goal::AtLeast(1.1),
            failed: 0.0,
        });
    }
    let note = "P-256 certificate, X25519; each handshake with one request that is refused (OpenSSL's s_time speaks HTTP/1.0 without \
                a host), so that session tickets are read.";
    Ok(Section { verdicts, table, note: note.into() })
}

/// CPU microseconds per handshake and handshakes a second, with four clients side by side.
fn shake(bench: &Bench, front: &Front, flag: &str) -> Result<(f64, f64), Failure> {
    let (address, seconds) = (format!("127.0.0.1:{}", front.secure), bench.options.seconds.to_string());
    let words = ["s_time", "-connect", &address, flag, "-time", &seconds, "-tls1_3", "-www", REFUSED];
    let before = front.usage().cpu_us();
    let said = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..4).map(|_| scope.spawn(|| bench.stage.run(Core::Load, Path::new("openssl"), words))).collect();
        let said = clients.into_iter().map(|client| client.join().map_err(|_| "a client broke off".to_owned())?);
        said.collect::<Result<Vec<_>, Failure>>()
    })?;
    let count: f64 = said.iter().map(|said| counted(said, flag)).sum::<Result<f64, _>>()?;
    Ok(((front.usage().cpu_us() - before) / count, count / bench.options.seconds as f64))
}

/// The line after the work says `1234 connections in 5 real seconds, 0 bytes read per connection`. Before, each connection is
/// one letter: `r` for a session taken up again.
fn counted(said: &str, flag: &str) -> Result<f64, Failure> {
    let line = said.lines().rev().find(|line| line.contains(" connections in ") && line.contains("real seconds"));
    let count = line.and_then(|line| line.split_whitespace().next()).and_then(|count| count.parse().ok());
    let count =
        count.filter(|count| *count > 0.0).ok_or_else(|| format!("openssl said something unexpected: {said}"))?;
    let letters = said.lines().filter(|line| line.bytes().all(|byte| b"rt*".contains(&byte)));
    let resumed = letters.flat_map(str::bytes).filter(|&letter| letter == b'r').count() as f64;
    if flag == "-reuse" && resumed < 0.9 * count {
        return Err(format!("only {resumed} of {count} sessions were resumed"));
    }
    Ok(count)
}

/// nginx refuses it by its configuration, Vestibule for want of a host.
const REFUSED: &str = "/refused";
