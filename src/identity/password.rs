//! Passwords as people type them: one normal form, long enough, not easy to guess.
//!
//! NIST SP 800-63B-4 §3.1.1: length in code points after normalisation, no composition rules, a blocklist: the
//! commonest ones ([`common`]), and zxcvbn's, with the person's own names and the site's name in it; and where the operator
//! wishes, those of breaches ([`breached`]).

mod breached;
mod common;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

pub use self::breached::Breached;
use super::{
    FieldError, Identity, Refusal,
    hasher::{self, Place},
};
use crate::{
    config,
    world::{Entropy, NoEntropy},
};

/// NFC: what two keyboards send for one password is one password.
pub(super) fn normal(typed: &SecretString) -> SecretString {
    let typed = typed.expose_secret();
    if typed.is_ascii() { typed.into() } else { typed.nfc().collect::<String>().into() }
}

/// Judges a password in its normal form; `own` are words that an attacker who knows the person tries first.
///
/// # Errors
/// A sentence for the form: what is wrong and why.
pub fn judge(password: &str, min_length: usize, own: &[String]) -> Result<(), String> {
    let length = password.chars().count();
    if length < min_length {
        return Err(format!("Use at least {min_length} characters."));
    }
    if length > LONGEST {
        return Err(format!("Use at most {LONGEST} characters."));
    }
    if common::lists(password) {
        return Err("That password is among the most used ones. Choose another.".into());
    }
    // What follows cannot make the beginning weaker.
    let beginning: String = password.chars().take(estimated(password)).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let estimate = zxcvbn(&beginning, &own);
    if estimate.score() >= Score::Three {
        return Ok(());
    }
    let mut message = String::from("This is easy to guess.");
    if let Some(feedback) = estimate.feedback() {
        let why = feedback.warning().map(|warning| warning.to_string());
        let how = feedback.suggestions().first().map(ToString::to_string);
        for sentence in why.into_iter().chain(how) {
            message.push(' ');
            message.push_str(&sentence);
        }
    }
    Err(message)
}

/// A PHC string for the operator (`vestibule hash-password`). Costs what the settings say: not for an async thread.
///
/// # Errors
/// [`Refusal::Internal`]
pub fn hash_for_operator(
    password: &SecretString,
    settings: &config::password::Password,
    entropy: &Entropy,
) -> Result<String, Refusal> {
    let salt = entropy.bytes().map_err(|error: NoEntropy| Refusal::Internal(Box::new(error)))?;
    hasher::hash(hasher::params(settings), &normal(password), salt)
}

impl Identity {
    /// Judges a new password typed twice. The outer error is ours, the inner one the form's.
    pub(super) async fn new_password(
        &self,
        place: &Place,
        typed: &SecretString,
        confirm: &SecretString,
        mut own: Vec<String>,
    ) -> Result<Result<SecretString, FieldError>, Refusal> {
        let (password, confirm) = (normal(typed), normal(confirm));
        if password.expose_secret() != confirm.expose_secret() {
            return Ok(Err(FieldError::new("password_confirm", "The two passwords differ. Type the same one twice.")));
        }
        let settings = &self.inner.settings;
        own.push(settings.portal.name.clone());
        own.push(settings.portal.url.host.clone());
        let min_length = settings.password.min_length;
        let judged = password.clone();
        let verdict = place.run(move || judge(judged.expose_secret(), min_length, &own)).await?;
        if let Err(message) = verdict {
            return Ok(Err(FieldError::new("password", message)));
        }
        // Last: of what is refused anyway, nothing leaves.
        if let Some(breached) = &settings.breached
            && breached.lists(password.expose_secret()).await
        {
            return Ok(Err(FieldError::new("password", IN_A_BREACH)));
        }
        Ok(Ok(password))
    }
}

/// What an attacker who knows the person tries first.
pub(super) fn own_words(first_name: &str, last_name: &str, username: &str, email: &str) -> Vec<String> {
    let parts = email.split(['@', '.', '+', '-', '_']).chain(username.split(['.', '-', '_']));
    // Together as well: an estimate takes two words for much more than one.
    let both = [format!("{first_name}{last_name}"), format!("{last_name}{first_name}")];
    [first_name, last_name, username, email]
        .into_iter()
        .chain(parts)
        .chain(both.iter().map(String::as_str))
        .filter(|word| word.len() > 1)
        .map(str::to_lowercase)
        .collect()
}

/// How many code points are estimated. The estimate tries every way to read symbols as letters on every part of the text: a
/// password made for it would take seconds, and forms are sent by strangers.
fn estimated(password: &str) -> usize {
    let readings = READINGS.iter().map(|symbols| symbols.chars().filter(|symbol| password.contains(*symbol)).count());
    let readings = readings.map(|count| count.max(1)).product::<usize>().max(1);
    (EFFORT / readings).isqrt().min(ESTIMATED)
}

const IN_A_BREACH: &str = "That password is among those tried first, because it was in a breach. Choose another.";
/// Code points. Longer ones only cost time.
const LONGEST: usize = 128;
const ESTIMATED: usize = 100;
/// Readings times parts; some fifty milliseconds.
const EFFORT: usize = 200_000;
/// Symbols that zxcvbn reads as one letter, where there are several.
const READINGS: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        let own = own_words("Grace", "Hopper", "grace.h", "grace.hopper@navy.example");
        for (password, why) in [
            ("short", "at least 10"),
            ("password123", "most used"),
            ("aaaaaaaaaaaaaa", "easy to guess"),
            ("gracehopper", "easy to guess"),
            ("gracehopper1", "easy to guess"),
            ("HopperGrace7", "easy to guess"),
            ("grace.hopper@navy.example", "easy to guess"),
            ("qwertyuiop", "most used"),
            ("QwertyUiop", "most used"),
            ("3rjs1la7qe", "most used"),
        ] {
            let message = judge(password, 10, &own).unwrap_err();
            assert!(message.contains(why), "{password}: {message}");
        }
        assert_eq!(judge("violet-tram-undid-47", 10, &own), Ok(()));
        assert!(judge(&"violet tram undid".repeat(8), 10, &own).unwrap_err().contains("at most 128"));
    }

    #[test]
    fn length_counts_code_points_not_bytes() {
        assert!(judge("äöüäöü", 10, &[]).unwrap_err().contains("at least 10"));
    }

    #[test]
    fn two_spellings_of_one_password_are_one() {
        assert_eq!(normal(&"caf\u{e9}".into()).expose_secret(), normal(&"cafe\u{301}".into()).expose_secret());
    }
}
