//! `profile/delete`: what goes, what stays, and the way out.

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame,
    form::{self, Field, Kind},
    frame::{Section, Sheet},
};

/// The form. Posts `password`, `csrf` to `profile/delete`.
#[derive(Clone, Copy, Debug)]
pub struct DeleteAccount<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Whose; without `@`.
    pub username: &'a str,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl DeleteAccount<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::whose(self.username))
            (Field::new(Kind::Password, "password", "Password", "current-password").errors(self.errors).render())
            div.actions {
                button.primary.danger type="submit" { "Delete my account" }
                a.button href=(frame.to("profile")) { "Keep it" }
            }
        };
        frame.page(
            &Sheet::new("Delete account", form::failed(self.alert, self.errors)).within(Section::Profile),
            &html! {
                h1 { "Delete account" }
                p.lead { "This can't be undone." }
                (form::above(self.alert, self.errors))
                dl {
                    dt { "What goes" }
                    dd { "Your name, e-mail and groups; your password, second factors and access tokens; and you are signed out everywhere." }
                    dt { "What stays" }
                    dd { "The username " strong { (self.username) } ": nobody else is ever given it. What was recorded of sign-ins and changes, without your name, until it is old. And what you left on the site itself." }
                }
                p.hint { a href=(frame.to("profile/data")) { "Download your data" } " first, if you want to keep it." }
                (form::post(frame, "profile/delete", &fields))
            },
        )
    }
}
