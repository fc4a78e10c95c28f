//! `[accounts]`: where accounts live and who may make one.

use super::{reader::Section, units};

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
    /// Members have to have a second factor.
    pub two_factor_groups: Demanding,
}

/// Whose members have to have a second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Demanding {
    /// Nobody's.
    #[default]
    Nobody,
    /// Everybody has to have one.
    Everybody,
    /// These groups'.
    Groups(Vec<String>),
}

impl Demanding {
    /// Whether somebody in these groups has to have one.
    #[must_use]
    pub fn binds(&self, groups: &[String]) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Groups(bound) => groups.iter().any(|group| bound.contains(group)),
        }
    }
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
    /// Who brings an administrator's invitation may register.
    Invite,
    /// Anyone (within `registration_domains`) may register, and waits for an administrator's approval.
    Approve,
    /// The operator adds people.
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
            two_factor_groups: Demanding::Nobody,
        }
    }
}

/// What the operator wrote of those keys whose default depends on other sections.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// `None` is `auto`.
    pub(super) registration: Option<Registration>,
    /// `["*"]` or a list was given.
    pub(super) domains_given: bool,
    pub(super) confirm_email: Option<bool>,
}

pub(super) fn read(mut section: Section<'_>) -> (Accounts, Wanted) {
    let default = Accounts::default();
    let registration = section.parse("registration", registration).flatten();
    let domains = section.list("registration_domains", domain);
    let domains_given = domains.as_ref().is_some_and(|domains| !domains.is_empty());
    let mut domains = domains.unwrap_or_default();
    if domains.iter().any(|domain| domain == "*") {
        if domains.len() > 1 {
            section.refuse("registration_domains", "`*` means everyone: it stands alone, or not at all");
        }
        domains.clear();
    }
    let accounts = Accounts {
        database: section.secret("database", "database_file").map_or(default.database, |text| {
            use secrecy::ExposeSecret as _;
            database(text.expose_secret()).unwrap_or_else(|message| {
                section.refuse("database", message);
                Database::Sqlite("accounts.db".into())
            })
        }),
        registration: registration.unwrap_or(default.registration),
        registration_domains: domains,
        confirm_email: default.confirm_email,
        admin_group: section.parse("admin_group", units::group).unwrap_or(default.admin_group),
        two_factor_groups: two_factor_groups(&mut section),
    };
    let wanted = Wanted { registration, domains_given, confirm_email: section.truth("confirm_email") };
    section.finish();
    (accounts, wanted)
}

fn two_factor_groups(section: &mut Section<'_>) -> Demanding {
    let groups =
        section.list("two_factor_groups", |text| if text == "*" { Ok("*".into()) } else { units::group(text) });
    match groups.unwrap_or_default() {
        groups if groups.is_empty() => Demanding::Nobody,
        groups if groups.iter().all(|group| group != "*") => Demanding::Groups(groups),
        groups => {
            if groups.len() > 1 {
                section.refuse("two_factor_groups", "`*` means everybody: it stands alone, or not at all");
            }
            Demanding::Everybody
        }
    }
}

fn registration(text: &str) -> Result<Option<Registration>, String> {
    match text {
        "auto" => Ok(None),
        "open" => Ok(Some(Registration::Open)),
        "closed" => Ok(Some(Registration::Closed)),
        "invite" => Ok(Some(Registration::Invite)),
        "approve" => Ok(Some(Registration::Approve)),
        other => Err(format!("`{other}` is none of \"auto\", \"open\", \"approve\", \"invite\", \"closed\"")),
    }
}

fn domain(text: &str) -> Result<String, String> {
    match text.trim().trim_start_matches('@') {
        "*" => Ok("*".into()),
        name => units::host(name),
    }
}

// The text may hold a password: no message repeats it.
fn database(text: &str) -> Result<Database, String> {
    const FORMS: &str = "write \"sqlite:accounts.db\" or \"postgres://user:password@host/name\"";
    if let Some(path) = text.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains('?') || path.starts_with(':') {
            return Err(format!("a file name has to follow `sqlite:`, and nothing else: {FORMS}"));
        }
        return Ok(Database::Sqlite(path.into()));
    }
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(format!("this is no database Vestibule knows: {FORMS}"));
    }
    match url::Url::parse(text) {
        Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) || url.query().is_some() => {
            Ok(Database::Postgres(text.to_owned()))
        }
        Ok(_) => Err(format!("this URL names no host: {FORMS}")),
        Err(error) => Err(format!(
            "this is no URL ({error}): {FORMS}; characters like `@`, `/` and `#` in a password are written as %40, %2F and %23"
        )),
    }
}
