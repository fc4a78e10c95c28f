//! `second-factor`: what guards the account besides the password; enable by phone, disable.

use std::fmt::Write as _;

use maud::{Escaper, Markup, PreEscaped, html};

use super::code::{CodeEntry, Other};
use crate::{
    Alert, Channel, Factor, FieldError, Frame, Notice,
    form::{self, Field, Kind},
    frame::{Section, Sheet, notice},
    time,
};

/// A second factor that is on.
#[derive(Clone, Copy, Debug)]
pub struct FactorLine<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it is.
    pub factor: Factor<'a>,
    /// Unix milliseconds.
    pub since: i64,
    /// When a passkey was last shown, unix milliseconds.
    pub last_used: Option<i64>,
}

impl FactorLine<'_> {
    /// How, and since when, with *Disable*.
    pub(crate) fn render(&self, frame: &Frame<'_>) -> Markup {
        let disable = format!("second-factor/disable?factor={}", form::query_value(self.id));
        let rename = format!("second-factor/passkey?factor={}", form::query_value(self.id));
        html! {
            span.mark.good { "on" }
            " " (self.words()) ", since " (time::day(self.since))
            @if let Some(used) = self.last_used { ", last used " (time::day(used)) }
            ". "
            @match self.factor {
                Factor::Code { .. } => { a href=(frame.to(&disable)) { "Disable" span.aside { " these codes" } } }
                Factor::Push { name } => { a href=(frame.to(&disable)) { "Remove" span.aside { " the phone " (name) } } }
                Factor::App => { a href=(frame.to(&disable)) { "Disable" span.aside { " the authenticator app" } } }
                Factor::Passkey { name } => {
                    a href=(frame.to(&rename)) { "Rename" span.aside { " the passkey " (name) } }
                    " "
                    a href=(frame.to(&disable)) { "Remove" span.aside { " the passkey " (name) } }
                }
            }
        }
    }

    /// "Codes by SMS to •••• 42"
    fn words(&self) -> Markup {
        let (what, name) = self.factor.called();
        html! { (what) " " strong { (name) } }
    }
}

/// After a reset by mail: what still guards the account, which somebody else may have added. Empty when nothing does.
pub(crate) fn still_on(frame: &Frame<'_>, factors: &[FactorLine<'_>]) -> Markup {
    html! {
        @if !factors.is_empty() {
            div.box {
                p { "Your password is new, but what else signs you in is as it was:" }
                ul { @for line in factors { li { (line.words()) ", added " (time::day(line.since)) } } }
                p { "If you don't know one, remove it." }
                a href=(frame.to("second-factor")) { "Go to Security" }
            }
        }
    }
}

/// The list. Links to `second-factor/phone` and `second-factor/disable?factor=<id>`.
#[derive(Clone, Copy, Debug)]
pub struct SecondFactor<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What is on.
    pub factors: &'a [FactorLine<'a>],
    /// Whether codes can be sent from here.
    pub codes: bool,
    /// Whether authenticator apps can be enabled here.
    pub apps: bool,
    /// Whether (another) passkey can be added here.
    pub passkeys: bool,
    /// Whether a telephone that approves can be added here.
    pub push: bool,
    /// What may be asked first, when there are several ways; what is asked first now stands first.
    pub ways: &'a [Other<'a>],
    /// How many recovery codes are left; `None` where there is nothing they could stand in for.
    pub recovery: Option<u32>,
    /// What just happened, or why this page.
    pub notice: Option<Notice<'a>>,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl SecondFactor<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        // One of each.
        let has = |kind: fn(Factor<'_>) -> bool| self.factors.iter().any(|line| kind(line.factor));
        let app = self.apps && !has(|factor| factor == Factor::App);
        let codes = self.codes && !has(|factor| matches!(factor, Factor::Code { .. }));
        let push = self.push && !has(|factor| matches!(factor, Factor::Push { .. }));
        let none = self.factors.is_empty();
        frame.page(&Sheet::new("Security", self.alert.is_some()).within(Section::Security), &html! {
            h1 { "Two-factor authentication" }
            (notice(self.notice))
            (form::above(self.alert, &[]))
            p { "After your password, we ask for something that only you can have. A stolen password alone then opens nothing." }
            @for factor in self.factors { div.row { (factor.render(frame)) } }
            @if self.ways.len() > 1 { (asked_first(frame, self.ways)) }
            @if let Some(left) = self.recovery { (recovery(frame, left)) }
            @if app || codes || push || self.passkeys {
                div.actions {
                    @if self.passkeys { a.button.primary[none] href=(frame.to("second-factor/passkey")) { "Add a passkey" } }
                    @if app { a.button.primary[none && !self.passkeys] href=(frame.to("second-factor/app")) { "Add an authenticator app" } }
                    @if push { a.button.primary[none && !app && !self.passkeys] href=(frame.to("second-factor/push")) { "Approve on your phone" } }
                    @if codes { a.button.primary[none && !app && !push && !self.passkeys] href=(frame.to("second-factor/phone")) { span { "Get codes by phone or " span.whole { "e-mail" } } } }
                }
            } @else if none {
                p.hint { "It can't be enabled on this site yet. Ask your administrator." }
            }
            p.links {
                a href=(frame.to("sessions")) { "Where you are signed in" }
                a href=(frame.to("tokens")) { "Access tokens" }
                a href=(frame.to("activity")) { "Activity" }
                a href=(frame.to("password")) { "Change password" }
                a href=(frame.to("profile")) { "Back to profile" }
            }
        })
    }
}

