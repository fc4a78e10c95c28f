//! `vestibule user …`: people, from the command line. Being laid.

use super::exit::{Failure, SOFTWARE};
use crate::config::Config;

/// What can be done with people.
#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Everyone
    List,
}

pub(super) fn run(_: User, _: &Config) -> Result<(), Failure> {
    Err(Failure::new(SOFTWARE, "not built yet"))
}
