//! `second-factor`: what guards the account besides the password; enable by phone, disable.

use maud::{Markup, html};

use crate::{Alert, Channel, FieldError, Frame, Notice};

/// A second factor that is on.
#[derive(Clone, Copy, Debug)]
pub struct FactorLine<'a> {
    /// Its id.
    pub id: &'a str,
    /// The preferred way.
    pub channel: Channel,
    /// `•••• 42`
    pub masked: &'a str,
    /// Unix milliseconds.
    pub since: i64,
}

/// The list. Links to `second-factor/phone` and `second-factor/disable?factor=<id>`.
#[derive(Clone, Copy, Debug)]
pub struct SecondFactor<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What is on.
    pub factors: &'a [FactorLine<'a>],
    /// Whether one can be enabled here.
    pub offered: bool,
    /// What just happened, or why this page.
    pub notice: Option<Notice<'a>>,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl SecondFactor<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Security", self.alert.is_some(), &html! {})
    }
}

/// A country of the picker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country<'a> {
    /// `KE`
    pub code: &'a str,
    /// `Kenya`
    pub name: &'a str,
    /// `254`
    pub dial: u16,
    /// National: `0712 123456`. May be empty.
    pub example: &'a str,
}

/// Country, number and way. Posts `country`, `phone`, `channel`, `csrf` to `second-factor/phone`; the button "Show example"
/// (for people without scripts) adds `example=1`: answer 200 with the same form, what was typed and the country's example.
#[derive(Clone, Copy, Debug)]
pub struct EnablePhone<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Sorted by name.
    pub countries: &'a [Country<'a>],
    /// The chosen one's code, or empty.
    pub country: &'a str,
    /// What was typed.
    pub phone: &'a str,
    /// Ways offered.
    pub channels: &'a [Channel],
    /// The chosen one.
    pub channel: Channel,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
    /// Why this page.
    pub notice: Option<Notice<'a>>,
}

impl EnablePhone<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Enable two-factor authentication", !self.errors.is_empty() || self.alert.is_some(), &html! {})
    }
}

/// Enter the code while enrolling. Posts `code`, `csrf` to `second-factor/phone`; "send again" and "another way" post
/// `channel`, `csrf` to `second-factor/phone/send`; "Use another number" posts `restart=1`, `csrf` to `second-factor/phone`.
#[derive(Clone, Copy, Debug)]
pub struct EnrolCode<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// `•••• 42`
    pub masked: &'a str,
    /// The way it went.
    pub channel: Channel,
    /// Ways offered.
    pub channels: &'a [Channel],
    /// When "Send again" may be pressed, unix milliseconds.
    pub resend_at: i64,
    /// Unix milliseconds.
    pub now: i64,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl EnrolCode<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Enter the code", self.alert.is_some(), &html! {})
    }
}

/// Turn it off. Posts `password`, `factor`, `csrf` to `second-factor/disable`.
#[derive(Clone, Copy, Debug)]
pub struct DisableFactor<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Which one.
    pub factor: FactorLine<'a>,
    /// Whose; tells password managers which entry to fill.
    pub username: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl DisableFactor<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Disable two-factor authentication", self.alert.is_some(), &html! {})
    }
}
