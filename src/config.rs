//! The configuration, parsed into types once at the start.
//!
//! Each room gets its own section by value and never sees the rest. Flag > environment > `config.toml`; every
//! problem is collected with its key, line and column before anything is refused.

pub mod accounts;
mod checks;
pub mod identity;
pub mod limits;
pub mod listen;
pub mod log;
pub mod mail;
pub mod passkey;
pub mod password;
pub mod portal;
mod problem;
mod reader;
pub mod secrets;
pub mod session;
pub mod site;
mod sources;
#[cfg(test)]
mod tests;
mod tree;
mod units;
pub mod verify;

use std::{collections::BTreeMap, path::PathBuf};

use self::{problem::Problems, reader::Section, tree::Node};
pub use self::{
    problem::{ConfigErrors, Place, Problem},
    sources::{DEFAULT_FILE, Sources},
};

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
    /// `[passkey]`
    pub passkey: passkey::Passkey,
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
    /// Where the keys that `vestibule check` reaches for were given.
    places: BTreeMap<String, Place>,
}

impl Config {
    /// Reads, merges, parses and checks everything.
    ///
    /// # Errors
    /// Every problem at once, each with its key and place.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let problems = Problems::default();
        let tree = sources::gather(sources, &problems);
        let config = Self::read(&tree, &problems);
        problems.settle(config)
    }

    fn read(tree: &Node, problems: &Problems) -> Self {
        let mut root = Section::root(tree, problems);
        let data_dir = root.path("data_dir").unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        let listen = listen::read(root.section("listen"));
        let (http, https) = (listen.http.map(|http| http.port()), listen.https.map(|https| https.port()));
        let mut sites: Vec<_> = root.sections("site").into_iter().map(site::read).collect();
        if sites.is_empty() {
            sites.push(site::Site::default());
        }
        let (accounts, wanted) = accounts::read(root.section("accounts"));
        let passkey = passkey::read(root.section("passkey"));
        let allow_console = root.truth("allow_console").unwrap_or(false);
        let mut config = Self {
            data_dir,
            operations: listen::read_operations(root.section("operations")),
            portal: portal::read(root.section("portal"), http, https),
            listen,
            sites,
            session: session::read(root.section("session")),
            secrets: secrets::read(root.section("secrets")),
            accounts,
            identity: identity::read(root.section("identity")),
            password: password::read(root.section("password")),
            passkey: passkey::Passkey::default(),
            verify: verify::read(root.section("verify")),
            mail: mail::read(root.section("mail")),
            limits: limits::read(root.section("limits")),
            log: log::read(root.section("log")),
            warnings: Vec::new(),
            places: BTreeMap::new(),
        };
        config.places = places(tree, config.sites.len());
        config.mail.allow_console |= allow_console;
        config.verify.allow_console |= allow_console;
        root.finish();
        // With half a file, what the sections say together means nothing.
        if problems.readable() {
            checks::settle(&mut config, (&wanted, passkey), tree, problems);
        }
        config
    }

    /// Where a key that names something to reach was given: `session.store`, `site.0.upstream`.
    #[must_use]
    pub fn place_of(&self, key: &str) -> &Place {
        self.places.get(key).unwrap_or(&Place::Default)
    }
}

fn places(tree: &Node, sites: usize) -> BTreeMap<String, Place> {
    let fixed = ["data_dir", "accounts.database", "session.store", "mail.transport"].map(str::to_owned);
    let keys = fixed.into_iter().chain((0..sites).map(|index| format!("site.{index}.upstream")));
    let given = |key: String| {
        let node = tree.get(&key).or_else(|| tree.get(&format!("{key}_file")))?;
        Some((key, node.place.clone()))
    };
    keys.filter_map(given).collect()
}

const DEFAULT_DATA_DIR: &str = "data";
