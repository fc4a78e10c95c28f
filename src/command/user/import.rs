//! `vestibule user import FILE`: a list of another system becomes people, with the passwords they have.
//!
//! Each format's file reads a list into [`Imported`] with all its problems; `identity::import` judges the people.

mod authelia;
mod csv;
mod django;
mod htpasswd;
mod yaml;

use std::{
    fmt::Write as _,
    fs::File,
    io::{IsTerminal, Read, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::with;
use crate::{
    command::exit::{DATA, Failure, NO_INPUT, complain, say},
    config::Config,
    identity::import::{Imported, NotImported, Problem, Remedy, Report, Terms},
    world::Clock,
};

/// Passwords work as before, and are stored anew (Argon2id) when their owners sign in. Everybody is imported, or nobody.
#[derive(Debug, Args)]
pub(in crate::command) struct Import {
    /// The list; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the list is; told by its content where that is plain
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// One more group for everybody; may be given more than once
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Superusers, and members of a group called as the administrators' is here, may administrate
    #[arg(long)]
    admins: bool,
    /// Whoever has no address gets NAME@DOMAIN, still to be confirmed
    #[arg(long, value_name = "DOMAIN")]
    email_domain: Option<String>,
    /// Everybody's address is still to be confirmed
    #[arg(long, conflicts_with = "confirmed")]
    unconfirmed: bool,
    /// Everybody's address counts as confirmed, those of --email-domain too
    #[arg(long)]
    confirmed: bool,
    /// Whose password hash is of no use here comes in without a password ("Forgot password?" gives them one)
    #[arg(long)]
    without_password: bool,
    /// Leave out who is here already with the same name and address
    #[arg(long)]
    skip_existing: bool,
    /// Only look: nothing is written
    #[arg(long)]
    dry_run: bool,
}

/// What a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A header with username, email, first_name, last_name, groups (a;b), password_hash, disabled
    Csv,
    /// JSON of `manage.py dumpdata auth.user auth.group`
    Django,
    /// Lines of name:hash
    Htpasswd,
    /// Authelia's users_database.yml
    Authelia,
}

/// What a list says, and what in it cannot be read.
#[derive(Debug, Default)]
struct Listed {
    people: Vec<Imported>,
    problems: Vec<Problem>,
}

pub(super) fn run(import: Import, config: &Config) -> Result<(), Failure> {
    let text = read(&import.file)?;
    let format = match import.format {
        Some(format) => format,
        None => guessed(&text)?,
    };
    let mut listed = match format {
        Format::Csv => csv::read(&text),
        Format::Django => django::read(&text),
        Format::Htpasswd => htpasswd::read(&text),
        Format::Authelia => authelia::read(&text),
    };
    drop(text);
    if listed.people.is_empty() && listed.problems.is_empty() {
        return Err(Failure::new(DATA, format!("{} holds nobody.", name(&import.file))));
    }
    for person in &mut listed.people {
        import.complete(person);
    }
    let terms = Terms {
        // Judged nevertheless: all problems are told at once.
        dry_run: import.dry_run || !listed.problems.is_empty(),
        skip_existing: import.skip_existing,
        without_password: import.without_password,
        admins: import.admins || import.groups.contains(&config.accounts.admin_group),
    };
    let total = listed.people.len();
    let watched = total > 1000 && std::io::stderr().is_terminal();
    let progress = |written: usize| {
        if watched {
            let mut terminal = std::io::stderr().lock();
            let _ = write!(terminal, "\r{written} of {total}").and_then(|()| terminal.flush());
        }
    };
    let people = listed.people;
    let outcome =
        with(config, async |identity| Ok(identity.import(people, terms, Clock::System.now(), progress).await))?;
    if watched {
        complain("");
    }
    match outcome {
        Ok(report) if listed.problems.is_empty() => {
            say(&summary(&report, import.dry_run));
            Ok(())
        }
        Ok(_) => Err(refused(&import, &listed.problems)),
        Err(NotImported::Problems(further)) => {
            listed.problems.extend(further);
            Err(refused(&import, &listed.problems))
        }
        Err(NotImported::Refused(refusal)) => Err(refusal.into()),
    }
}

impl Import {
    /// What the operator says of everybody.
    fn complete(&self, person: &mut Imported) {
        let missing = person.email.trim().is_empty();
        if let (true, Some(domain)) = (missing, &self.email_domain) {
            person.email = format!("{}@{}", person.username.trim(), domain.trim_start_matches('@'));
        }
        person.confirmed = self.confirmed || !(self.unconfirmed || missing);
        person.groups.extend(self.groups.iter().cloned());
    }
}

/// The whole list, as text.
fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::new(NO_INPUT, format!("{} cannot be read: {error}", name(file)));
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        File::open(file).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::new(DATA, format!("{} is larger than 64 MiB: split it.", name(file))));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::new(DATA, format!("Line {line} of {} is not UTF-8: save it as UTF-8.", name(file)))
    })?;
    // Spreadsheets begin with a mark that is no part of the first column's name.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The format, told on standard error.
