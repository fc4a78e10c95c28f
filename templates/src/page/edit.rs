//! `profile/edit`

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame,
    form::{self, Field, Kind},
    frame::{Section, Sheet},
};

/// The profile's form. Posts `first_name`, `last_name`, `username`, `about_me`, `csrf` to `profile/edit`.
#[derive(Clone, Copy, Debug)]
pub struct EditProfile<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// As stored, or what was typed.
    pub first_name: &'a str,
    /// As stored, or what was typed.
    pub last_name: &'a str,
    /// The account never had a family name: it may stay without.
    pub one_name: bool,
    /// As stored, or what was typed.
    pub username: &'a str,
    /// Others gave the name: it is shown, and posted unchanged.
    pub username_fixed: bool,
    /// As stored, or what was typed.
    pub about_me: &'a str,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl EditProfile<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let errors = self.errors;
        let rule = if self.username_fixed { "Your administrator chose this name." } else { form::USERNAME_RULE };
        let fields = html! {
            div.pair {
                (Field::new(Kind::Name, "first_name", "First name", "given-name").value(self.first_name).errors(errors).render())
                (Field::new(Kind::Name, "last_name", "Last name", "family-name")
                    .value(self.last_name).optional(self.one_name).errors(errors).render())
            }
            (Field::new(Kind::Handle, "username", "Username", "username")
                .value(self.username).hint(rule).readonly(self.username_fixed).errors(errors).render())
            (self.about_me_field())
            div.actions {
                (form::submit("Save profile"))
                a.button href=(frame.to("profile")) { "Cancel" }
            }
        };
        frame.page(
            &Sheet::new("Edit profile", form::failed(self.alert, errors)).within(Section::Profile),
            &html! {
                h1 { "Edit profile" }
                (form::above(self.alert, errors))
                (form::post(frame, "profile/edit", &fields))
            },
        )
    }

    /// Without `maxlength`: browsers count UTF-16, the rule counts characters.
    fn about_me_field(&self) -> Markup {
        let error = form::error_of("about_me", self.errors);
        let described = if error.is_some() { "about_me-hint about_me-error" } else { "about_me-hint" };
        let first = self.errors.first().is_some_and(|first| first.field == "about_me");
        html! {
            div.field.wrong[error.is_some()] {
                label for="about_me" { "About me" }
                (form::said_beside("about_me", Some("Up to 140 characters. May stay empty."), error))
                textarea #about_me name="about_me" rows="3" autocomplete="off" data-max="140" aria-describedby=(described)
                    aria-invalid=[error.map(|_| "true")] autofocus[first] { "\n" (self.about_me) }
            }
        }
    }
}
