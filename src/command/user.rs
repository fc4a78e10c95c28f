//! `vestibule user …`: people, from the command line, beside a running server: it acts on every change within a second.

mod change;
mod import;
mod table;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::{
    exit::{DATA, Failure, NO_USER, complain, say},
    password,
};
use crate::{
    app,
    config::Config,
    identity::{Identity, account::Account, people::Addition},
    world::{Clock, Entropy},
};

/// What can be done with people.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person
    Add(Add),
    /// Everyone, in the order of their usernames
    List {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// One person
    Show {
        /// Username or e-mail address
        name: String,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// End a person's sessions and let them in no more
    Disable {
        /// Username or e-mail address
        name: String,
    },
    /// Let a disabled person sign in again, or approve one who waits for that
    Enable {
        /// Username or e-mail address
        name: String,
    },
    /// Delete a person, whose username nobody else ever gets; or decline one who waits for approval
    Delete {
        /// Username or e-mail address
        name: String,
        /// Do not ask (nobody is asked where there is no terminal)
        #[arg(long, short)]
        yes: bool,
    },
    /// Set a person's password and end their sessions
    SetPassword {
        /// Username or e-mail address
        name: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Turn a person's second factors off and end their sessions and access tokens
    ResetFactors {
        /// Username or e-mail address
        name: String,
    },
    /// Show or change a person's groups
    Groups(Groups),
    /// Bring people from another system, with their passwords
    Import(import::Import),
}

/// What is not given is asked for on a terminal.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Username: 2 to 32 of a-z, 0-9, dot, hyphen, underscore
    username: String,
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// Given name; without both names, the username stands for them
    #[arg(long)]
    first_name: Option<String>,
    /// Family name
    #[arg(long)]
    last_name: Option<String>,
    /// A group; may be given more than once
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// May administrate
    #[arg(long)]
    admin: bool,
    /// Read the password from standard input; otherwise it is asked for, or made up and shown once
    #[arg(long)]
    password_stdin: bool,
}

/// Without groups: shows them.
#[derive(Debug, Args)]
pub(super) struct Groups {
    /// Username or e-mail address
    name: String,
    /// From now on exactly these
    #[arg(value_name = "GROUP", value_delimiter = ',', conflicts_with_all = ["add", "remove", "none"])]
    exactly: Vec<String>,
    /// One more; may be given more than once
    #[arg(long, value_name = "GROUP")]
    add: Vec<String>,
    /// One less; may be given more than once
    #[arg(long, value_name = "GROUP")]
    remove: Vec<String>,
    /// No groups at all
    #[arg(long, conflicts_with_all = ["add", "remove"])]
    none: bool,
}

pub(super) fn run(user: User, config: &Config) -> Result<(), Failure> {
    match user {
        User::Add(person) => add(person, config),
        User::List { json } => list(json, config),
        User::Show { name, json } => with(config, async |identity| {
            let account = find(&identity, &name).await?;
            say(&if json { format!("{:#}", table::json(&account)) } else { table::card(&account) });
            Ok(())
        }),
        User::Disable { name } => change::disable(&name, config),
        User::Enable { name } => change::enable(&name, config),
        User::Delete { name, yes } => change::delete(&name, yes, config),
        User::SetPassword { name, password_stdin } => change::set_password(&name, password_stdin, config),
        User::ResetFactors { name } => change::reset_factors(&name, config),
        User::Groups(groups) => change::groups(groups, config),
        User::Import(import) => import::run(import, config),
    }
}

fn add(person: Add, config: &Config) -> Result<(), Failure> {
    let ask = |given: Option<String>, flag: &str, question: &str| match given {
        Some(given) => Ok(given),
        None if password::at_a_terminal() && !person.password_stdin => password::ask_openly(question),
        None => Err(Failure::new(DATA, format!("{flag} is missing."))),
    };
    // Who adds people by a script may know no more of them than a name and an address.
    let unasked = !password::at_a_terminal() || person.password_stdin;
    let (first_name, last_name) = match (person.first_name, person.last_name) {
        (None, None) if unasked => (person.username.clone(), String::new()),
        (first, last) if unasked => (first.unwrap_or_default(), last.unwrap_or_default()),
        (first, last) => {
            (ask(first, "--first-name", "First name: ")?, ask(last, "--last-name", "Last name (may stay empty): ")?)
        }
    };
    let email = ask(person.email, "--email", "E-mail address: ")?;
    let chosen = password::choose(person.password_stdin, &Entropy::System)?;
    let addition = Addition {
        first_name,
        last_name,
        username: person.username,
        email,
        password: chosen.password.clone(),
        groups: person.groups,
        admin: person.admin,
    };
    let account = with(config, async |identity| Ok(identity.add(addition, Clock::System.now()).await?))?;
    let role = if person.admin { " as an administrator" } else { "" };
    say(&format!(
        "{} was added{role}, and signs in at {}{}/login as {}.",
        account.name(),
        config.portal.url.origin(),
        config.portal.path,
        account.username
    ));
    tell_generated(&chosen);
    Ok(())
}

fn list(json: bool, config: &Config) -> Result<(), Failure> {
    let everyone = with(config, async |identity| {
        let mut everyone: Vec<Account> = Vec::new();
        loop {
            let after = everyone.last().map(|account| account.username.clone()).unwrap_or_default();
            let page = identity.list(&after, PAGE).await?;
            if page.is_empty() {
                return Ok(everyone);
            }
            everyone.extend(page);
        }
    })?;
    if json {
        let everyone: Vec<_> = everyone.iter().map(table::json).collect();
        say(&format!("{:#}", serde_json::Value::Array(everyone)));
    } else if everyone.is_empty() {
        complain("Nobody yet. Add somebody with `vestibule user add NAME`.");
    } else {
        say(&table::list(&everyone));
    }
    Ok(())
}

/// Runs `work` with the accounts, migrated.
fn with<T>(config: &Config, work: impl AsyncFnOnce(Identity) -> Result<T, Failure>) -> Result<T, Failure> {
    app::with_identity(config, work)?
}

async fn find(identity: &Identity, name: &str) -> Result<Account, Failure> {
    let nobody = || Failure::new(NO_USER, format!("There is nobody called `{name}`."));
    identity.find(name).await?.ok_or_else(nobody)
}

/// A made-up password, this once.
fn tell_generated(chosen: &password::Chosen) {
    if chosen.generated {
        complain("Their password, shown this once:");
        say(chosen.password.expose_secret());
    }
}

const PAGE: u32 = 200;
