//! What a run ran on, in one line for the results.

use std::{fs, process::Command};

use super::options::Options;

/// Processor, kernel, versions, commit, date, rounds.
pub(super) fn ran_on(options: &Options) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "Ran on {} ({cores} cores), Linux {}, {}; commit {}, {}, {} × {} s.",
        processor(),
        said("uname", &["-r"]),
        versions(),
        commit(),
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        options.rounds,
        options.seconds,
    )
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.into(), |(_, name)| name.trim().into())
}

fn versions() -> String {
    let second = |text: String, at: usize| text.split_whitespace().nth(at).unwrap_or("?").to_owned();
    [
        said("nginx", &["-v"]).replace("nginx version: nginx/", "nginx "),
        format!("haproxy {}", second(said("haproxy", &["-v"]), 2)),
        format!("wrk {}", second(said("wrk", &["-v"]), 1)),
        said("h2load", &["--version"]),
        format!(
            "Redis {}",
            said("redis-server", &["--version"])
                .split("v=")
                .nth(1)
                .map_or("?", |rest| rest.split(' ').next().unwrap_or("?"))
        ),
        said("openssl", &["version"]).split(" (").next().unwrap_or("?").to_owned(),
        said("rustc", &["--version"]),
    ]
    .join(", ")
}

fn commit() -> String {
    let changed =
        if said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { " and changes" };
    format!("{}{changed}", said("git", &["rev-parse", "--short=12", "HEAD"]))
}

/// The first line a program writes, wherever it writes it.
fn said(program: &str, words: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(words).output() else { return "?".into() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}
