//! How a command fails: a sentence on standard error and an exit code of sysexits(3).

use std::{io::Write, process::ExitCode};

use crate::{
    app::{ServeError, causes, data::DataError},
    config::ConfigErrors,
    identity::Refusal,
};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    sentence: String,
}

impl Failure {
    pub(super) fn new(code: u8, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }

    /// Says it, and becomes the exit code.
    pub(super) fn tell(&self) -> ExitCode {
        complain(&self.sentence);
        ExitCode::from(self.code)
    }
}

/// A sentence for standard error. A closed one is no reason to fail differently.
pub(super) fn complain(sentence: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{sentence}");
}

/// A line of the answer.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// What clap has to say: help and version are answers, the rest is a mistake in the arguments.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        let count = errors.problems.len();
        let problems = if count == 1 { "one problem".into() } else { format!("{count} problems") };
        Self::new(USAGE, format!("The configuration has {problems}:\n{errors}"))
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let code = match &error {
            ServeError::Setup(_) => USAGE,
            ServeError::Data(DataError::Entropy(_)) | ServeError::System { .. } | ServeError::Entropy(_) => OS_ERROR,
            ServeError::Data(_) => CANNOT_CREATE,
            ServeError::Accounts(_) => UNAVAILABLE,
            ServeError::Interrupted => TRY_AGAIN,
        };
        Self::new(code, causes(&error))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Fields(_) | Refusal::Mismatch | Refusal::LastAdministrator => DATA,
            Refusal::Store(_) | Refusal::Verify(_) => UNAVAILABLE,
            Refusal::Busy { .. } | Refusal::Throttled { .. } => TRY_AGAIN,
            _ => SOFTWARE,
        };
        let sentence = match &refusal {
            Refusal::Fields(fields) => {
                // A form's field is a flag here.
                let flag = |field: &str| format!("--{}", field.replace('_', "-"));
                let lines = fields.iter().map(|field| format!("{}: {}", flag(field.field), field.message));
                lines.collect::<Vec<_>>().join("\n")
            }
            Refusal::LastAdministrator => "This is the last administrator: make somebody else one first.".into(),
            other => causes(other),
        };
        Self::new(code, sentence)
    }
}

/// `EX_USAGE`: the arguments or the configuration.
pub(super) const USAGE: u8 = 64;
/// `EX_DATAERR`: what was given is not acceptable.
pub(super) const DATA: u8 = 65;
/// `EX_NOINPUT`: a file that cannot be read.
pub(super) const NO_INPUT: u8 = 66;
/// `EX_NOUSER`: there is no such person.
pub(super) const NO_USER: u8 = 67;
/// `EX_UNAVAILABLE`: something is not reachable.
pub(super) const UNAVAILABLE: u8 = 69;
/// `EX_SOFTWARE`: our own fault.
pub(super) const SOFTWARE: u8 = 70;
/// `EX_OSERR`: the operating system's.
const OS_ERROR: u8 = 71;
/// `EX_CANTCREAT`: the data folder.
const CANNOT_CREATE: u8 = 73;
/// `EX_IOERR`: standard input.
pub(super) const INPUT: u8 = 74;
/// `EX_TEMPFAIL`
const TRY_AGAIN: u8 = 75;
