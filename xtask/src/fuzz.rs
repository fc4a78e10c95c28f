//! `cargo xtask fuzz [TARGET] [SECONDS]`: libFuzzer on stable Rust. Seeds stand in `fuzz/seeds/TARGET`, what a target learns
//! stays beside the build, and what it finds goes to `fuzz/regressions/TARGET`, where the tests replay it from then on.

use std::{fs, path::PathBuf, process::Command};

use crate::{Failure, cargo};

const TARGETS: &[&str] = &["request_view", "answer", "cookies", "fields", "proxy_protocol", "return_to"];

/// What libFuzzer counts; what `cargo fuzz` would pass on nightly Rust.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Ccodegen-units=1 --cfg fuzzing";
#[cfg(target_arch = "x86_64")]
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
#[cfg(not(target_arch = "x86_64"))]
const TRIPLE: &str = "aarch64-unknown-linux-gnu";

/// Builds, then runs the target named, or each in turn. The first finding ends it.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let (names, seconds) = read(words)?;
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = own.ancestors().nth(2).ok_or("the folder of builds is not where cargo puts it")?.to_owned();
    let folder = target.display().to_string();
    let manifest = root.join("fuzz/Cargo.toml").display().to_string();
    let build =
        ["build", "--release", "--locked", "--target", TRIPLE, "--target-dir", &folder, "--manifest-path", &manifest];
    cargo(&build, &[("RUSTFLAGS", FLAGS.into())], &[])?;
    for name in names {
        let [learnt, found] = [target.join("fuzz").join(name), root.join("fuzz/regressions").join(name)];
        for folder in [&learnt, &found] {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        println!("xtask: fuzzing {name} for {seconds} s");
        let mut command = Command::new(target.join(TRIPLE).join("release").join(name));
        command.args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={}/", found.display())]);
        command.args(["-max_len=4096", "-timeout=10", "-print_final_stats=1"]);
        let status = command.arg(&learnt).arg(root.join("fuzz/seeds").join(name)).status();
        if !status.map_err(|error| format!("{name} does not start: {error}"))?.success() {
            return Err(format!("{name} found something: look into {}", found.display()));
        }
    }
    Ok(())
}

fn read(words: &[String]) -> Result<(Vec<&'static str>, u64), Failure> {
    let (mut names, mut seconds) = (Vec::new(), 60);
    for word in words {
        match (word.parse(), TARGETS.iter().find(|name| *name == word)) {
            (Ok(number), _) => seconds = number,
            (_, Some(&name)) => names.push(name),
            _ => return Err(format!("`{word}` is neither a number of seconds nor one of {}", TARGETS.join(", "))),
        }
    }
    Ok((if names.is_empty() { TARGETS.to_vec() } else { names }, seconds))
}