fn guessed(text: &str) -> Result<Format, Failure> {
    let format = guess(text).ok_or_else(|| {
        let sentence = "It is not plain what this list is: say --format csv, django, htpasswd or authelia.";
        Failure::new(DATA, sentence)
    })?;
    complain(match format {
        Format::Csv => "Taken as CSV; --format says otherwise.",
        Format::Django => "Taken as Django's; --format says otherwise.",
        Format::Htpasswd => "Taken as htpasswd; --format says otherwise.",
        Format::Authelia => "Taken as Authelia's; --format says otherwise.",
    });
    Ok(format)
}

/// The one format whose first line this is.
fn guess(text: &str) -> Option<Format> {
    let first = text.lines().map(str::trim_end).find(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#') && line != "---"
    })?;
    let columns: Vec<&str> = first.split(',').map(|column| column.trim().trim_matches('"')).collect();
    if first.trim_start().starts_with('[') {
        return Some(Format::Django);
    }
    if columns.len() > 1 && columns.contains(&"username") {
        return Some(Format::Csv);
    }
    if first.split('#').next().is_some_and(|line| line.trim_end() == "users:") {
        return Some(Format::Authelia);
    }
    let (name, hash) = first.split_once(':')?;
    let hashed = hash.starts_with('$') || hash.starts_with("{SHA}");
    (hashed && !name.contains([' ', ',', '"'])).then_some(Format::Htpasswd)
}

/// All problems, and what to do about them.
fn refused(import: &Import, problems: &[Problem]) -> Failure {
    let count = if problems.len() == 1 { "one problem".to_owned() } else { format!("{} problems", problems.len()) };
    let mut text = format!("Nobody was imported: {} has {count}.", name(&import.file));
    for Problem { at, field, message, .. } in problems {
        let place = [at.as_str(), field].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let message = printable(message);
        let _ = match place.is_empty() {
            true => write!(text, "\n  {message}"),
            false => write!(text, "\n  {}: {message}", printable(&place)),
        };
    }
    let mut remedies: Vec<Remedy> = problems.iter().filter_map(|problem| problem.remedy).collect();
    remedies.sort_unstable();
    remedies.dedup();
    for remedy in remedies {
        let _ = write!(text, "\n{}", advice(remedy));
    }
    Failure::new(DATA, text)
}

fn advice(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::SkipExisting => "--skip-existing leaves out who is here with the same name and address.",
        Remedy::WithoutPassword => {
            "--without-password imports people whose password cannot be taken over: they choose a new one by \"Forgot password?\"."
        }
        Remedy::Admins => "--admins makes administrators of them; otherwise take that group out of the list.",
    }
}

/// What came of it, in sentences.
fn summary(report: &Report, dry_run: bool) -> String {
    let people = |count: usize| if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
    let mut text = match dry_run {
        true => format!("Nothing was written. {} would be imported", people(report.imported)),
        false => format!("Imported {}", people(report.imported)),
    };
    if report.administrators > 0 {
        let _ = write!(text, ", {} in the administrators' group", report.administrators);
    }
    text.push('.');
    let with_password = report.imported - report.without_password;
    if with_password > 0 && !dry_run {
        text.push_str(" Their passwords work as before and are stored anew at their next sign-in.");
    }
    for (count, rest) in [
        (report.without_password, "without a password: \"Forgot password?\" gives them one."),
        (report.disabled, "disabled, as before."),
        (report.unconfirmed, "with an address still to be confirmed."),
        (report.demoted, "superuser before and ordinary here (--admins makes administrators of them)."),
        (report.skipped, "left out, being here already."),
    ] {
        if count > 0 {
            let _ = write!(text, "\n{}: {rest}", people(count));
        }
    }
    text
}

fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".into() } else { printable(&file.display().to_string()) }
}

/// A list may come from anybody: nothing in it may steer the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

impl Listed {
    fn tell(&mut self, at: impl Into<String>, field: &str, message: impl Into<String>) {
        self.problems.push(Problem { at: at.into(), field: field.into(), message: message.into(), remedy: None });
    }
}

/// Bytes.
const LARGEST: u64 = 64 << 20;

#[cfg(test)]
mod tests;
