//! What forms are built of: fields with their hints and errors beside them, the summary, the hidden token.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::{Alert, Frame};

/// One field of the form that came back, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError<'a> {
    /// The form's field name.
    pub field: &'a str,
    /// A sentence.
    pub message: &'a str,
}

/// A form that posts to a path of the portal, with its token.
pub(crate) fn post(frame: &Frame<'_>, path: &str, content: &Markup) -> Markup {
    html! {
        form method="post" action=(frame.to(path)) {
            input type="hidden" name="csrf" value=(frame.csrf);
            (content)
        }
    }
}

/// A hidden field.
pub(crate) fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// A value for a query, percent-encoded (RFC 3986 unreserved characters stay).
pub(crate) fn query_value(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Tells password managers whose password a form is about.
pub(crate) fn whose(username: &str) -> Markup {
    html! { input.aside type="text" name="username" value=(username) autocomplete="username" readonly tabindex="-1" aria-hidden="true"; }
}

/// The one primary button.
pub(crate) fn submit(label: &str) -> Markup {
    html! { button.primary type="submit" { (label) } }
}

/// What stands above a form that came back: the alert, and links to the fields when more than one has to be mended.
pub(crate) fn above(alert: Option<Alert<'_>>, errors: &[FieldError<'_>]) -> Markup {
    html! {
        @if let Some(alert) = alert {
            div.box.bad role="alert" { p { (alert.words()) } }
        }
        @if errors.len() > 1 {
            div.box.bad role="alert" {
                p { "Mend these " (errors.len()) " fields:" }
                ul { @for error in errors { li { a href={ "#" (error.field) } { (error.message) } } } }
            }
        }
    }
}

/// Whether a page's title begins with "Error: ".
pub(crate) fn failed(alert: Option<Alert<'_>>, errors: &[FieldError<'_>]) -> bool {
    alert.is_some() || !errors.is_empty()
}

/// What a field is for; decides type, keyboard and correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person's name.
    Name,
    /// A username or address: no capitals, no spelling.
    Handle,
    /// An address. Not `type=email`, which refuses addresses outside ASCII.
    Email,
    /// Never redisplayed.
    Password,
    /// A new one: with a line about its strength, for at least that many characters.
    NewPassword(usize),
    /// A telephone number.
    Phone,
    /// A whole number.
    Number,
    /// A one-time code. Never redisplayed.
    Code,
    /// A recovery code. Never redisplayed.
    RecoveryCode,
}

/// A labelled input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub kind: Kind,
    pub value: &'a str,
    pub autocomplete: &'a str,
    pub hint: Option<&'a str>,
    pub readonly: bool,
    pub optional: bool,
    pub focus: bool,
    pub errors: &'a [FieldError<'a>],
}

impl<'a> Field<'a> {
    pub(crate) fn new(kind: Kind, name: &'a str, label: &'a str, autocomplete: &'a str) -> Self {
        Self {
            name,
            label,
            kind,
            value: "",
            autocomplete,
            hint: None,
            readonly: false,
            optional: false,
            focus: false,
            errors: &[],
        }
    }

    pub(crate) fn value(self, value: &'a str) -> Self {
        Self { value, ..self }
    }

    pub(crate) fn hint(self, hint: &'a str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    pub(crate) fn readonly(self, readonly: bool) -> Self {
        Self { readonly, ..self }
    }

