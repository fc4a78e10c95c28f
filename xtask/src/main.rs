//! The project's chores: `cargo xtask test` installs what the tests need, starts services, runs every test,
//! and leaves nothing running. CI calls the same door. `cargo xtask bench` measures what the door costs.

mod bench;
mod fuzz;
mod packages;
mod services;

use std::{
    process::{Command, ExitCode},
    time::Instant,
};

/// What went wrong, in words for the person at the terminal.
pub(crate) type Failure = String;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((chore, rest)) if chore == "test" => test(rest),
        Some((chore, rest)) if chore == "bench" => bench::run(rest),
        Some((chore, rest)) if chore == "fuzz" => fuzz::run(rest),
        // What `bench` starts beside itself, on a core of its own.
        Some((chore, rest)) if chore == "load" => bench::load(rest),
        _ => Err(CHORES.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

const CHORES: &str = "chores:
  cargo xtask test [arguments of cargo test]    every test, with real services
  cargo xtask bench [ROW…] [--quick] [--as-built] [--rounds N] [--seconds S]    the benchmark, into benches/RESULTS.md
  cargo xtask fuzz [TARGET] [SECONDS]    libFuzzer on what comes from outside; findings into fuzz/regressions";

/// Installs, starts, tests, stops. A missing service is a failure, never a skip.
fn test(arguments: &[String]) -> Result<(), Failure> {
    packages::install_missing(packages::FOR_TESTS)?;
    let start = Instant::now();
    // Built before the services start: a compiler error should not wait for a database.
    cargo(&["test", "--workspace", "--no-run"], &[], arguments)?;
    println!("xtask: built in {} s", start.elapsed().as_secs());
    let services = services::Services::start()?;
    let start = Instant::now();
    let tested = cargo(&["test", "--workspace", "--no-fail-fast"], &services.environment(), arguments);
    println!("xtask: tests ran for {} s", start.elapsed().as_secs());
    drop(services);
    tested
}

/// Runs cargo with this environment; fails when it does.
pub(crate) fn cargo(words: &[&str], environment: &[(&str, String)], more: &[String]) -> Result<(), Failure> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(words).args(more);
    // Most tests wait for sockets and children, not for a core.
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", "4");
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}` failed", words.join(" "))) }
}