/// Which way is asked first, and the buttons to change it.
fn asked_first(frame: &Frame<'_>, ways: &[Other<'_>]) -> Markup {
    let word = |factor: Factor<'_>| match factor {
        Factor::Code { .. } => "codes",
        Factor::App => "the app",
        Factor::Passkey { .. } => "a passkey",
        Factor::Push { .. } => "your phone's approval",
    };
    html! {
        @if let Some((first, rest)) = ways.split_first() {
            p { "At sign-in we ask for " strong { (word(first.factor)) } " first." }
            div.actions {
                @for way in rest {
                    (form::post(frame, "second-factor/first", &html! {
                        (form::hidden("factor", way.name))
                        button type="submit" { "Ask for " (word(way.factor)) " first" }
                    }))
                }
            }
        }
    }
}

fn recovery(frame: &Frame<'_>, left: u32) -> Markup {
    let link = html! { a href=(frame.to("second-factor/recovery-codes")) { "Recovery codes" } };
    html! {
        div.row {
            @match left {
                0 => { "Without " a href=(frame.to("second-factor/recovery-codes")) { "recovery codes" } ", a lost device locks you out." }
                1 => { (link) ": one is left." }
                left => { (link) ": " (left) " are left." }
            }
        }
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
        let frame = &self.frame;
        let to_a_phone = self.channels.iter().any(|channel| *channel != Channel::Email);
        let fields = html! {
            @if to_a_phone {
                (self.country_field())
                (self.phone_field())
            }
            (self.channel_field())
            @if to_a_phone {
                p.hint { "Text messages and calls can be intercepted. They still protect far better than a password alone; an authenticator app or a passkey is stronger, where a site offers one." }
            }
            (form::submit("Send code"))
            @if to_a_phone {
                p.scriptless { button.plain type="submit" name="example" value="1" formnovalidate { "Show example" } }
            }
        };
        let title = "Enable two-factor authentication";
        frame.page(
            &Sheet::new(title, form::failed(self.alert, self.errors)).within(Section::Security),
            &html! {
                h1 { "Enable " span.whole { "two-factor" } " authentication" }
                (notice(self.notice))
                (form::above(self.alert, self.errors))
                (form::post(frame, "second-factor/phone", &fields))
                p.links { a href=(frame.to("second-factor")) { "Cancel" } }
            },
        )
    }
}

