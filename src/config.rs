//! The configuration, parsed into types once at the start.
//!
//! Each room gets its own section by value and never sees the rest. Flag > environment > `config.toml`; every
//! problem is collected with its key, line and column before anything is refused.

pub mod accounts;
pub mod identity;
pub mod limits;
pub mod listen;
pub mod log;
pub mod mail;
pub mod password;
pub mod portal;
pub mod secrets;
pub mod session;
pub mod site;
pub mod verify;

use std::path::PathBuf;

/// Everything an operator can set. Made by `Config::load`; the composition root takes it apart.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where embedded stores and generated keys live; created 0700.
    pub data_dir: PathBuf,
    /// `[listen]`
    pub listen: listen::Listen,
    /// `[operations]`
    pub operations: listen::Operations,
    /// `[portal]`
    pub portal: portal::Portal,
    /// `[[site]]`, in file order; never empty.
    pub sites: Vec<site::Site>,
    /// `[session]`
    pub session: session::Session,
    /// `[secrets]`
    pub secrets: secrets::Secrets,
    /// `[accounts]`
    pub accounts: accounts::Accounts,
    /// `[identity]`
    pub identity: identity::IdentityFields,
    /// `[password]`
    pub password: password::Password,
    /// `[verify]`
    pub verify: verify::Verify,
    /// `[mail]`
    pub mail: mail::Mail,
    /// `[limits]`
    pub limits: limits::Limits,
    /// `[log]`
    pub log: log::Log,
    /// Sentences for the operator that do not stop the start (plain http on a private address, ...).
    pub warnings: Vec<String>,
}
