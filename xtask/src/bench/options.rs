//! What the person at the terminal wants measured, and for how long.

use super::rows::{ROWS, Row};
use crate::Failure;

/// `cargo xtask bench [ROW…] [--quick] [--as-built] [--rounds N] [--seconds S]`
pub(super) struct Options {
    names: Vec<String>,
    /// How often each proxy is measured; medians are reported.
    pub(super) rounds: usize,
    /// How long each measurement lasts.
    pub(super) seconds: u64,
    /// Measure the program that is there, however old.
    pub(super) as_built: bool,
    /// Smoke only: short, small, and nothing is written.
    pub(super) quick: bool,
}

impl Options {
    pub(super) fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut options = Self { names: Vec::new(), rounds: 5, seconds: 5, as_built: false, quick: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => (options.quick, options.rounds, options.seconds) = (true, 1, 1),
                "--as-built" => options.as_built = true,
                "--rounds" => options.rounds = number(word, words.next())?,
                "--seconds" => options.seconds = number(word, words.next())?,
                name if ROWS.iter().any(|row| row.name == name) => options.names.push(name.into()),
                other => return Err(format!("`{other}` is no row; there are: {}", names())),
            }
        }
        Ok(options)
    }

    /// The rows asked for, in their own order; all when none is named.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(|row| self.names.is_empty() || self.names.iter().any(|name| name == row.name))
    }

    /// `full`, or `small` for a smoke run.
    pub(super) fn sized<T>(&self, full: T, small: T) -> T {
        if self.quick { small } else { full }
    }
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(flag: &str, word: Option<&String>) -> Result<T, Failure> {
    let number = word.and_then(|word| word.parse().ok()).filter(|number| *number >= T::from(1));
    number.ok_or_else(|| format!("{flag} needs a number from 1"))
}

fn names() -> String {
    ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}
