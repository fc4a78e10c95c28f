//! `profile/email` asks for a new address; `email/change` and `email/undo` are where the links lead: a button each, because
//! mail scanners follow links.

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame,
    form::{self, Field, Kind},
    frame::{Section, Sheet},
};

/// The form. Posts `email`, `csrf` to `profile/email`.
#[derive(Clone, Copy, Debug)]
pub struct ChangeEmail<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The address as it is now.
    pub current: &'a str,
    /// As typed.
    pub email: &'a str,
    /// Codes go to the address.
    pub codes: bool,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

/// The page behind the link to a new address. Posts `token`, `csrf` to `email/change`.
#[derive(Clone, Copy, Debug)]
pub struct NewEmail<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// The new address.
    pub email: &'a str,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

/// The page behind the link to an old address. Posts `token`, `csrf` to `email/undo`.
#[derive(Clone, Copy, Debug)]
pub struct UndoEmail<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// The old address.
    pub email: &'a str,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl ChangeEmail<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (Field::new(Kind::Email, "email", "New e-mail", "email")
                .value(self.email).errors(self.errors).focus(self.errors.is_empty()).render())
            div.actions {
                (form::submit("Send a link there"))
                a.button href=(frame.to("profile")) { "Cancel" }
            }
        };
        frame.page(
            &Sheet::new("Change e-mail", form::failed(self.alert, self.errors)).within(Section::Profile),
            &html! {
                h1 { "Change e-mail" }
                p.lead { "Now it is " strong { (self.current) } ". It changes once you follow the link that we send to the new one." }
                (form::above(self.alert, self.errors))
                p.hint {
                    @if self.codes { "Your codes by e-mail go to the new address from then on. " }
                    "The old address gets a mail, too, with which the change can be undone for seven days."
                }
                (form::post(frame, "profile/email", &fields))
            },
        )
    }
}

impl NewEmail<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::hidden("token", self.token))
            (form::submit("Change e-mail"))
        };
        frame.page(
            &Sheet::new("Change e-mail", self.alert.is_some()),
            &html! {
                h1 { "Change e-mail" }
                (form::above(self.alert, &[]))
                p { "Press the button if you asked for this mail: your e-mail is " strong { (self.email) } " then." }
                (form::post(frame, "email/change", &fields))
            },
        )
    }
}

impl UndoEmail<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::hidden("token", self.token))
            (form::submit("Undo the change"))
        };
        frame.page(
            &Sheet::new("Undo the change", self.alert.is_some()),
            &html! {
                h1 { "Undo the change" }
                (form::above(self.alert, &[]))
                p { "Your e-mail is " strong { (self.email) } " again then, whatever it was changed to since." }
                p { "Every device is signed out, and your password no longer works: we mail you a link to choose a new one." }
                p { "Second factors added since then, or in the week before, all recovery codes and all access tokens go as well." }
                (form::post(frame, "email/undo", &fields))
            },
        )
    }
}
