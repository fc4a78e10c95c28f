//! `vestibule hash-password`: being laid.

use super::exit::{Failure, SOFTWARE};
use crate::config::Config;

pub(super) fn run(_: &Config) -> Result<(), Failure> {
    Err(Failure::new(SOFTWARE, "not built yet"))
}
