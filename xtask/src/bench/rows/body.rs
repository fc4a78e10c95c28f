//! Large bodies, down and up: CPU per gigabyte, and whether memory stays flat meanwhile.

use crate::{
    Failure,
    bench::{
        Bench,
        fronts::{Front, two},
        load,
        nginx::Upstream,
        report::{Goal, Section, Table, Verdict, figure},
        rounds::median,
        stage::Process,
    },
};

/// Medians of one proxy in one direction.
struct Passed {
    cpu_s_per_gb: f64,
    gb_per_second: f64,
    peak_mib: f64,
    /// How much the peak stands above what it held before.
    grown_mib: f64,
}

pub(super) fn measure(bench: &Bench) -> Result<Section, Failure> {
    let bytes: u64 = bench.options.sized(1_000_000_000, 50_000_000);
    let mut table = Table::new(&["direction", "target", "CPU s/GB", "GB/s", "peak MiB", "grown by MiB"]);
    let mut verdicts = Vec::new();
    let down = Upstream::start(bench)?;
    down.put_large(bench, bytes)?;
    both(bench, "download", &down, &["download", "/large"], &mut table, &mut verdicts)?;
    drop(down);
    let up = Upstream::sink(bench)?;
    both(bench, "upload", &up, &["upload", &bytes.to_string()], &mut table, &mut verdicts)?;
    let note = format!("{bytes} bytes over HTTP/1.1; nginx streams as well (no temporary files).");
    Ok(Section { verdicts, table, note })
}

fn both(
    bench: &Bench,
    direction: &str,
    upstream: &Upstream,
    words: &[&str],
    table: &mut Table,
    verdicts: &mut Vec<Verdict>,
) -> Result<(), Failure> {
    let fronts = two(bench, upstream)?;
    let mut samples: [Vec<Passed>; 2] = Default::default();
    for _ in 0..bench.options.rounds {
        for (front, samples) in fronts.iter().zip(&mut samples) {
            samples.push(pass(bench, front, words)?);
        }
    }
    let [nginx, own] = samples.map(|samples| medians(&samples));
    for (front, passed) in fronts.iter().zip([&nginx, &own]) {
        let figures = [passed.cpu_s_per_gb, passed.gb_per_second, passed.peak_mib, passed.grown_mib].map(figure);
        table.rows.push([direction.to_owned(), front.name.to_owned()].into_iter().chain(figures).collect());
    }
    verdicts.push(Verdict {
        what: format!("{direction}: CPU per GB against nginx"),
        figure: format!("{:.2} s to {:.2} s", own.cpu_s_per_gb, nginx.cpu_s_per_gb),
        value: own.cpu_s_per_gb / nginx.cpu_s_per_gb,
        must: Goal::AtMost(1.1),
        aim: Goal::AtMost(0.9),
        failed: 0.0,
    });
    verdicts.push(Verdict {
        what: format!("{direction}: memory stays flat (grown by MiB)"),
        figure: format!("peak {:.1} MiB", own.peak_mib),
        value: own.grown_mib,
        must: Goal::AtMost(FLAT_MIB),
        aim: Goal::Unset,
        failed: 0.0,
    });
    Ok(())
}

fn pass(bench: &Bench, front: &Front, words: &[&str]) -> Result<Passed, Failure> {
    let [kind, what] = words else { return Err("a body needs a direction and a size".into()) };
    let mut all = vec![(*kind).to_owned(), front.plain.to_string(), (*what).to_owned()];
    all.extend_from_slice(&front.fields);
    let usage = Process::usage(&front.process);
    usage.forget_peak();
    let (before_us, before_kib) = (usage.cpu_us(), usage.peak_kib());
    let [bytes, seconds] = load::ask(bench, &all)?;
    let (gigabytes, peak_kib) = (bytes / 1e9, usage.peak_kib());
    Ok(Passed {
        cpu_s_per_gb: (usage.cpu_us() - before_us) / 1e6 / gigabytes,
        gb_per_second: gigabytes / seconds,
        peak_mib: peak_kib / 1024.0,
        grown_mib: (peak_kib - before_kib) / 1024.0,
    })
}

fn medians(samples: &[Passed]) -> Passed {
    let of = |figure: fn(&Passed) -> f64| median(samples.iter().map(figure).collect());
    Passed {
        cpu_s_per_gb: of(|one| one.cpu_s_per_gb),
        gb_per_second: of(|one| one.gb_per_second),
        peak_mib: of(|one| one.peak_mib),
        grown_mib: of(|one| one.grown_mib),
    }
}

/// Buffers of one transfer; a body that is kept would be far more.
const FLAT_MIB: f64 = 4.0;
