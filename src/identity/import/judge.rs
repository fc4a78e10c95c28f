//! One person after the other, judged; all problems are kept.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use secrecy::ExposeSecret;

use super::{Adopted, Email, Identifier, Imported, Ledger, Problem, Remedy, StoreError, Terms, Tx, Unfit, Username};
use crate::{identity::fields, world::UnixMillis};

/// Somebody judged. What is missing left its problem at the desk.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) at: String,
    pub(super) username: Option<Username>,
    pub(super) email: Option<Email>,
    pub(super) confirmed: bool,
    pub(super) first_name: String,
    pub(super) last_name: String,
    /// Sorted, each once.
    pub(super) groups: Vec<String>,
    pub(super) superuser: bool,
    pub(super) administrates: bool,
    pub(super) hash: Adopted,
    pub(super) disabled: bool,
}

/// Where people are judged one after the other.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    terms: Terms,
    admin_group: &'a str,
    /// Where in the file a name or an address stood first; addresses hold an `@`, and names none.
    seen: HashMap<String, String>,
    /// Each with the person's number.
    problems: Vec<(usize, Problem)>,
    judged: usize,
}

impl<'a> Desk<'a> {
    pub(super) fn new(terms: Terms, admin_group: &'a str) -> Self {
        Self { terms, admin_group, seen: HashMap::new(), problems: Vec::new(), judged: 0 }
    }

    /// Everything that the database has no part in.
    pub(super) fn judge(&mut self, mut person: Imported) -> Candidate {
        let at = mem::take(&mut person.at);
        let mut told = Told { at: &at, problems: Vec::new() };
        told.bound(&mut person);
        let one_name = person.last_name.trim().is_empty();
        if one_name && person.first_name.trim().is_empty() {
            person.first_name.clone_from(&person.username);
        }
        let username = told.keep("username", Username::parse(&person.username));
        let email = told.keep("email", Email::parse(&person.email));
        // Nothing but the username stands for a missing name: its problem is told once.
        let named = person.first_name == person.username && username.is_none();
        let first_name = match named {
            true => None,
            false => told.keep("first_name", fields::name(&person.first_name, "first name")),
        };
        let last_name = match one_name {
            true => None,
            false => told.keep("last_name", fields::name(&person.last_name, "last name")),
        };
        let groups = self.groups(&person, &mut told);
        let hash = self.hash(&person, &mut told);
        let unique = [
            ("username", username.as_ref().map(|name| name.as_str().to_owned())),
            ("email", email.as_ref().map(|email| email.key().to_owned())),
        ];
        for (field, value) in unique {
            let Some(value) = value else { continue };
            match self.seen.get(&value) {
                Some(first) => told.tell(field, format!("`{value}` stands in {first} already."), None),
                None => drop(self.seen.insert(value, at.clone())),
            }
        }
        let index = self.judged;
        self.judged += 1;
        self.problems.extend(told.problems.into_iter().map(|problem| (index, problem)));
        Candidate {
            username,
            email,
            confirmed: person.confirmed,
            first_name: first_name.unwrap_or_default(),
            last_name: last_name.unwrap_or_default(),
            administrates: groups.iter().any(|group| group == self.admin_group),
            groups,
            superuser: person.superuser,
            hash,
            disabled: person.disabled,
            at,
        }
    }

