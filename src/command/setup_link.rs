//! `vestibule setup-link`: a new link for the first administrator; older ones die.

use super::exit::{DATA, Failure, complain, say};
use crate::{app, config::Config, world::Clock};

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let now = Clock::System.now();
    let token = app::with_identity(config, async |identity| identity.setup_token(now).await)??;
    match token {
        Some(token) => {
            complain("Open this link to become the first administrator. It works once; earlier links no longer do.");
            say(&app::setup_link(&config.portal, &token));
            Ok(())
        }
        None => Err(Failure::new(
            DATA,
            "There is an administrator already. Add another with `vestibule user add NAME --admin`, or give one a new \
             password with `vestibule user set-password NAME`.",
        )),
    }
}
