//! `profile`: what others and the upstream know of you.

use maud::{Markup, html};

use super::FactorLine;
use crate::{
    Alert, Frame, Notice,
    avatar::avatar,
    form,
    frame::{Section, Sheet, notice},
    time,
};

/// The profile page. Posts nothing but `csrf` to [`Profile::confirm_email`].
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The account's id; the avatar is drawn from it.
    pub id: &'a str,
    /// "Ada Lovelace"
    pub name: &'a str,
    /// Without `@`.
    pub username: &'a str,
    /// May be empty.
    pub about_me: &'a str,
    /// As typed.
    pub email: &'a str,
    /// Shows "confirmed".
    pub email_confirmed: bool,
    /// Portal path that sends a confirmation mail, where there is one; else an unconfirmed address is only marked so.
    pub confirm_email: Option<&'a str>,
    /// Unix milliseconds.
    pub member_since: i64,
    /// Unix milliseconds.
    pub last_seen: Option<i64>,
    /// Unix milliseconds.
    pub now: i64,
    /// Second factors that are on.
    pub factors: &'a [FactorLine<'a>],
    /// Whether a second factor can be enabled here.
    pub factors_offered: bool,
    /// Administrates: brings the link to everyone.
    pub administrator: bool,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
    /// Why the confirmation was not sent.
    pub alert: Option<Alert<'a>>,
}

impl Profile<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        frame.page(
            &Sheet::new("Profile", self.alert.is_some()).within(Section::Profile),
            &html! {
                (notice(self.notice))
                (form::above(self.alert, &[]))
                div.person {
                    (avatar(self.id))
                    div { h1 { (self.name) } p.handle { "@" (self.username) } }
                }
                @if !self.about_me.is_empty() { p.about { (self.about_me) } }
                p.hint {
                    "Member since " (time::day(self.member_since))
                    @if let Some(seen) = self.last_seen { " · last seen " (time::ago(seen, self.now)) }
                }
                dl {
                    dt { "E-mail" }
                    dd { (self.email) " " (self.confirmation()) " " a href=(frame.to("profile/email")) { "change" } }
                    dt { "Two-factor authentication" }
                    (self.factor_state())
                }
                div.actions {
                    a.button href=(frame.to("profile/edit")) { "Edit profile" }
                    a.button href=(frame.to("password")) { "Change password" }
                    @if self.factors.is_empty() && self.factors_offered {
                        a.button.primary href=(frame.to("second-factor")) { "Enable two-factor authentication" }
                    }
                }
                p.links {
                    @if self.administrator { a href=(frame.to("admin/people")) { "People" } }
                    a href=(frame.to("profile/data")) { "Download my data" } a href=(frame.to("profile/delete")) { "Delete my account" }
                }
            },
        )
    }

    fn confirmation(&self) -> Markup {
        html! {
            @if self.email_confirmed { span.mark.good { "confirmed" } }
            @else {
                span.mark { "not confirmed" }
                " "
                @if let Some(path) = self.confirm_email {
                    (form::post(&self.frame, path, &html! { button.plain type="submit" { "confirm" } }))
                }
            }
        }
    }

    fn factor_state(&self) -> Markup {
        html! {
            @for factor in self.factors { dd { (factor.render(&self.frame)) } }
            @if self.factors.is_empty() {
                dd { span.mark { "off" } @if !self.factors_offered { " It can't be enabled on this site yet." } }
            }
        }
    }
}