    fn groups(&self, person: &Imported, told: &mut Told<'_>) -> Vec<String> {
        let mut groups = Vec::with_capacity(person.groups.len());
        for group in &person.groups {
            groups.extend(told.keep("groups", fields::group(group)));
        }
        // Another system's group of that name may have been for anything.
        if !self.terms.admins && groups.iter().any(|group| group == self.admin_group) {
            let message = format!("`{}` is the administrators' group here.", self.admin_group);
            told.tell("groups", message, Some(Remedy::Admins));
        }
        if self.terms.admins && person.superuser {
            groups.push(self.admin_group.to_owned());
        }
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn hash(&self, person: &Imported, told: &mut Told<'_>) -> Adopted {
        let text = person.hash.expose_secret().trim();
        let unfit = match Adopted::of(text) {
            Ok(adopted) => return adopted,
            Err(_) if self.terms.without_password => return Adopted::none(),
            Err(unfit) => unfit,
        };
        let kind = kind(text);
        let message = match (unfit, kind) {
            // Crossed out: no password, or one that is locked.
            _ if text.is_empty() || text.starts_with(['!', '*']) => "There is no password.".to_owned(),
            (Unfit::Unknown, Some(kind)) => {
                format!("The password hash is {kind}, which is too weak or not known here.")
            }
            (unfit, _) => format!("The password hash {unfit}."),
        };
        told.tell("password_hash", message, Some(Remedy::WithoutPassword));
        Adopted::none()
    }

    /// Whether somebody is new; otherwise they are here, and to be left out.
    pub(super) async fn judge_free(
        &mut self,
        ledger: &Ledger,
        tx: &mut Tx,
        (index, person): (usize, &Candidate),
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut told = Told { at: &person.at, problems: Vec::new() };
        let by_name = match &person.username {
            Some(name) => ledger.find(tx, Identifier::Username(name.as_str())).await?,
            None => None,
        };
        let by_email = match &person.email {
            Some(email) => ledger.find(tx, Identifier::Email(email.key())).await?,
            None => None,
        };
        match (by_name, by_email) {
            (Some(one), Some(other)) if one.id == other.id => {
                if self.terms.skip_existing {
                    return Ok(false);
                }
                let message = "Somebody with this name and address is here already.".into();
                told.tell("username", message, Some(Remedy::SkipExisting));
            }
            (by_name, by_email) => {
                if by_name.is_some() {
                    let message = "Somebody with another address has this name here: choose another one.";
                    told.tell("username", message.into(), None);
                } else if let Some(name) = &person.username
                    && ledger.name_taken(tx, name.as_str(), None, person.email.as_ref().map(Email::key), now).await?
                {
                    // Deleted, renamed, or still to confirm their address.
                    let message = "This name is or was somebody else's here: choose another one.";
                    told.tell("username", message.into(), None);
                }
                if by_email.is_some() {
                    told.tell("email", "There is an account with this e-mail address already.".into(), None);
                } else if let Some(email) = &person.email
                    && ledger.address_holder(tx, email.key(), None, now).await?.is_some()
                {
                    let message =
                        "An account had this address until a few days ago, and may take it back: wait a week.";
                    told.tell("email", message.into(), None);
                }
            }
        }
        self.problems.extend(told.problems.into_iter().map(|problem| (index, problem)));
        Ok(true)
    }

    /// All problems but those of people who are left out.
    pub(super) fn verdict(mut self, skipped: &HashSet<usize>) -> Result<(), Vec<Problem>> {
        self.problems.retain(|(index, _)| !skipped.contains(index));
        self.problems.sort_by_key(|(index, _)| *index);
        let problems: Vec<_> = self.problems.into_iter().map(|(_, problem)| problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// The problems of one person.
struct Told<'a> {
    at: &'a str,
    problems: Vec<Problem>,
}

impl Told<'_> {
    fn tell(&mut self, field: &str, message: String, remedy: Option<Remedy>) {
        self.problems.push(Problem { at: self.at.to_owned(), field: field.to_owned(), message, remedy });
    }

    fn keep<T>(&mut self, field: &str, parsed: Result<T, impl Into<String>>) -> Option<T> {
        parsed.map_err(|message| self.tell(field, message.into(), None)).ok()
    }

    /// Empties what is longer than anything can be: nothing further looks at it, and no message repeats it.
    fn bound(&mut self, person: &mut Imported) {
        let texts = [
            ("username", &mut person.username),
            ("email", &mut person.email),
            ("first_name", &mut person.first_name),
            ("last_name", &mut person.last_name),
        ];
        let groups = person.groups.iter_mut().map(|group| ("groups", group));
        for (field, text) in texts.into_iter().chain(groups) {
            if text.len() > LONGEST {
                self.tell(field, format!("This is {} bytes long: at most {LONGEST} can be right.", text.len()), None);
                text.clear();
            }
        }
        if person.groups.len() > MOST_GROUPS {
            let message = format!("These are {} groups: at most {MOST_GROUPS} can be.", person.groups.len());
            self.tell("groups", message, None);
            person.groups.clear();
        }
        if person.hash.expose_secret().len() > LONGEST {
            person.hash = "?".into();
        }
    }
}

/// What a hash is that cannot be used; only from a list of beginnings, for it may be a password itself.
fn kind(text: &str) -> Option<&'static str> {
    let begins = KINDS.iter().find(|(beginning, _)| text.starts_with(beginning));
    let all = |fits: fn(&u8) -> bool| text.as_bytes().iter().all(fits);
    match (begins, text.len()) {
        (Some((_, kind)), _) => Some(*kind),
        (None, 32) if all(u8::is_ascii_hexdigit) => Some("MD5 without salt"),
        (None, 40) if all(u8::is_ascii_hexdigit) => Some("SHA-1 without salt"),
        (None, 13) if all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(byte)) => Some("DES crypt"),
        _ => None,
    }
}

