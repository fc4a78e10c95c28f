//! Thousands of connections on which nothing happens: what each one holds.

use std::{path::Path, thread, time::Duration};

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::{Front, NGINX, two},
        generators::wrk,
        nginx::Upstream,
        report::{Goal, Section, Table, Verdict},
        stage::{Core, Process},
    },
};

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    // Fewer than the usual limit of open files lets in: beyond that, idle connections make room for others.
    let connections = bench.options.sized(9_000, 500);
    let mut table = Table::new(&["target", "protocol", "KiB per connection"]);
    let mut verdicts = Vec::new();
    for (protocol, must, aim) in [("plain", 16.0, 8.0), ("TLS", 40.0, 24.0)] {
        // Fresh processes: memory that a run leaves behind would hide what the next one takes.
        let upstream = Upstream::start(bench)?;
        for front in &two(bench, &upstream)? {
            let url = if protocol == "plain" { front.url("/") } else { front.secure_url("/") };
            let kib = held(bench, front, &url, connections)?;
            table.rows.push(vec![front.name.into(), protocol.into(), format!("{kib:.1}")]);
            if front.name != NGINX {
                verdicts.push(Verdict {
                    what: format!("memory per idle connection, {protocol} (KiB)"),
                    figure: format!("{kib:.1} KiB"),
                    value: kib,
                    must: Goal::AtMost(must),
                    aim: Goal::AtMost(aim),
                    failed: 0.0,
                });
            }
        }
    }
    let note = format!(
        "{connections} connections, each after one answered request, when the proxy has done nothing for eight seconds: longer \
         than Vestibule takes to give up an idle connection's buffers and to give the memory back. Proportional set size, the kernel's buffers not included."
    );
    Ok(Section { verdicts, table, note })
}

/// KiB that each connection adds.
fn held(bench: &Bench, front: &Front, url: &str, connections: usize) -> Result<f64, Failure> {
    // What the first requests need once is not counted for the connections that come.
    wrk(bench, url, &front.fields, 64, 1)?;
    let before = front.usage().pss_kib();
    let crowd = crowd(bench, front, url, connections)?;
    let held = front.usage().pss_kib() - before;
    drop(crowd);
    Ok(held / connections as f64)
}

/// So many connections, each after one answered request, until dropped or for two minutes.
pub(super) fn crowd(bench: &Bench, front: &Front, url: &str, connections: usize) -> Result<Process, Failure> {
    let mut words: Vec<String> = ["--h1", "-t1", "-D120", "--rps=0.01"].map(str::to_owned).to_vec();
    words.push(format!("-c{connections}"));
    words.extend(front.fields.iter().flat_map(|field| ["-H".to_owned(), field.clone()]));
    words.push(url.into());
    let crowd = bench.stage.spawn("crowd", Core::Load, Path::new("h2load"), words)?;
    let port = if url.starts_with("https") { front.secure } else { front.plain };
    until_quiet(front, port, connections)?;
    Ok(crowd)
}

/// Waits until all have come and the proxy has had nothing to do for eight seconds: what it gives up or back, it has by then.
fn until_quiet(front: &Front, port: u16, connections: usize) -> Result<(), Failure> {
    let mut quiet = 0;
    for _ in 0..120 {
        let before_us = front.usage().cpu_us();
        thread::sleep(Duration::from_millis(500));
        let busy = front.usage().cpu_us() - before_us > 10_000.0 || established(port) < connections;
        quiet = if busy { 0 } else { quiet + 1 };
        if quiet == 16 {
            return Ok(());
        }
    }
    Err(format!("{}: only {} of {connections} connections came about", front.name, established(port)))
}

/// Open connections to a local port, as the server's side has them.
fn established(port: u16) -> usize {
    let text = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let own = format!(":{port:04X}");
    let columns = text.lines().map(|line| line.split_whitespace().skip(1));
    columns
        .filter_map(|mut columns| Some((columns.next()?, columns.nth(1)?)))
        .filter(|(local, state)| local.ends_with(&own) && *state == "01")
        .count()
}
