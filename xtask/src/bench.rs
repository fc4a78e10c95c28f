//! `cargo xtask bench`: what a signed-in request costs, against nginx, nginx with `auth_request`, and haproxy.
//!
//! Every proxy stands before the same upstream, pinned to one core; load and upstream share another. Rounds alternate
//! between the proxies within one run, so that a noisy neighbour disturbs all alike. The figure to steer by is the CPU time
//! a request costs in the proxy's processes. Each row (`rows.rs`) is a scenario with what it must reach; the whole goes
//! into `benches/RESULTS.md`. Everything runs in a temporary folder on free ports, and ends with this program.

mod fronts;
mod generators;
mod haproxy;
mod http;
mod load;
mod machine;
mod nginx;
mod options;
mod redis;
mod report;
mod results;
mod rounds;
mod rows;
mod stage;
mod usage;
mod vestibule;

use std::path::PathBuf;

use self::{options::Options, results::Results, stage::Stage};
use crate::{Failure, cargo, packages};

pub(crate) use self::load::run as load;

/// What every row works with.
struct Bench {
    options: Options,
    stage: Stage,
    /// The program measured, built with `--release`.
    program: PathBuf,
}

/// Installs, builds, measures, writes. A row that fails is told of; the others go on.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let options = Options::parse(words)?;
    packages::install_missing(packages::FOR_BENCH)?;
    if !options.as_built {
        cargo(&["build", "--release", "--locked", "--bin", "vestibule"], &[], &[])?;
    }
    let bench = Bench { options, stage: Stage::open()?, program: built()? };
    let mut results = Results::open()?;
    let mut failed = Vec::new();
    for row in bench.options.rows() {
        println!("xtask: {}: {}", row.name, row.what);
        match (row.measure)(&bench) {
            Ok(section) => {
                println!("{}", section.shown());
                results.put(row, &section, &machine::ran_on(&bench.options));
                if !bench.options.quick {
                    results.write()?;
                }
            }
            Err(failure) => {
                eprintln!("xtask: {}: {failure}", row.name);
                failed.push(row.name);
            }
        }
    }
    if bench.options.quick {
        println!("xtask: a smoke run; benches/RESULTS.md is as it was");
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not measured: {}", failed.join(", "))) }
}

/// Beside this program's own folder: `target/debug/xtask`, `target/release/vestibule`.
fn built() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = own.ancestors().nth(2).map(|target| target.join("release/vestibule"));
    program.filter(|program| program.is_file()).ok_or_else(|| "the built program is not where cargo puts it".into())
}
