//! Load of our own, where wrk and h2load have none: started as `xtask load …` on the core that load has.
//!
//! Each kind prints its figures in one line, separated by blanks; [`ask`] runs one and reads them.

mod bulk;
mod steady;
mod storm;

pub(super) use self::storm::PEOPLE;
use super::{Bench, stage::Core};
use crate::Failure;

/// `xtask load KIND PORT …`
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let figures = match words.as_slice() {
        ["steady", port, rate, seconds, rest @ ..] => steady::run(number(port)?, number(rate)?, number(seconds)?, rest),
        ["storm", port, host, rate, seconds] => storm::run(number(port)?, host, number(rate)?, number(seconds)?),
        ["download", port, target, rest @ ..] => bulk::download(number(port)?, target, rest),
        ["upload", port, bytes, rest @ ..] => bulk::upload(number(port)?, number(bytes)?, rest),
        ["sink", port] => bulk::sink(number(port)?),
        _ => Err(format!("`{}` is no load", words.join(" "))),
    }?;
    let figures: Vec<_> = figures.iter().map(f64::to_string).collect();
    println!("{}", figures.join(" "));
    Ok(())
}

/// Runs one load to its end; gives exactly `N` figures.
pub(super) fn ask<const N: usize>(bench: &Bench, words: &[String]) -> Result<[f64; N], Failure> {
    let own = own_program()?;
    let said = bench.stage.run(Core::Load, &own, std::iter::once("load").chain(words.iter().map(String::as_str)))?;
    let figures: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    figures.try_into().map_err(|_| format!("the load said something unexpected: {said}"))
}

/// This very program.
pub(super) fn own_program() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe().map_err(|error| error.to_string())
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, Failure> {
    word.parse().map_err(|_| format!("`{word}` is not the number expected here"))
}
