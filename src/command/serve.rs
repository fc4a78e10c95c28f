//! `vestibule serve`, and plain `vestibule`.

use super::exit::Failure;
use crate::{
    app,
    config::Config,
    telemetry::{self, failures::Failures},
    world::Clock,
};

pub(super) fn run(config: Config) -> Result<(), Failure> {
    let failures = Failures::new(Clock::System);
    telemetry::start(config.log.format, Some(failures.clone()));
    Ok(app::serve(config, failures)?)
}
