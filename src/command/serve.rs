//! `vestibule serve`, and plain `vestibule`.

use super::exit::Failure;
use crate::{app, config::Config, telemetry};

pub(super) fn run(config: Config) -> Result<(), Failure> {
    telemetry::start(config.log.format);
    Ok(app::serve(config)?)
}
