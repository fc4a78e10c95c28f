//! Usernames and e-mail addresses, each with one canonical form that every spelling of it shares.
//!
//! Folding is NFKC and full case folding (UTS #18 "compatibility caseless match"), hosts by IDNA (UTS #46). Sign-in,
//! throttles, reset and uniqueness all go by the canonical form; mails go to the form as typed.

use unicode_normalization::UnicodeNormalization;

/// A username: `[a-z0-9._-]{2,32}`, beginning with a letter or digit, not reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// An e-mail address: as typed for sending, and its canonical key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    address: lettre::Address,
    key: String,
}

/// What somebody signs in with, canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identifier<'a> {
    /// It holds an `@`: an address's key.
    Email(&'a str),
    /// A username, or something that cannot be one.
    Username(&'a str),
}

impl Username {
    /// Folds what was typed and judges it.
    ///
    /// # Errors
    /// A sentence for the form.
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        if typed.len() > LONGEST_TYPED {
            return Err(RULE);
        }
        let name = fold(typed);
        let name = name.trim().to_owned();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        // A name like `..` or `-rf` would hurt an upstream that makes a folder or an argument of it.
        let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !(2..=32).contains(&name.len()) || !name.bytes().all(fits) || !begins_well {
            return Err(RULE);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err("That username is reserved. Choose another one.");
        }
        Ok(Self(name))
    }

    /// The canonical form, the only one kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// Takes an address apart.
    ///
    /// # Errors
    /// A sentence for the form.
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        let typed = typed.trim();
        // Quoted local parts may hold spaces and commas that identity fields could not carry unambiguously.
        let hostile = |c: char| c.is_control() || c.is_whitespace() || "\"(),:;<>[\\]".contains(c);
        if typed.len() > LONGEST_ADDRESS {
            return Err(NOT_AN_ADDRESS);
        }
        let address: lettre::Address = typed.parse().map_err(|_| NOT_AN_ADDRESS)?;
        let key = email_key(&fold_address(typed)).ok_or(NOT_AN_ADDRESS)?;
        // Folding can bring such characters forth: the key is judged as well.
        if typed.chars().chain(key.chars()).any(hostile) {
            return Err(NOT_AN_ADDRESS);
        }
        // What is judged and what is written to is one host, however the mail server reads an international name.
        let host = key.rsplit_once('@').map_or("", |(_, host)| host);
        let address = match address.domain().is_ascii() {
            true => address,
            false => lettre::Address::new(address.user(), host).map_err(|_| NOT_AN_ADDRESS)?,
        };
        Ok(Self { address, key })
    }

    /// As typed, for sending.
    #[must_use]
    pub fn address(&self) -> &lettre::Address {
        &self.address
    }

    /// The canonical key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The host, canonical (ASCII, lower case).
    #[must_use]
    pub fn domain(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// The canonical form of whatever somebody typed to sign in: a name that nobody can have is canonical, too, so that
/// unknown names are throttled like known ones.
pub(super) fn canonical_identifier(typed: &str) -> String {
    let typed: String = typed.trim().chars().take(LONGEST_ADDRESS).collect();
    // Folding can bring forth spaces (`¨` holds one) and more characters than it was given.
    let folded: String = fold_address(&typed).trim_start().chars().take(LONGEST_ADDRESS).collect();
    let folded = folded.trim_end();
    email_key(folded).unwrap_or_else(|| folded.to_owned())
}

impl<'a> Identifier<'a> {
    /// What a canonical form names.
    pub(super) fn of(canonical: &'a str) -> Self {
        if canonical.contains('@') { Self::Email(canonical) } else { Self::Username(canonical) }
    }
}

/// The part before the last `@` and what follows by IDNA, of a folded text (so that a full-width `＠` is an `@`); `None`
/// without either part.
fn email_key(folded: &str) -> Option<String> {
    let (local, domain) = folded.rsplit_once('@')?;
    let domain = idna::domain_to_ascii(domain).ok()?;
    let domain = domain.trim_end_matches('.');
    let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    (!local.is_empty() && !domain.is_empty() && domain.bytes().all(of_a_host)).then(|| format!("{local}@{domain}"))
}

/// An address, or whatever else was typed: what follows the last `@` keeps the letters that make another host.
fn fold_address(text: &str) -> String {
    let spelled: String = text.nfkc().collect();
    match spelled.rsplit_once('@') {
        Some((local, host)) => format!("{}@{}", fold(local), fold_keeping(host, &['ı', 'ß', 'ς'])),
        None => fold(&spelled),
    }
}

/// NFKC and full case folding, until nothing changes.
pub(super) fn fold(text: &str) -> String {
    fold_keeping(text, &['ı'])
}

fn fold_keeping(text: &str, kept: &[char]) -> String {
    let mut folded: String = text.nfkc().collect();
    for _ in 0..4 {
        let again: String = folded.chars().flat_map(|c| fold_char(c, kept)).nfkc().collect();
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

/// Full case folding of one character: the lower case of its upper case. The dotless `ı` stays itself, as in Unicode's
/// table, for its upper case is the `I` of `i`. In hosts `ß` and `ς` stay as well: straße.de and strasse.de are two hosts (RFC
/// 5891, UTS #46 "deviations").
fn fold_char(c: char, kept: &[char]) -> impl Iterator<Item = char> + use<> {
    let keep = kept.contains(&c).then_some(c);
    let folded = c.to_uppercase().flat_map(char::to_lowercase).filter(move |_| keep.is_none());
    keep.into_iter().chain(folded)
}

const LONGEST_ADDRESS: usize = 254;
const LONGEST_TYPED: usize = 128;
const RULE: &str = "Use 2 to 32 letters a–z, digits, dots, dashes or underscores, beginning with a letter or digit.";
const NOT_AN_ADDRESS: &str = "That isn't an e-mail address. It looks like ada@example.org.";
/// Names that people or upstreams take for somebody with power, or for nobody at all.
const RESERVED: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "auth",
    "daemon",
    "everyone",
    "ftp",
    "guest",
    "help",
    "hostmaster",
    "info",
    "localhost",
    "login",
    "logout",
    "mail",
    "me",
    "moderator",
    "nobody",
    "no-reply",
    "noreply",
    "none",
    "null",
    "official",
    "operator",
    "owner",
    "postmaster",
    "register",
    "root",
    "security",
    "self",
    "settings",
    "staff",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "undefined",
    "unknown",
    "user",
    "vestibule",
    "webmaster",
    "www",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_username_is_one_name() {
        for typed in ["ada.l", "ADA.L", " Ada.L ", "ａｄａ.l", "Ada。L".replace('。', ".").as_str(), "\u{212a}im"]
        {
            let name = Username::parse(typed).unwrap();
            assert!(["ada.l", "kim"].contains(&name.as_str()), "{typed} became {name:?}");
        }
        assert_eq!(Username::parse("Straße").unwrap().as_str(), "strasse");
    }

    #[test]
    fn names_outside_the_rule_and_reserved_names_are_refused() {
        let long = "a".repeat(33);
        for typed in ["", "a", "ada lovelace", "ada@x", "..", "-rf", "_x", "аda", "ada\0", &long, "ada,x", "ıda"] {
            assert!(Username::parse(typed).is_err(), "{typed:?}");
        }
        for typed in ["admin", "Root", "ＡＤＭＩＮ", "vestibule"] {
            assert!(Username::parse(typed).unwrap_err().contains("reserved"), "{typed:?}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_has_one_key() {
        let cases = [
            ("Ada@Example.ORG", "ada@example.org"),
            (" ada@example.org. ", "ada@example.org"),
            ("ａda@ｅxample.org", "ada@example.org"),
            ("ada＠example.org", "ada@example.org"),
            ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
            ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
            ("STRASSE@example.org", "strasse@example.org"),
            ("straße@example.org", "strasse@example.org"),
            ("ada@STRAẞE.example", "ada@xn--strae-oqa.example"),
            ("ada@strasse.example", "ada@strasse.example"),
        ];
        for (typed, key) in cases {
            assert_eq!(canonical_identifier(typed), key, "{typed}");
        }
        assert_ne!(canonical_identifier("ıda@example.org"), canonical_identifier("ida@example.org"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(250));
        for typed in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@@example.org",
            "a b@example.org",
            "\"a b\"@example.org",
            "ada@[192.0.2.1]",
            "ada@example.org\r\nBcc: x@example.org",
            "ada@exa mple.org",
            &long,
            "a,b@example.org",
        ] {
            assert!(Email::parse(typed).is_err(), "{typed:?}");
        }
        let email = Email::parse("Ada.Lovelace+x@Example.ORG").unwrap();
        assert_eq!(email.address().to_string(), "Ada.Lovelace+x@Example.ORG");
        assert_eq!(email.domain(), "example.org");
        assert_eq!(Email::parse("Ada@Straße.example").unwrap().address().to_string(), "Ada@xn--strae-oqa.example");
    }

    proptest! {
        #[test]
        fn canonical_forms_are_their_own_canonical_form(typed in "\\PC{0,40}(@\\PC{0,20})?") {
            let once = canonical_identifier(&typed);
            prop_assert_eq!(canonical_identifier(&once), once);
        }

        #[test]
        fn an_address_that_parses_signs_in_by_its_key(typed in "[A-Za-zÄßΣſK.+]{1,12}@[a-zA-ZÜ]{1,10}\\.(org|DE)") {
            if let Ok(email) = Email::parse(&typed) {
                prop_assert_eq!(email.key(), canonical_identifier(&typed));
                prop_assert_eq!(email.key(), canonical_identifier(&typed.to_uppercase()));
            }
        }

        #[test]
        fn a_username_that_parses_parses_to_itself(typed in "\\PC{0,34}") {
            if let Ok(name) = Username::parse(&typed) {
                let again = Username::parse(name.as_str());
                prop_assert_eq!(again.as_ref(), Ok(&name));
            }
        }
    }
}
