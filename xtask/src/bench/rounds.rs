//! Alternating rounds: every proxy in turn, again and again, and the median of each.

use super::{Bench, fronts::Front, generators::Seen};
use crate::Failure;

/// The medians of one proxy.
#[derive(Clone)]
pub(super) struct Measured {
    pub(super) name: &'static str,
    pub(super) per_second: f64,
    /// In the proxy's processes.
    pub(super) cpu_us: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) pss_mib: f64,
    /// In all rounds together.
    pub(super) failed: f64,
}

struct Sample {
    seen: Seen,
    cpu_us: f64,
    pss_mib: f64,
}

/// Measures every proxy in each round, started anew (where its memory happens to lie is worth a few percent) and after one
/// second that does not count.
pub(super) fn alternate(
    bench: &Bench,
    fronts: &mut [Front],
    load: impl Fn(&Front, u64) -> Result<Seen, Failure>,
) -> Result<Vec<Measured>, Failure> {
    let mut samples: Vec<Vec<Sample>> = fronts.iter().map(|_| Vec::new()).collect();
    for round in 0..bench.options.rounds {
        // Each round begins with another, so that nobody always follows the same neighbour.
        let begin = round % fronts.len().max(1);
        for nth in (begin..fronts.len()).chain(0..begin) {
            let (Some(front), Some(samples)) = (fronts.get_mut(nth), samples.get_mut(nth)) else { continue };
            front.process.restart(front.plain)?;
            load(front, 1)?;
            let before = front.usage().cpu_us();
            let seen = load(front, bench.options.seconds)?;
            front.process.check()?;
            let cpu_us = (front.usage().cpu_us() - before) / (seen.requests + seen.failed).max(1.0);
            samples.push(Sample { seen, cpu_us, pss_mib: front.usage().pss_kib() / 1024.0 });
        }
        bench.stage.forget_logs();
    }
    Ok(fronts.iter().zip(&samples).map(|(front, samples)| medians(front.name, samples)).collect())
}

fn medians(name: &'static str, samples: &[Sample]) -> Measured {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    Measured {
        name,
        per_second: of(|sample| sample.seen.per_second),
        cpu_us: of(|sample| sample.cpu_us),
        p50_us: of(|sample| sample.seen.p50_us),
        p99_us: of(|sample| sample.seen.p99_us),
        pss_mib: of(|sample| sample.pss_mib),
        failed: samples.iter().map(|sample| sample.seen.failed).sum(),
    }
}

/// The middle one, or the mean of the two in the middle; 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(0.0);
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => upper,
        length => (values.get(length / 2 - 1).copied().unwrap_or(upper) + upper) / 2.0,
    }
}

/// The one of that name.
pub(super) fn named<'a>(all: &'a [Measured], name: &str) -> Result<&'a Measured, Failure> {
    all.iter().find(|one| one.name == name).ok_or_else(|| format!("{name} was not measured"))
}
