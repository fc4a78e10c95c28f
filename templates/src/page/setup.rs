//! `setup`: the first administrator.

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame,
    form::{self, NewAccount},
    frame::Sheet,
};

/// The set-up form. Posts the fields of registration and `token`, `csrf` to `setup`.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// What was typed.
    pub first_name: &'a str,
    /// What was typed.
    pub last_name: &'a str,
    /// What was typed.
    pub username: &'a str,
    /// What was typed.
    pub email: &'a str,
    /// `password.min_length`
    pub min_length: usize,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl Setup<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::hidden("token", self.token))
            (NewAccount {
                first_name: self.first_name,
                last_name: self.last_name,
                username: self.username,
                email: self.email,
                email_fixed: false,
                min_length: self.min_length,
                errors: self.errors,
                focus: self.errors.is_empty(),
            }.render())
            (form::submit("Create administrator"))
        };
        frame.page(
            &Sheet::new("Create the first administrator", form::failed(self.alert, self.errors)),
            &html! {
                h1 { "Create the first administrator" }
                p.lead { "This account may do everything here. The link you followed works once." }
                (form::above(self.alert, self.errors))
                (form::post(frame, "setup", &fields))
            },
        )
    }
}
