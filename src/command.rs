//! Arguments → configuration → run. Exit codes follow sysexits(3); a command works while a server runs.

mod check;
mod exit;
mod hash_password;
mod healthcheck;
mod password;
mod serve;
mod setup_link;
mod user;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use self::exit::Failure;
use crate::{
    config::{Config, Sources},
    telemetry,
};

/// The entrance hall in front of any web site.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    quick: Quick,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Accepted before and after the command.
#[derive(Debug, Args)]
struct Quick {
    /// The configuration; config.toml by default, which may be absent
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Where to listen for plain HTTP, like 127.0.0.1:8080
    #[arg(long, value_name = "ADDRESS", global = true)]
    listen: Option<String>,
    /// The site behind: demo, or like http://127.0.0.1:3000
    #[arg(long, value_name = "URL", global = true)]
    upstream: Option<String>,
    /// What people type, like <https://wiki.example.com>
    #[arg(long, value_name = "URL", global = true)]
    url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default)
    Serve,
    /// Read the configuration and reach everything it names
    Check,
    /// Add, list and change people
    #[command(subcommand)]
    User(user::User),
    /// Make a new link for the first administrator
    SetupLink,
    /// Hash a password read from standard input
    HashPassword,
    /// Ask a running gateway whether it is alive (for Docker)
    Healthcheck,
}

/// Runs the program. Everything it has to say about a failure goes to standard error.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    // Several crates take the process's provider; another one can only have been set by a test.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn dispatch(Arguments { quick, command }: Arguments) -> Result<(), Failure> {
    let config = load(quick);
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(config?),
        Command::Check => check::run(&config?),
        Command::User(user) => user::run(user, &quiet(config?)),
        Command::SetupLink => setup_link::run(&quiet(config?)),
        Command::HashPassword => hash_password::run(&config?),
        Command::Healthcheck => healthcheck::run(&config?),
    }
}

fn load(quick: Quick) -> Result<Config, Failure> {
    let Quick { config, listen, upstream, url } = quick;
    let sources = Sources { file: config, listen, upstream, url, ..Sources::default() };
    Ok(Config::load(&sources.with_process_environment())?)
}

/// A command's answer is its output: its log speaks of failures only, unless `RUST_LOG` asks for more.
fn quiet(config: Config) -> Config {
    if std::env::var_os("RUST_LOG").is_some() {
        telemetry::start(config.log.format, None);
    }
    config
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_before_and_after_the_command() {
        for words in [
            &["vestibule", "--config", "a.toml", "user", "list", "--json"][..],
            &["vestibule", "user", "list", "--json", "--config", "a.toml"],
            &["vestibule", "--config", "a.toml", "--upstream", "demo"],
            &["vestibule", "check", "--config", "a.toml"],
            &[
                "vestibule",
                "--config",
                "a.toml",
                "user",
                "add",
                "ada",
                "--email",
                "a@b.c",
                "--first-name",
                "A",
                "--last-name",
                "L",
                "--password-stdin",
                "--admin",
                "--group",
                "staff",
                "--group",
                "wiki",
            ],
        ] {
            let arguments = Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
            assert_eq!(arguments.quick.config.as_deref(), Some(std::path::Path::new("a.toml")), "{words:?}");
        }
    }
}