    /// The form may be sent without it.
    pub(crate) fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }

    pub(crate) fn focus(self, focus: bool) -> Self {
        Self { focus, ..self }
    }

    pub(crate) fn errors(self, errors: &'a [FieldError<'a>]) -> Self {
        Self { errors, ..self }
    }

    pub(crate) fn render(&self) -> Markup {
        let error = error_of(self.name, self.errors);
        html! {
            div.field.wrong[error.is_some()] {
                label for=(self.name) { (self.label) }
                (said_beside(self.name, self.hint, error))
                @if matches!(self.kind, Kind::Password | Kind::NewPassword(_)) { div.secret { (self.input(error)) } }
                @else { (self.input(error)) }
                @if let Kind::NewPassword(_) = self.kind {
                    p.hint #{ (self.name) "-strength" } data-strength=(self.name) role="status" {
                        "Several unrelated words make a strong one. Names, dates and rows of keys are guessed first."
                    }
                }
            }
        }
    }

    fn input(&self, error: Option<&str>) -> Markup {
        let secret = matches!(self.kind, Kind::Password | Kind::NewPassword(_) | Kind::Code | Kind::RecoveryCode);
        let plain = matches!(self.kind, Kind::Handle | Kind::Email | Kind::Code | Kind::RecoveryCode);
        let kind = match self.kind {
            Kind::Password | Kind::NewPassword(_) => "password",
            Kind::Phone => "tel",
            _ => "text",
        };
        let keyboard = match self.kind {
            Kind::Email => Some("email"),
            Kind::Code | Kind::Number => Some("numeric"),
            _ => None,
        };
        let shortest = if let Kind::NewPassword(shortest) = self.kind { Some(shortest) } else { None };
        // The first field to mend takes the focus, without any script.
        let first_wrong = self.errors.first().is_some_and(|first| first.field == self.name);
        html! {
            input #(self.name) class=[(self.kind == Kind::Code).then_some("code")] type=(kind) name=(self.name) value=[(!secret).then_some(self.value)]
                autocomplete=(self.autocomplete) inputmode=[keyboard] autocapitalize=[plain.then_some("none")]
                spellcheck=[plain.then_some("false")] data-min=[shortest] aria-describedby=[self.described_by(error)]
                aria-invalid=[error.map(|_| "true")] required[!self.optional] readonly[self.readonly] autofocus[self.focus || first_wrong];
        }
    }

    fn described_by(&self, error: Option<&str>) -> Option<String> {
        let strength = matches!(self.kind, Kind::NewPassword(_)).then_some("strength");
        let parts = [self.hint.map(|_| "hint"), error.map(|_| "error"), strength];
        let ids: Vec<_> = parts.into_iter().flatten().map(|part| format!("{}-{part}", self.name)).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}

/// Hint and error, between label and input, so that neither a keyboard on the screen nor a list of suggestions hides them.
pub(crate) fn said_beside(name: &str, hint: Option<&str>, error: Option<&str>) -> Markup {
    html! {
        @if let Some(hint) = hint { p.hint #{ (name) "-hint" } { (hint) } }
        @if let Some(error) = error { p.error #{ (name) "-error" } { (error) } }
    }
}

/// What is wrong with that field.
pub(crate) fn error_of<'a>(name: &str, errors: &'a [FieldError<'a>]) -> Option<&'a str> {
    errors.iter().find(|error| error.field == name).map(|error| error.message)
}

/// The password twice. `labels` are "New password" and "New password again", or without "New" for a new account.
pub(crate) fn new_password(labels: [&str; 2], min_length: usize, errors: &[FieldError<'_>], focus: bool) -> Markup {
    let rule = format!("At least {min_length} characters.");
    html! {
        (Field::new(Kind::NewPassword(min_length), "password", labels[0], "new-password")
            .hint(&rule).errors(errors).focus(focus).render())
        (Field::new(Kind::Password, "password_confirm", labels[1], "new-password").errors(errors).render())
    }
}

/// The fields that registration and set-up share.
pub(crate) struct NewAccount<'a> {
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub username: &'a str,
    pub email: &'a str,
    /// It is settled: the invitation is for it.
    pub email_fixed: bool,
    pub min_length: usize,
    pub errors: &'a [FieldError<'a>],
    pub focus: bool,
}

impl NewAccount<'_> {
    pub(crate) fn render(&self) -> Markup {
        let errors = self.errors;
        html! {
            div.pair {
                (Field::new(Kind::Name, "first_name", "First name", "given-name")
                    .value(self.first_name).errors(errors).focus(self.focus).render())
                (Field::new(Kind::Name, "last_name", "Last name", "family-name").value(self.last_name).errors(errors).render())
            }
            (Field::new(Kind::Handle, "username", "Username", "username")
                .value(self.username).hint(USERNAME_RULE).errors(errors).render())
            (Field::new(Kind::Email, "email", "E-mail", "email")
                .value(self.email).readonly(self.email_fixed).errors(errors).render())
            (new_password(["Password", "Password again"], self.min_length, errors, false))
        }
    }
}

/// The labels of a password that replaces another.
pub(crate) const REPLACED: [&str; 2] = ["New password", "New password again"];

/// Shown before it is broken.
pub(crate) const USERNAME_RULE: &str =
    "2 to 32 characters: a–z, 0–9, dot, dash and underscore, a letter or digit first.";
