//! `[accounts]`: where accounts live and who may make one.

/// `[accounts]`
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Where accounts live.
    pub database: Database,
    /// `auto` is already decided here.
    pub registration: Registration,
    /// Mail domains that may register; empty: all.
    pub registration_domains: Vec<String>,
    /// Whether an account waits for its e-mail address to be confirmed. Default already decided here.
    pub confirm_email: bool,
    /// Members may administrate.
    pub admin_group: String,
}

/// `accounts.database`
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file, relative to `data_dir`.
    Sqlite(std::path::PathBuf),
    /// `postgres://…`; the URL may hold a password.
    Postgres(String),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

/// `accounts.registration`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone (within `registration_domains`) may register.
    Open,
    /// The administrator adds people.
    Closed,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            database: Database::Sqlite("accounts.db".into()),
            registration: Registration::Closed,
            registration_domains: Vec::new(),
            confirm_email: false,
            admin_group: "admin".into(),
        }
    }
}
