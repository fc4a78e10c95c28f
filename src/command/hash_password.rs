//! `vestibule hash-password`: an Argon2id PHC string of the password on standard input, at the configured cost.

use super::{
    exit::{Failure, say},
    password,
};
use crate::{config::Config, identity::password::hash_for_operator, world::Entropy};

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let password = password::from_stdin()?;
    say(&hash_for_operator(&password, &config.password, &Entropy::System)?);
    Ok(())
}
