//! `vestibule check`: every problem of the configuration, then everything it names is reached for.

use super::exit::{Failure, UNAVAILABLE, say};
use crate::{app::reach, config::Config};

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    say("The configuration is good.");
    for warning in &config.warnings {
        say(&format!("Warning: {warning}."));
    }
    let mut failed = 0;
    for reached in reach::everything(config)? {
        match reached.result {
            Ok(found) => say(&format!("  ok      {}: {found}", reached.key)),
            Err(reason) => {
                failed += 1;
                say(&format!("  FAILED  {}: {}: {reason}", config.place_of(&reached.key), reached.key));
            }
        }
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::new(UNAVAILABLE, "One thing is not reachable. Vestibule would start, and wait for it.")),
        more => {
            let sentence = format!("{more} things are not reachable. Vestibule would start, and wait for them.");
            Err(Failure::new(UNAVAILABLE, sentence))
        }
    }
}
