//! Form fields, parsed once into what may be kept. All faults of a form are found together.

use secrecy::SecretString;
use unicode_normalization::UnicodeNormalization;

use super::{
    FieldError, Identity, NewAccount, Refusal,
    hasher::Place,
    names::{Email, Username},
    password::own_words,
};

/// A person whose form is without fault; whether name and address are free is the database's to say.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) username: Username,
    pub(super) email: Email,
    pub(super) password: SecretString,
}

/// Collects faults and goes on.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    pub(super) fn keep<T>(&mut self, field: &'static str, parsed: Result<T, impl Into<String>>) -> Option<T> {
        parsed.map_err(|message| self.0.push(FieldError::new(field, message))).ok()
    }

    pub(super) fn fault(&mut self, field: &'static str, message: &str) {
        self.0.push(FieldError::new(field, message));
    }

    pub(super) fn add(&mut self, fault: FieldError) {
        self.0.push(fault);
    }

    pub(super) fn verdict(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::Fields(self.0)) }
    }
}

impl Identity {
    /// Judges everything somebody typed to get an account. `further` adds what only the
    /// database can say.
    pub(super) async fn judge_person(
        &self,
        place: &Place,
        typed: NewAccount,
        further: impl AsyncFnOnce(Option<&Username>, Option<&Email>, &mut Faults) -> Result<(), Refusal>,
    ) -> Result<Person, Refusal> {
        let mut faults = Faults::default();
        let first_name = faults.keep("first_name", name(&typed.first_name, "first name"));
        let last_name = faults.keep("last_name", name(&typed.last_name, "last name"));
        let username = faults.keep("username", Username::parse(&typed.username));
        let email = faults.keep("email", Email::parse(&typed.email));
        let own = own_words(&typed.first_name, &typed.last_name, &typed.username, &typed.email);
        let password = self.new_password(place, &typed.password, &typed.password_confirm, own).await?;
        let password = password.map_err(|fault| faults.add(fault)).ok();
        further(username.as_ref(), email.as_ref(), &mut faults).await?;
        faults.verdict()?;
        match (first_name, last_name, username, email, password) {
            (Some(first_name), Some(last_name), Some(username), Some(email), Some(password)) => {
                Ok(Person { first_name, last_name, username, email, password })
            }
            // Each missing part left its fault above.
            _ => Err(Refusal::Fields(Vec::new())),
        }
    }
}

/// A given or family name: 1–64 code points, one line, spaces as one.
pub(super) fn name(typed: &str, what: &str) -> Result<String, String> {
    let name = typed.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect::<String>();
    let length = name.chars().count();
    if length == 0 {
        return Err(format!("Enter your {what}."));
    }
    if length > LONGEST_NAME {
        return Err(format!("Use at most {LONGEST_NAME} characters."));
    }
    if name.chars().any(unseen) {
        return Err("Use visible characters only.".into());
    }
    if is_address(&name) { Err(format!("This looks like an address. Enter your {what} only.")) } else { Ok(name) }
}

/// Whether mail programs and pages might make a link of it: strangers choose names, and others read them.
pub(super) fn is_address(name: &str) -> bool {
    // NFKC: the wide forms of these characters are read as the plain ones.
    let plain = name.nfkc().collect::<String>().to_lowercase();
    plain.contains(['/', '\\', '@']) || plain.contains("www.")
}

/// About me: at most 140 code points, lines allowed.
pub(super) fn about_me(typed: &str) -> Result<String, String> {
    let text = typed.replace("\r\n", "\n").trim().nfc().collect::<String>();
    let length = text.chars().count();
    if length > LONGEST_ABOUT {
        return Err(format!("Use at most {LONGEST_ABOUT} characters; these are {length}."));
    }
    if text.chars().any(|c| c != '\n' && unseen(c)) {
        return Err("Use visible characters only.".into());
    }
    Ok(text)
}

/// What an access token is called: 1–60 code points, one line, spaces as one.
pub(super) fn token_name(typed: &str) -> Result<String, String> {
    let name = typed.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect::<String>();
    match name.chars().count() {
        0 => Err("Give it a name, by which you will know it again.".into()),
        1..=LONGEST_TOKEN_NAME if !name.chars().any(unseen) => Ok(name),
        1..=LONGEST_TOKEN_NAME => Err("Use visible characters only.".into()),
        _ => Err(format!("Use at most {LONGEST_TOKEN_NAME} characters.")),
    }
}

/// A group: 1–64 code points, no comma (they travel comma-separated), no spaces around.
pub(super) fn group(typed: &str) -> Result<String, String> {
    let name = typed.trim().nfc().collect::<String>();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(',') || name.chars().any(unseen) {
        return Err(format!("`{typed}` cannot name a group: use 1 to {LONGEST_NAME} characters without commas"));
    }
    Ok(name)
}

/// Control characters, and those that reorder or hide the text around them (Unicode TR 36).
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

const LONGEST_NAME: usize = 64;
const LONGEST_ABOUT: usize = 140;
const LONGEST_TOKEN_NAME: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_line_of_visible_text() {
        assert_eq!(name("  Ada \t King ", "first name"), Ok("Ada King".into()));
        assert_eq!(name("O’Brien-Østergård", "last name"), Ok("O’Brien-Østergård".into()));
        let long = "x".repeat(65);
        for typed in ["", "   ", "Ada\u{202e}", "A\u{0}da", "\u{200b}", &long] {
            assert!(name(typed, "first name").is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_name_is_no_address() {
        for typed in [
            "https://evil.example",
            "Win at evil.example/prize",
            "\\\\evil\\share",
            "ada@evil.example",
            "WWW.evil.example",
            "ada\u{ff20}evil.example",
            "\u{ff57}ww.evil.example",
            "evil\u{ff0f}x",
        ] {
            let message = name(typed, "first name").unwrap_err();
            assert!(message.contains("looks like an address"), "{typed}: {message}");
        }
        assert_eq!(name("J. R. R.", "first name"), Ok("J. R. R.".into()));
    }

    #[test]
    fn about_me_keeps_lines_and_counts_code_points() {
        assert_eq!(about_me(" one\r\ntwo "), Ok("one\ntwo".into()));
        assert!(about_me(&"ä".repeat(140)).is_ok());
        assert!(about_me(&"ä".repeat(141)).is_err());
        assert!(about_me("bell\u{7}").is_err());
    }

    #[test]
    fn a_group_holds_no_comma() {
        assert_eq!(group(" staff "), Ok("staff".into()));
        assert!(group("a,b").is_err());
        assert!(group("a\nb").is_err());
    }
}
