//! Passkeys: `second-factor/passkey` adds or renames one, `login/verify` and `login` ask for one.
//!
//! The browser speaks to the device through `assets/passkey.js`, which reads a form's `data-passkey` and `data-options` and
//! fills its hidden field `credential`. Without scripts there are no passkeys; each page says so and offers what works.

use maud::{Markup, html};

use super::code::{Other, other_ways, recovery};
use crate::{
    Alert, FieldError, Frame,
    form::{self, Field, Kind},
    frame::{Section, Sheet},
};

/// Adding one. Posts `credential`, `name`, `csrf` to `second-factor/passkey`.
#[derive(Clone, Copy, Debug)]
pub struct EnrolPasskey<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// `PublicKeyCredentialCreationOptions` as JSON.
    pub options: &'a str,
    /// What it will be called, if nothing else is typed.
    pub name: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl EnrolPasskey<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (name_field(self.name, &[]))
            (form::submit("Add a passkey"))
        };
        let title = "Add a passkey";
        let sheet = Sheet::new(title, self.alert.is_some()).within(Section::Security).with_passkeys();
        frame.page(&sheet, &html! {
            h1 { (title) }
            (form::above(self.alert, &[]))
            p { "Your device keeps it, and unlocks it by fingerprint, face or PIN. Nobody can ask it out of you: it answers this site only." }
            (ask(frame, "second-factor/passkey", Ask::Create, self.options, &fields))
            p.links { a href=(frame.to("second-factor")) { "Cancel" } }
        })
    }
}

/// Another name for one. Posts `factor`, `name`, `csrf` to `second-factor/passkey`.
#[derive(Clone, Copy, Debug)]
pub struct RenamePasskey<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The factor's id.
    pub factor: &'a str,
    /// What it is called now, or was typed.
    pub name: &'a str,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl RenamePasskey<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::hidden("factor", self.factor))
            (name_field(self.name, self.errors))
            div.actions {
                (form::submit("Rename"))
                a.button href=(frame.to("second-factor")) { "Cancel" }
            }
        };
        let title = "Rename a passkey";
        let sheet = Sheet::new(title, form::failed(self.alert, self.errors)).within(Section::Security);
        frame.page(
            &sheet,
            &html! {
                h1 { (title) }
                (form::above(self.alert, self.errors))
                (form::post(frame, "second-factor/passkey", &fields))
            },
        )
    }
}

/// The second step at sign-in, by a passkey. Posts `credential`, `csrf` to `login/verify`; "another way" posts `factor`,
/// `csrf` to `login/verify/send`; "Start over" links to `login`.
#[derive(Clone, Copy, Debug)]
pub struct VerifyPasskey<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// `PublicKeyCredentialRequestOptions` as JSON; `None` where passkeys are not offered any more.
    pub options: Option<&'a str>,
    /// The account's other factors.
    pub others: &'a [Other<'a>],
    /// The path of `login` with its `return_to`, for "Start over".
    pub start_over: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl VerifyPasskey<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let sheet = Sheet::new("Use your passkey", self.alert.is_some()).with_passkeys();
        frame.page(
            &sheet,
            &html! {
                h1 { "Use your passkey" }
                (form::above(self.alert, &[]))
                @match self.options {
                    Some(options) => {
                        p { "Your device asks for your fingerprint, face or PIN, or for a security key." }
                        (ask(frame, "login/verify", Ask::Get, options, &form::submit("Use a passkey")))
                    }
                    None => { p { "Passkeys can't be used here at the moment. Use another way." } }
                }
                div.links {
                    details open[self.options.is_none()] {
                        summary { "Another way" }
                        (other_ways(frame, "login/verify/send", self.others))
                        (recovery(frame))
                    }
                    a href=(frame.to(self.start_over)) { "Start over" }
                }
            },
        )
    }
}

/// What a sign-in page needs for signing in by a passkey alone. Posts `credential`, `ceremony`, `return_to`, `remember`
/// (filled from the box above), `csrf` to `login/passkey`.
#[derive(Clone, Copy, Debug)]
pub struct PasskeySignIn<'a> {
    /// `PublicKeyCredentialRequestOptions` as JSON.
    pub options: &'a str,
    /// The ceremony's state, sealed.
    pub ceremony: &'a str,
}

impl PasskeySignIn<'_> {
    /// The form: shown by the script, where the browser knows passkeys.
    pub(super) fn render(&self, frame: &Frame<'_>, return_to: &str) -> Markup {
        let fields = html! {
            (form::hidden("ceremony", self.ceremony))
            (form::hidden("return_to", return_to))
            (form::hidden("remember", ""))
            div.actions { button type="submit" { "Sign in with a passkey" } }
        };
        ask(frame, "login/passkey", Ask::SignIn, self.options, &fields)
    }
}

/// What the script asks the browser for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Create,
    Get,
    /// From the field of the name as well, as the browser fills it in.
    SignIn,
}

fn ask(frame: &Frame<'_>, path: &str, ask: Ask, options: &str, fields: &Markup) -> Markup {
    let what = match ask {
        Ask::Create => "create",
        Ask::Get => "get",
        Ask::SignIn => "fill",
    };
    html! {
        form method="post" action=(frame.to(path)) data-passkey=(what) data-options=(options) hidden[ask == Ask::SignIn] {
            input type="hidden" name="csrf" value=(frame.csrf);
            input type="hidden" name="credential" value="";
            (fields)
        }
        @if ask != Ask::SignIn { noscript { p.hint { "Passkeys need scripts: allow them on this page, or use another way." } } }
    }
}

fn name_field(name: &str, errors: &[FieldError<'_>]) -> Markup {
    Field::new(Kind::Name, "name", "Name", "off")
        .value(name)
        .hint("So that you know it later: the device, or where its key lies.")
        .focus(!errors.is_empty())
        .errors(errors)
        .render()
}
