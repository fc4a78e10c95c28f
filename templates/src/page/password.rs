//! `password`: change it.

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame,
    form::{self, Field, Kind},
    frame::{Section, Sheet},
};

/// The form. Posts `current_password`, `password`, `password_confirm`, `csrf` to `password`.
#[derive(Clone, Copy, Debug)]
pub struct ChangePassword<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Whose; tells password managers which entry to change.
    pub username: &'a str,
    /// `password.min_length`
    pub min_length: usize,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl ChangePassword<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::whose(self.username))
            (Field::new(Kind::Password, "current_password", "Current password", "current-password")
                .errors(self.errors).focus(self.errors.is_empty()).render())
            (form::new_password(form::REPLACED, self.min_length, self.errors, false))
            div.actions {
                (form::submit("Change password"))
                a.button href=(frame.to("profile")) { "Cancel" }
            }
        };
        frame.page(
            &Sheet::new("Change password", form::failed(self.alert, self.errors)).within(Section::Profile),
            &html! {
                h1 { "Change password" }
                p.lead { "Your other devices will be signed out." }
                (form::above(self.alert, self.errors))
                (form::post(frame, "password", &fields))
            },
        )
    }
}