impl EnablePhone<'_> {
    fn country_field(&self) -> Markup {
        let error = form::error_of("country", self.errors);
        let first = self.errors.first().is_some_and(|first| first.field == "country");
        html! {
            div.field.wrong[error.is_some()] {
                label for="country" { "Country" }
                (form::said_beside("country", None, error))
                select #country name="country" autocomplete="country" autofocus[first] aria-invalid=[error.map(|_| "true")]
                    aria-describedby=[error.map(|_| "country-error")] {
                    @if self.chosen().is_none() { option value="" { "Choose a country" } }
                    (PreEscaped(self.options()))
                }
            }
        }
    }

    /// Written by hand: with quotes and end tags, 245 of them would take a tenth of the page's weight more.
    fn options(&self) -> String {
        let mut options = String::new();
        for country in self.countries.iter().filter(|country| is_region(country.code)) {
            options.push_str("<option value=");
            options.push_str(country.code);
            if !country.example.is_empty() {
                options.push_str(" data-x=\"");
                escaped(country.example, &mut options);
                options.push('"');
            }
            options.push_str(if country.code == self.country { " selected>" } else { ">" });
            escaped(country.name, &mut options);
            let _ = write!(options, " (+{})", country.dial);
        }
        options
    }

    /// Where codes may go by e-mail, the form can be sent without a number.
    fn phone_field(&self) -> Markup {
        let example = match self.chosen().map(|country| country.example) {
            Some(example) if !example.is_empty() => format!("Example: {example}"),
            _ => "Or with + and the country's number in front.".to_owned(),
        };
        Field::new(Kind::Phone, "phone", "Phone number", "tel-national")
            .value(self.phone)
            .hint(&example)
            .errors(self.errors)
            .optional(self.channels.contains(&Channel::Email))
            .focus(self.errors.is_empty())
            .render()
    }

    fn channel_field(&self) -> Markup {
        let error = form::error_of("channel", self.errors);
        html! {
            fieldset.wrong[error.is_some()] {
                legend { "How should codes reach you?" }
                (form::said_beside("channel", None, error))
                @for channel in self.channels {
                    label.check {
                        input type="radio" name="channel" value=(channel.name()) checked[*channel == self.channel];
                        span { (channel.label()) }
                    }
                }
            }
        }
    }

    fn chosen(&self) -> Option<&Country<'_>> {
        self.countries.iter().find(|country| country.code == self.country)
    }
}

/// Two capital letters (ISO 3166-1, CLDR): needs no quotes in HTML, and nothing else gets by.
fn is_region(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn escaped(text: &str, into: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = Escaper::new(into).write_str(text);
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
        let frame = &self.frame;
        let code = CodeEntry {
            frame,
            check: "second-factor/phone",
            send: "second-factor/phone/send",
            submit: "Enable",
            masked: self.masked,
            channel: self.channel,
            channels: self.channels,
            resend_at: self.resend_at,
            now: self.now,
        };
        let others = self.channels.iter().any(|channel| *channel != self.channel);
        let none = html! { @if !others { p.hint { "No other way is offered here." } } };
        let restart = html! {
            (form::hidden("restart", "1"))
            button.plain type="submit" { @if self.channel == Channel::Email { "Begin again" } @else { "Use another number" } }
        };
        frame.page(
            &Sheet::new("Enter the code", self.alert.is_some()).within(Section::Security),
            &html! {
                h1 { "Enter the code" }
                (notice(self.notice))
                (form::above(self.alert, &[]))
                (code.entry())
                (code.again())
                div.links {
                    (code.other_ways(&none, &[]))
                    (form::post(frame, "second-factor/phone", &restart))
                }
            },
        )
    }
}

/// Turn it off. Posts `password`, `factor`, `csrf` to `second-factor/disable`.
#[derive(Clone, Copy, Debug)]
pub struct DisableFactor<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Which one.
    pub factor: FactorLine<'a>,
    /// Nothing but the password would guard the account.
    pub last: bool,
    /// A group or a rule asks for a second factor: the last one stays.
    pub demanded: bool,
    /// Whose; tells password managers which entry to fill.
    pub username: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl DisableFactor<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::whose(self.username))
            (form::hidden("factor", self.factor.id))
            (Field::new(Kind::Password, "password", "Password", "current-password").focus(true).render())
            div.actions {
                button.primary.danger type="submit" { "Disable" }
                a.button href=(frame.to("second-factor")) { "Keep it on" }
            }
        };
        let title = "Disable two-factor authentication";
        frame.page(
            &Sheet::new(title, self.alert.is_some()).within(Section::Security),
            &html! {
                h1 { "Disable " span.whole { "two-factor" } " authentication" }
                @if self.last && self.demanded {
                    (form::above(Some(Alert::FactorDemanded), &[]))
                    p { (self.factor.words()) " can't be removed until there is another one." }
                    p.links { a href=(frame.to("second-factor")) { "Back to Security" } }
                } @else {
                p { (self.factor.words())
                    @if self.last { " will no longer be asked for: your password alone will sign you in." }
                    @else { " will no longer be asked for. Your other factors will." }
                    " Your other devices will be signed out." }
                (form::above(self.alert, &[]))
                (form::post(frame, "second-factor/disable", &fields))
                }
            },
        )
    }
}
