//! An open loop: requests are due at fixed moments, whether or not earlier ones were answered, and latency counts from the
//! moment a request was due. So a proxy that stalls is charged for everyone who would have waited.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    bench::{generators::percentile, http::Client},
};

/// What a connection's thread found: microseconds of each good answer, and how many were not.
type Found = (Vec<f64>, usize);

/// `rate` requests a second over 64 connections. Figures: answers, failures, p50 and p99 in microseconds.
pub(super) fn run(port: u16, rate: f64, seconds: u64, fields: &[&str]) -> Result<Vec<f64>, Failure> {
    let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    let between = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let start = Instant::now() + Duration::from_millis(300);
    let end = start + Duration::from_secs(seconds);
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let fields = fields.clone();
            let first = start + between * number / CONNECTIONS;
            thread::spawn(move || connection(port, &fields, first, between, end))
        })
        .collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for thread in threads {
        let (own, own_failed) = thread.join().map_err(|_| "a connection's thread broke off")?;
        times.extend(own);
        failed += own_failed;
    }
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    Ok(vec![times.len() as f64, failed as f64, p50, p99])
}

fn connection(port: u16, fields: &[String], first: Instant, between: Duration, end: Instant) -> Found {
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut client = None;
    let mut due = first;
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match ask(&mut client, port, fields) {
            Ok(200) => times.push(due.elapsed().as_secs_f64() * 1e6),
            Ok(_) => failed += 1,
            Err(_) => {
                failed += 1;
                client = None;
            }
        }
        due += between;
    }
    (times, failed)
}

fn ask(client: &mut Option<Client>, port: u16, fields: &[String]) -> std::io::Result<u16> {
    let client = match client {
        Some(client) => client,
        none => none.insert(Client::open(port, &format!("127.0.0.1:{port}"))?),
    };
    client.get("/", fields).map(|answer| answer.status)
}

const CONNECTIONS: u32 = 64;