/// Beginnings, and what it is.
const KINDS: &[(&str, &str)] = &[
    ("$1$", "MD5-crypt ($1$)"),
    ("$2x$", "bcrypt of a faulty program ($2x$)"),
    ("$7$", "scrypt of crypt(3) ($7$)"),
    ("$y$", "yescrypt ($y$)"),
    ("$gy$", "gost-yescrypt ($gy$)"),
    ("$sha1$", "SHA1-crypt ($sha1$)"),
    ("$P$", "phpass ($P$)"),
    ("$H$", "phpass ($H$)"),
    ("$S$", "Drupal's ($S$)"),
    ("$wp$", "WordPress's ($wp$)"),
    ("$plaintext$", "a password as such ($plaintext$)"),
    ("{SSHA}", "salted SHA-1 ({SSHA})"),
    ("{MD5}", "MD5 ({MD5})"),
    ("{SMD5}", "salted MD5 ({SMD5})"),
    ("md5$", "salted MD5 (md5$)"),
    ("sha1$", "salted SHA-1 (sha1$)"),
    ("sha256$", "salted SHA-256 (sha256$)"),
    ("crypt$", "DES crypt (crypt$)"),
    ("plain:", "a password as such (plain:)"),
];
/// Bytes of any field.
const LONGEST: usize = 1024;
const MOST_GROUPS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(terms: Terms, hash: &str) -> Vec<String> {
        let mut desk = Desk::new(terms, "admin");
        let person = Imported {
            at: "line 1".into(),
            username: "ada".into(),
            email: "ada@example.org".into(),
            hash: hash.into(),
            ..Imported::default()
        };
        let candidate = desk.judge(person);
        assert_eq!((candidate.first_name.as_str(), candidate.last_name.as_str()), ("ada", ""));
        desk.verdict(&HashSet::new()).err().unwrap_or_default().into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_hash_of_no_use_is_named_and_never_repeated() {
        for (hash, part) in [
            ("$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "MD5-crypt"),
            ("md5$salt$0cc175b9c0f1b6a831c399e269772661", "salted MD5"),
            ("0cc175b9c0f1b6a831c399e269772661", "MD5 without salt"),
            ("rqXexS6ZhobKA", "DES crypt"),
            ("hunter2$tail", "a kind that is not known"),
            ("", "no password"),
            ("!Xk2e9Yq", "no password"),
            ("pbkdf2_sha256$9000000$salt$GwT51iYgMqwX86t2lmnZCYGPF7bRziJzerhLlBETcA==", "has a mistake"),
            ("$2y$15$Roy5s2e.Jsj04MN1xDJQuOl3YLLBY6PNdrFwd/ze55bUMEWoXpirK", "more than a second"),
        ] {
            let problems = told(Terms::default(), hash);
            assert!(matches!(problems.as_slice(), [one] if one.contains(part)), "{hash}: {problems:?}");
            let rest = hash.get(8..).filter(|rest| !rest.is_empty());
            assert!(rest.is_none_or(|rest| !problems[0].contains(rest)), "{problems:?}");
            assert!(told(Terms { without_password: true, ..Terms::default() }, hash).is_empty(), "{hash}");
        }
    }

    #[test]
    fn endless_fields_are_refused_without_repeating_them() {
        let mut desk = Desk::new(Terms::default(), "admin");
        let long = "x".repeat(LONGEST + 1);
        let person = Imported {
            username: long.clone(),
            email: long.clone(),
            first_name: long.clone(),
            last_name: long.clone(),
            groups: vec![long.clone(); MOST_GROUPS + 1],
            hash: long.as_str().into(),
            ..Imported::default()
        };
        desk.judge(person);
        let problems = desk.verdict(&HashSet::new()).unwrap_err();
        for field in ["username", "email", "first_name", "last_name", "groups", "password_hash"] {
            assert!(problems.iter().any(|problem| problem.field == field), "{field}");
        }
        assert!(problems.iter().all(|problem| problem.message.len() < 200));
    }
}
