//! The load generators: wrk for HTTP/1.1, h2load for HTTP/2 and for many connections that come slowly.

use std::{fs, path::Path};

use super::{Bench, stage::Core};
use crate::Failure;

/// What a generator saw.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// Answered requests.
    pub(super) requests: f64,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Answers other than 2xx, and broken connections.
    pub(super) failed: f64,
}

/// One thread that keeps `connections` busy.
pub(super) fn wrk(
    bench: &Bench,
    url: &str,
    fields: &[String],
    connections: usize,
    seconds: u64,
) -> Result<Seen, Failure> {
    let mut words: Vec<String> = ["-t1", "--latency", "--timeout", "10s"].iter().map(|&word| word.to_owned()).collect();
    words.extend([format!("-c{connections}"), format!("-d{seconds}s")]);
    words.extend(fields.iter().flat_map(|field| ["-H".to_owned(), field.clone()]));
    words.push(url.into());
    let said = bench.stage.run(Core::Load, Path::new("wrk"), words)?;
    read_wrk(&said).ok_or_else(|| format!("wrk said something unexpected:\n{said}"))
}

fn read_wrk(said: &str) -> Option<Seen> {
    let after = |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let requests = said.lines().find(|line| line.contains(" requests in "))?;
    let refused = after("Non-2xx or 3xx responses:").map_or(Some(0.0), |count| count.parse().ok())?;
    // `connect 0, read 0, write 0, timeout 0`
    let broken = after("Socket errors:")
        .map_or(0.0, |errors| errors.split([' ', ',']).filter_map(|word| word.parse::<f64>().ok()).sum());
    Some(Seen {
        requests: requests.split_whitespace().next()?.parse().ok()?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50_us: micros(after("50%")?)?,
        p99_us: micros(after("99%")?)?,
        failed: refused + broken,
    })
}

/// `1.23ms`, `870.00us`, `2.1s`
fn micros(text: &str) -> Option<f64> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let scale = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 6e7,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * scale)
}

/// h2load with these words; latencies come from its own log of every request.
pub(super) fn h2load(bench: &Bench, url: &str, fields: &[String], words: &[String]) -> Result<Seen, Failure> {
    let log = bench.stage.path("h2load.requests");
    let _ = fs::remove_file(&log);
    let mut all = words.to_vec();
    all.push(format!("--log-file={}", log.display()));
    all.extend(fields.iter().flat_map(|field| ["-H".to_owned(), field.clone()]));
    all.push(url.into());
    let said = bench.stage.run(Core::Load, Path::new("h2load"), all)?;
    let log = fs::read_to_string(&log).map_err(|error| format!("h2load's log: {error}"))?;
    read_h2load(&said, &log).ok_or_else(|| format!("h2load said something unexpected:\n{said}"))
}

/// Lines of the log: start in microseconds, status, microseconds until the end.
fn read_h2load(said: &str, log: &str) -> Option<Seen> {
    let finished = said.lines().find(|line| line.starts_with("finished in"))?;
    let per_second = finished.split_whitespace().nth(3)?.parse().ok()?;
    let (mut times, mut failed) = (Vec::new(), 0.0);
    for line in log.lines() {
        let mut columns = line.split('\t').skip(1);
        match (columns.next(), columns.next().and_then(|time| time.parse::<f64>().ok())) {
            (Some("200"), Some(time)) => times.push(time),
            _ => failed += 1.0,
        }
    }
    let (p50_us, p99_us) = (percentile(&mut times, 50), percentile(&mut times, 99));
    Some(Seen { requests: times.len() as f64, per_second, p50_us, p99_us, failed })
}

/// The nearest-rank percentile; 0 of nothing. Sorts.
pub(super) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_read() {
        let seen = read_wrk(
            "Running 1s test @ http://127.0.0.1:9/\n  1 threads and 64 connections\n  Latency Distribution\n     50%    1.50ms\n     \
             75%    2.00ms\n     99%  870.00us\n  1234 requests in 1.00s, 1.5MB read\n  Socket errors: connect 0, read 2, write 0, \
             timeout 1\n  Non-2xx or 3xx responses: 7\nRequests/sec:   1230.50\n",
        )
        .unwrap();
        assert_eq!((seen.requests, seen.per_second), (1234.0, 1230.5));
        assert_eq!((seen.p50_us, seen.p99_us, seen.failed), (1500.0, 870.0, 10.0));
    }

    #[test]
    fn what_h2load_says_is_read() {
        let log = "1\t200\t10\n2\t200\t30\n3\t503\t1\n4\t-1\t1\n";
        let seen = read_h2load("starting\nfinished in 1.00s, 500.25 req/s, 1MB/s\n", log).unwrap();
        assert_eq!((seen.requests, seen.per_second, seen.failed), (2.0, 500.25, 2.0));
        assert_eq!((seen.p50_us, seen.p99_us), (10.0, 30.0));
    }

    #[test]
    fn the_percentile_is_the_nearest_rank() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!((percentile(&mut values, 50), percentile(&mut values, 99)), (50.0, 99.0));
        assert_eq!(percentile(&mut [], 99), 0.0);
    }
}
