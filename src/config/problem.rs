//! What is wrong with a configuration, and where: every problem at once, each with its key and its place.

use std::{cell::RefCell, fmt, sync::Arc};

/// Where a value was given. The order is the order of the layers: a later one wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: the built-in value.
    Default,
    /// In the file.
    File {
        /// As named on the command line.
        file: Arc<str>,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// In one of Twilio's customary variables.
    Twilio(String),
    /// In a `VESTIBULE_…` variable.
    Environment(String),
    /// On the command line.
    Flag(&'static str),
}

impl Place {
    /// The layer's rank: flag > environment (Twilio's variables with it) > file > default.
    pub(super) fn layer(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Twilio(_) | Self::Environment(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("(by default)"),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Twilio(name) | Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One problem: place, key, sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was given.
    pub place: Place,
    /// Dotted, items numbered from 0: `site.0.rule.2.path`. Empty for the file as a whole.
    pub key: String,
    /// What is wrong and what to write instead. Never holds a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything wrong with a configuration, in the order of the file.
#[derive(Clone, Debug, thiserror::Error)]
pub struct ConfigErrors {
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Problems as they are found; readers share it.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: RefCell<Vec<Problem>>,
    broken: RefCell<Vec<Problem>>,
}

impl Problems {
    pub(super) fn add(&self, place: &Place, key: &str, message: impl Into<String>) {
        self.found.borrow_mut().push(Problem { place: place.clone(), key: key.into(), message: message.into() });
    }

    /// The file could not be read there at all: what else that line seems to say does not count.
    pub(super) fn add_syntax(&self, place: Place, message: impl Into<String>) {
        self.broken.borrow_mut().push(Problem { place, key: String::new(), message: message.into() });
    }

    /// Whether the file as a whole could be read.
    pub(super) fn readable(&self) -> bool {
        self.broken.borrow().is_empty()
    }

    /// `value`, or everything found, in the order of the file.
    pub(super) fn settle<T>(self, value: T) -> Result<T, ConfigErrors> {
        let mut problems = self.broken.into_inner();
        let lines: Vec<_> = problems.iter().filter_map(|problem| line(&problem.place)).collect();
        problems.extend(
            self.found
                .into_inner()
                .into_iter()
                .filter(|problem| line(&problem.place).is_none_or(|line| !lines.contains(&line))),
        );
        problems.sort_by_key(|problem| match &problem.place {
            Place::File { line, column, .. } => (1, *line, *column),
            other => (other.layer(), 0, 0),
        });
        problems.dedup();
        if problems.is_empty() { Ok(value) } else { Err(ConfigErrors { problems }) }
    }
}

fn line(place: &Place) -> Option<usize> {
    match place {
        Place::File { line, .. } => Some(*line),
        _ => None,
    }
}
