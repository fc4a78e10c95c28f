//! Pages for when something is in the way: what happened, what to do, one link, a short reference.

use maud::{Markup, html};

use crate::{Frame, frame::Sheet, time};

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// 400: with what to do (a sentence; may be empty).
    BadRequest(&'a str),
    /// 403: who you are, whom the page is for (`group staff`).
    Forbidden {
        /// "Ada", or empty when nobody is signed in.
        name: &'a str,
        /// "group staff"; may be empty.
        wanted: &'a str,
    },
    /// 403: registration is closed.
    RegistrationClosed,
    /// 403: only who is invited may register.
    InvitationOnly,
    /// 503: too many wait for an approval.
    RegistrationFull,
    /// 404
    NotFound,
    /// 405
    Method,
    /// 408
    Timeout,
    /// 413
    TooLarge,
    /// 421
    UnknownHost {
        /// The host seen.
        seen: &'a str,
        /// The host of `portal.url`.
        expected: &'a str,
    },
    /// 429
    Throttled {
        /// Unix milliseconds.
        until: i64,
    },
    /// 431
    HeadTooLarge,
    /// 500
    Internal,
    /// 502
    BadGateway {
        /// The site that isn't answering.
        site: &'a str,
    },
    /// 503
    Resting,
    /// 504
    GatewayTimeout {
        /// The site that took too long.
        site: &'a str,
    },
}

impl Trouble<'_> {
    /// The status of its answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Forbidden { .. } | Self::RegistrationClosed | Self::InvitationOnly => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::Timeout => 408,
            Self::TooLarge => 413,
            Self::UnknownHost { .. } => 421,
            Self::Throttled { .. } => 429,
            Self::HeadTooLarge => 431,
            Self::Internal => 500,
            Self::BadGateway { .. } => 502,
            Self::Resting | Self::RegistrationFull => 503,
            Self::GatewayTimeout { .. } => 504,
        }
    }
}

impl Trouble<'_> {
    fn title(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "That request can't be read",
            Self::Forbidden { .. } => "This page is not for you",
            Self::RegistrationClosed => "Registration is closed",
            Self::InvitationOnly => "You need an invitation",
            Self::RegistrationFull => "No more registrations for now",
            Self::NotFound => "There is nothing here",
            Self::Method => "That can't be done here",
            Self::Timeout => "That took too long",
            Self::TooLarge => "That is too large",
            Self::UnknownHost { .. } => "No site of that name",
            Self::Throttled { .. } => "Too many tries",
            Self::HeadTooLarge => "That request is too large",
            Self::Internal => "Something went wrong here",
            Self::BadGateway { .. } => "The site isn't answering",
            Self::Resting => "One moment",
            Self::GatewayTimeout { .. } => "The site takes too long",
        }
    }

    fn words(&self) -> Markup {
        html! {
            @match self {
                Self::BadRequest("") => p { "Something in its address or its fields is not as it should be. Check the address and try again." },
                Self::BadRequest(advice) => p { (advice) },
                Self::Forbidden { name, wanted } => p { (forbidden(name, wanted)) },
                Self::RegistrationClosed => p { "Accounts here are made by the administrator. Ask them for one." },
                Self::InvitationOnly => p { "Accounts here are made by invitation. Ask the administrator for one, then follow its link." },
                Self::RegistrationFull => p { "Too many people wait for an administrator's approval already. Try again tomorrow." },
                Self::NotFound => p { "Check the address, or go on from the start page." },
                Self::Method => p { "This address doesn't take that kind of request. Go back and try again from the page before." },
                Self::Timeout => p { "The request did not arrive in time. Check your connection and try again." },
                Self::TooLarge => p { "What you sent is larger than this site takes. Go back and send something smaller." },
                Self::UnknownHost { seen, expected } => {
                    p { "You asked for " strong { (seen) } ", which this server doesn't know. It answers as " strong { (expected) } "." }
                    p.hint { "If you run it: name the host under " code { "site.host" } " in the configuration, or change " code { "portal.url" } "." }
                }
                Self::Throttled { until } => p { "Too many tries. Wait until " (time::minute(*until)) ", then try again." },
                Self::HeadTooLarge => p { "Its address or its cookies are too long. Clear the cookies of this site and try again." },
                Self::Internal => p { "It is not your fault. Try again; if it stays, tell the administrator the reference below." },
                Self::BadGateway { site } => p { (site) " isn't answering. Try again in a minute." },
                Self::Resting => p { "Sign-in is resting for a moment. Your session is safe; reload in a few seconds." },
                Self::GatewayTimeout { site } => p { (site) " took too long to answer. Try again in a minute." },
            }
        }
    }

    /// The one link: label and target. An empty target is the page itself, asked for again.
    fn link<'a>(&self, frame: &Frame<'a>) -> Option<(&'static str, std::borrow::Cow<'a, str>)> {
        match self {
            Self::Timeout
            | Self::Throttled { .. }
            | Self::Internal
            | Self::BadGateway { .. }
            | Self::GatewayTimeout { .. } => Some(("Try again", "".into())),
            Self::Resting => Some(("Reload", "".into())),
            Self::RegistrationClosed | Self::InvitationOnly | Self::RegistrationFull => {
                Some(("Sign in", frame.to("login").into()))
            }
            Self::UnknownHost { .. } => frame.back.map(|back| ("Go there", back.into())),
            Self::Forbidden { name, .. } if !name.is_empty() => Some(("Back to profile", frame.to("profile").into())),
            _ => Some(("Go to the start page", frame.back.unwrap_or("/").into())),
        }
    }
}

