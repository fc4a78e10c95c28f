//! Pages for when something is in the way: what happened, what to do, one link, a short reference.

use maud::{Markup, html};

use crate::Frame;

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
            Self::Forbidden { .. } | Self::RegistrationClosed => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::Timeout => 408,
            Self::TooLarge => 413,
            Self::UnknownHost { .. } => 421,
            Self::Throttled { .. } => 429,
            Self::HeadTooLarge => 431,
            Self::Internal => 500,
            Self::BadGateway { .. } => 502,
            Self::Resting => 503,
            Self::GatewayTimeout { .. } => 504,
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
        self.frame.page("Trouble", false, &html! {})
    }
}

/// 401 inside an iframe: opens sign-in at the top.
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
        self.frame.page("Sign in", false, &html! {})
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
        self.frame.page("Your session ended", false, &html! {})
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
    /// `password/reset`
    Reset,
    /// `setup`
    Setup,
}

impl DeadLink<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("This link no longer works", false, &html! {})
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
        self.frame.page("Your browser did not send the cookie back", true, &html! {})
    }
}
