//! Mail bodies: text and HTML alike, one link as a button and as text, no images.
//!
//! Both parts are made from the same [`Letter`], so they cannot say different things.

pub mod address;
pub mod confirm;
pub mod device;
pub mod digest;
pub mod leaving;
pub mod newcomers;
pub mod reset;
pub mod security;
pub mod token;

use maud::{DOCTYPE, Markup, html};

pub use self::{
    address::{AddressChanged, AddressHeld, ChangeAddress},
    confirm::{AddressTaken, Claim, ConfirmAddress, ConfirmRegistration},
    device::NewDevice,
    digest::{Digest, Failed},
    leaving::AccountDeleted,
    newcomers::{Approved, Invitation, InvitationMade, NotApproved, PeopleWait},
    reset::{ResetLink, Why},
    security::{
        FactorChange, FactorChanged, FactorOff, FactorOn, PasskeyCopied, PasswordChanged, Recovery, RecoveryCodes,
        Tokens,
    },
    token::{TokenMade, TokensEnded},
};

/// A mail ready to send, apart from its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailBody {
    /// No line breaks.
    pub subject: String,
    /// `text/plain; charset=utf-8`
    pub text: String,
    /// `text/html; charset=utf-8`
    pub html: String,
}

/// What a mail says, before it is text or HTML.
struct Letter<'a> {
    site_name: &'a str,
    first_name: &'a str,
    subject: String,
    /// What happened.
    before: Vec<String>,
    /// The one link: label, URL.
    link: (&'a str, &'a str),
    /// How long it lives; what to do if this wasn't you.
    after: Vec<String>,
}

impl Letter<'_> {
    fn body(&self) -> MailBody {
        self.body_with(&[])
    }

    fn body_with(&self, lists: &[List<'_>]) -> MailBody {
        MailBody { subject: one_line(&self.subject), text: self.text(lists), html: self.html(lists) }
    }

    fn text(&self, lists: &[List<'_>]) -> String {
        let (label, url) = self.link;
        let paragraphs = |list: &[String]| list.iter().map(|words| wrapped(words) + "\n\n").collect::<String>();
        [
            self.greeting() + "\n\n",
            paragraphs(&self.before),
            // On a line of its own, unbroken and without punctuation, so that every mail program finds its end.
            format!("{label}:\n{}\n\n", one_line(url)),
            paragraphs(&self.after),
            lists.iter().map(List::text).collect(),
            format!("-- \n{}\n", one_line(self.site_name)),
        ]
        .concat()
    }

    fn html(&self, lists: &[List<'_>]) -> String {
        let (label, url) = self.link;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="supported-color-schemes" content="light dark";
                    title { (one_line(&self.subject)) }
                }
                body style=(BODY) {
                    table role="presentation" width="100%" cellpadding="0" cellspacing="0" {
                        tr { td align="center" style="padding:24px 12px" {
                            table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:520px;text-align:left" {
                                tr { td style="padding:0 0 20px;font-weight:600;font-size:18px" { (self.site_name) } }
                                tr { td {
                                    p style=(PARAGRAPH) { (self.greeting()) }
                                    @for words in &self.before { p style=(PARAGRAPH) { (words) } }
                                    p style="margin:24px 0" { a href=(url) style=(BUTTON) { (label) } }
                                    p style=(SMALL) { "Or copy this address into your browser:" br; a href=(url) style="word-break:break-all" { (url) } }
                                    @for words in &self.after { p style=(PARAGRAPH) { (words) } }
                                    @for list in lists { (list.html()) }
                                    p style=(SMALL) { (self.site_name) }
                                } }
                            }
                        } }
                    }
                }
            }
        }
        .into_string()
    }

    /// "Hello Ada," – unless the name could be an advertisement: whoever registers chooses it, and the mail goes to anybody.
    fn greeting(&self) -> String {
        let name = self.first_name.trim();
        let harmless = |c: char| c.is_alphabetic() || " '’-".contains(c);
        if !name.is_empty() && name.chars().count() <= 24 && name.chars().all(harmless) {
            format!("Hello {name},")
        } else {
            "Hello,".to_owned()
        }
    }
}

/// What a mail lists at its end, and where to look after it.
struct List<'a> {
    /// Above the lines, of which there may be none.
    before: String,
    lines: Vec<String>,
    /// Beneath them: words, URL.
    link: (&'a str, &'a str),
}

impl List<'_> {
    fn text(&self) -> String {
        let mut lines: String = self.lines.iter().map(|line| format!("- {}\n", one_line(line))).collect();
        if !lines.is_empty() {
            lines.push('\n');
        }
        let (label, url) = self.link;
        format!("{}\n\n{lines}{}\n{}\n\n", wrapped(&self.before), wrapped(label), one_line(url))
    }

    fn html(&self) -> Markup {
        let (label, url) = self.link;
        html! {
            p style=(PARAGRAPH) { (self.before) }
            @if !self.lines.is_empty() { ul style=(PARAGRAPH) { @for line in &self.lines { li { (line) } } } }
            p style=(PARAGRAPH) { (label) " " a href=(url) style="word-break:break-all" { (url) } }
        }
    }
}

/// A subject or address must not bring a header or a line of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || "\u{2028}\u{2029}".contains(c) { ' ' } else { c }).collect()
}

/// Lines of at most 72 characters (RFC 3676 asks for 78 or less).
fn wrapped(words: &str) -> String {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 72 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

const BODY: &str = "margin:0;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif";
const PARAGRAPH: &str = "margin:0 0 16px";
const SMALL: &str = "margin:0 0 16px;font-size:14px;opacity:.8";
const BUTTON: &str = "display:inline-block;padding:12px 22px;border-radius:8px;background:#0b5f66;color:#ffffff;font-weight:600;text-decoration:none";

#[cfg(test)]
mod tests {
    use super::*;

    fn letter<'a>(first_name: &'a str, site_name: &'a str) -> Letter<'a> {
        let subject = format!("Hello from {site_name}");
        Letter {
            site_name,
            first_name,
            subject,
            before: vec![],
            link: ("Go", "https://a.example/?t=1&u=2"),
            after: vec![],
        }
    }

    #[test]
    fn a_name_that_could_advertise_is_left_out_of_the_greeting() {
        for (name, greeting) in [
            ("Ada", "Hello Ada,"),
            ("Jean-Luc", "Hello Jean-Luc,"),
            ("O’Neill", "Hello O’Neill,"),
            ("", "Hello,"),
            ("win.example", "Hello,"),
            ("http://x", "Hello,"),
            ("You have won a large prize today", "Hello,"),
            ("<b>Ada</b>", "Hello,"),
        ] {
            assert_eq!(letter(name, "Wiki").greeting(), greeting);
        }
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(letter("Ada", "Wiki\r\nBcc: x@y.example").body().subject, "Hello from Wiki  Bcc: x@y.example");
    }

    #[test]
    fn a_link_stands_unbroken_on_its_own_line_and_escaped_in_html() {
        let body = letter("Ada", "Wiki").body();
        assert!(body.text.contains("\nhttps://a.example/?t=1&u=2\n"));
        assert_eq!(body.html.matches("href=\"https://a.example/?t=1&amp;u=2\"").count(), 2);
    }

    #[test]
    fn long_paragraphs_are_wrapped() {
        assert!(wrapped(&"word ".repeat(100)).lines().all(|line| line.len() <= 72));
        assert_eq!(wrapped("one two"), "one two");
    }
}