fn forbidden(name: &str, wanted: &str) -> Markup {
    html! {
        @match (name, wanted) {
            ("", "") => "This page is open to nobody here.",
            ("", wanted) => { "This page is for " (wanted) "." }
            (name, "") => { "You're signed in as " (name) ", but this page is not open to you." }
            (name, wanted) => { "You're signed in as " (name) ", but this page is for " (wanted) "." }
        }
    }
}

/// An error page.
#[derive(Clone, Copy, Debug)]
pub struct TroublePage<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What happened.
    pub trouble: Trouble<'a>,
    /// The request's id, which the log has too; may be empty.
    pub reference: &'a str,
}

impl TroublePage<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let title = self.trouble.title();
        self.frame.page(
            &Sheet::new(title, false),
            &html! {
                h1 { (title) }
                (self.trouble.words())
                @if let Some((label, target)) = self.trouble.link(&self.frame) {
                    p { a.button.primary href=(target) { (label) } }
                }
                @if !self.reference.is_empty() { p.hint { "Reference: " code { (self.reference) } } }
            },
        )
    }
}

/// 401 inside an iframe: opens sign-in at the top. Its answer must allow framing (no `frame-ancestors 'none'`).
#[derive(Clone, Copy, Debug)]
pub struct FrameSignIn<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// URL of `login` with its `return_to`.
    pub login: &'a str,
}

impl FrameSignIn<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page(
            &Sheet::new("Sign in", false),
            &html! {
                h1 { "Sign in to see this" }
                p { "This part of the page needs you to sign in. It opens in the whole window." }
                p { a.button.primary href=(self.login) target="_top" { "Sign in" } }
            },
        )
    }
}

/// 401 for a form sent after the session ended: "Your session ended before this was sent", sign-in in a new tab.
#[derive(Clone, Copy, Debug)]
pub struct FormLost<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// URL of `login`.
    pub login: &'a str,
}

impl FormLost<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let title = "Your session ended before this was sent";
        self.frame.page(&Sheet::new(title, false), &html! {
            h1 { (title) }
            p { "What you typed is not lost. Leave this tab open, then:" }
            ol {
                li { "Sign in, in the new tab." }
                li { "Come back to this tab and reload it. When your browser asks whether to send the form again, say yes." }
            }
            p { a.button.primary href=(self.login) target="_blank" rel="noopener" { "Sign in in a new tab" } }
        })
    }
}

/// A link from a mail that works no longer: 410.
#[derive(Clone, Copy, Debug)]
pub struct DeadLink<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Which link.
    pub link: Link,
}

/// The links that can die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// `register/confirm`
    Confirm,
    /// `email/confirm`
    Address,
    /// `email/change`
    NewEmail,
    /// `email/undo`
    UndoEmail,
    /// `password/reset`
    Reset,
    /// `setup`
    Setup,
    /// `register?invitation=`
    Invitation,
}

impl DeadLink<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let title = "This link no longer works";
        let (advice, label, path) = match self.link {
            Link::Confirm => (
                "It was used, or its time ran out. If your account is ready, sign in; else register again.",
                "Sign in",
                "login",
            ),
            Link::Address => {
                ("It was used, its time ran out, or a newer one took its place.", "Go to your profile", "profile")
            }
            Link::NewEmail => (
                "It was used, its time ran out, or a newer one took its place. Also, whatever signs other devices out ends it.",
                "Change your e-mail",
                "profile/email",
            ),
            Link::UndoEmail => (
                "It was used, its seven days ran out, or an earlier change was undone. If you can't sign in, ask your administrator.",
                "Sign in",
                "login",
            ),
            Link::Reset => {
                ("It was used, its time ran out, or a newer one took its place.", "Send a new link", "password/forgot")
            }
            Link::Invitation => (
                "It was used or revoked, or its time ran out. If your account is ready, sign in; else ask the administrator for a new one.",
                "Sign in",
                "login",
            ),
            Link::Setup => (
                "It was used, or a newer one took its place. The server prints one at every start until there is an administrator.",
                "Sign in",
                "login",
            ),
        };
        self.frame.page(&Sheet::new(title, false), &html! {
            h1 { (title) }
            p { (advice) }
            @if self.link == Link::Setup { p.hint { "If you run it: " code { "vestibule setup-link" } " makes a new one." } }
            p { a.button.primary href=(self.frame.to(path)) { (label) } }
            @if self.link == Link::Confirm { p.links { a href=(self.frame.to("register")) { "Register again" } } }
        })
    }
}

/// Why our cookie did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieReason<'a> {
    /// Opened over http while `portal.url` says https.
    Insecure,
    /// Opened under another host.
    OtherHost {
        /// The host seen.
        seen: &'a str,
    },
    /// Cookies are blocked, as far as one can tell.
    Blocked,
}

/// Sign-in loops: the browser did not send our cookie back.
#[derive(Clone, Copy, Debug)]
pub struct CookiesBlocked<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The likely reason.
    pub reason: CookieReason<'a>,
    /// `portal.url`, which every reason compares with.
    pub portal_url: &'a str,
    /// URL of `login`, to try again.
    pub login: &'a str,
}

impl CookiesBlocked<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let title = "Your browser did not send our cookie back";
        self.frame.page(
            &Sheet::new(title, false),
            &html! {
                    h1 { (title) }
                    p { "Without it, signing in would begin again and again. " (self.reason()) }
                p.hint { "If you run it: " (self.key()) }
                p { a.button.primary href=(self.login) { "Try again" } }
            },
        )
    }

    fn reason(&self) -> Markup {
        let url = html! { strong { (self.portal_url) } };
        html! {
            @match self.reason {
                CookieReason::Insecure => { "You opened this page over http, but the site is set up for https: open " (url) " instead." }
                CookieReason::OtherHost { seen } => {
                    "You opened " strong { (seen) } ", but the site is set up as " (url) ": open that instead."
                }
                CookieReason::Blocked => {
                    "Most likely cookies are blocked: allow them for " (url) " in your browser's settings, then try again."
                }
            }
        }
    }

    /// What the person who runs the server can change.
    fn key(&self) -> Markup {
        let portal_url = html! { code { "portal.url" } };
        html! {
            @match self.reason {
                CookieReason::Insecure => { "make " (portal_url) " what people type, or send them on to https." }
                CookieReason::OtherHost { .. } => {
                    "make " (portal_url) " what people type, or set " code { "session.domain" } " to the parent that both share."
                }
                CookieReason::Blocked => { "check that " (portal_url) " is what people type, scheme and port included." }
            }
        }
    }
}
