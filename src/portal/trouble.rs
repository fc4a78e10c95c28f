//! Pages for when something is in the way, and what somebody not signed in gets (DESIGN, "Unauthenticated").
//!
//! The gateway and the pages share them. They know nothing of a session: nothing here may fail.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use templates::{
    Frame,
    page::{CookieReason, CookiesBlocked, DeadLink, FormLost, FrameSignIn, Link, Trouble, TroublePage},
};

use super::{
    Problem,
    form::Broken,
    hops::{self, Hop},
    respond::{self, Guard},
    return_to::LONGEST,
    route,
    visit::{Room, Visit, called, encoded},
};
use crate::{
    config::{
        portal::{PortalUrl, Reach},
        site::{HostPattern, Site},
    },
    inbound::{View, Wants, answer::Answer, bearer::Scheme},
};

impl Room {
    /// Somebody not signed in asked for a protected place.
    pub(super) fn sign_in_first(&self, view: &View, fields: &HeaderMap) -> Answer {
        if self.names_no_page(view) {
            return self.problem(Some(view), &Problem::NotFound);
        }
        let login = self.login_for(view);
        match view.wants() {
            Wants::Document => match hops::count(view, fields, self.clock.now()) {
                Hop::Onward(cookie) => respond::with_cookie(respond::see_other(&login), cookie),
                Hop::Loop(cookie) => respond::with_cookie(self.cookies_blocked(view, &login), cookie),
            },
            Wants::Frame => {
                let page = FrameSignIn { frame: self.bare_frame(view), login: &login };
                framed(respond::page(StatusCode::UNAUTHORIZED, Guard::SignIn, page.render()))
            }
            Wants::FormPost => {
                let page = FormLost { frame: self.bare_frame(view), login: &login };
                respond::page(StatusCode::UNAUTHORIZED, Guard::SignIn, page.render())
            }
            Wants::Program => self.unauthenticated(view),
        }
    }

    /// JSON 401.
    pub(super) fn unauthenticated(&self, view: &View) -> Answer {
        self.challenge("Bearer", self.basic_challenge(view))
    }

    /// JSON 401 for a token that is worth nothing (RFC 6750 §3.1). Who sent it as a password is asked for another one.
    pub(super) fn no_token(&self, view: &View, scheme: Scheme) -> Answer {
        self.challenge("Bearer error=\"invalid_token\"", scheme == Scheme::Basic || self.basic_challenge(view))
    }

    /// JSON 403 for a token that is not for this site (RFC 6750 §3.1).
    pub(super) fn out_of_scope(&self, view: &View) -> Answer {
        let words = "This token is not for this site.";
        let mut answer = respond::problem_json(StatusCode::FORBIDDEN, words, view.id.as_str());
        let challenge = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        answer
    }

    /// `basic` pops a dialog, so only where the operator asked for it or it was used (RFC 7617).
    fn challenge(&self, bearer: &'static str, basic: bool) -> Answer {
        let body = serde_json::json!({ "error": "unauthenticated", "login": self.url_to("login") });
        let mut answer = respond::json(StatusCode::UNAUTHORIZED, &body);
        let challenges = answer.headers_mut();
        challenges.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
        if basic {
            challenges.append(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"sign-in\", charset=\"UTF-8\""),
            );
        }
        answer
    }

    /// Signed in, but the place asks for a second factor and there is none.
    pub(super) fn step_up_first(&self, view: &View, name: &str) -> Answer {
        let page = format!("second-factor?reason=wanted&return_to={}", encoded(&self.target(view)));
        match view.wants() {
            Wants::Document if self.on_portal_host(view) => respond::see_other(&self.to(&page)),
            Wants::Document => respond::see_other(&self.url_to(&page)),
            Wants::Frame | Wants::FormPost => self.problem(
                Some(view),
                &Problem::Forbidden { name: name.to_owned(), wanted: "people with two-factor authentication".into() },
            ),
            Wants::Program => {
                let body = serde_json::json!({
                    "error": "second_factor_required", "enable": self.url_to("second-factor"),
                });
                respond::json(StatusCode::FORBIDDEN, &body)
            }
        }
    }

    /// An error page, or problem JSON for programs.
    pub(super) fn problem(&self, view: Option<&View>, problem: &Problem) -> Answer {
        let trouble = trouble(problem);
        let status = StatusCode::from_u16(trouble.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let reference = view.map_or("", |view| view.id.as_str());
        let answer = if view.is_some_and(|view| view.wants() == Wants::Program) {
            respond::problem_json(status, &detail(problem), reference)
        } else {
            self.trouble_page(view, status, trouble)
        };
        self.with_fields_of(problem, answer)
    }

    fn with_fields_of(&self, problem: &Problem, mut answer: Answer) -> Answer {
        match problem {
            Problem::Method(allow) => {
                answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
                answer
            }
            Problem::Throttled(until) => respond::retry_at(answer, *until, self.clock.now()),
            Problem::Resting(seconds) => respond::retry_after(answer, u64::from(*seconds)),
            _ => answer,
        }
    }

    fn trouble_page(&self, view: Option<&View>, status: StatusCode, trouble: Trouble<'_>) -> Answer {
        let mut frame = view.map_or_else(|| self.frame(None, ""), |view| self.bare_frame(view));
        let origin = self.settings.portal.url.origin();
        if let Trouble::UnknownHost { .. } = trouble {
            // A path would lead to the unknown host again.
            frame.back = Some(&origin);
        }
        let reference = view.map_or("", |view| view.id.as_str());
        // The link that failed may still be alive: nothing of it may leave in `Referer`.
        let token = |view: &View| {
            view.target.query.as_deref().is_some_and(|query| query.contains("token=") || query.contains("invitation="))
        };
        let guard = if view.is_some_and(token) { Guard::Token } else { Guard::Page };
        respond::page(status, guard, TroublePage { frame, trouble, reference }.render())
    }

    fn cookies_blocked(&self, view: &View, login: &str) -> Answer {
        let seen = view.authority.to_string();
        let page = CookiesBlocked {
            frame: self.bare_frame(view),
            reason: self.cookie_reason(view, &seen),
            portal_url: &self.settings.portal.url.origin(),
            login,
        };
        respond::page(StatusCode::UNAUTHORIZED, Guard::SignIn, page.render())
    }

    /// Why our cookie probably did not come back.
    fn cookie_reason<'s>(&self, view: &View, seen: &'s str) -> CookieReason<'s> {
        let url = &self.settings.portal.url;
        // Behind a proxy that ends TLS we see http; then the browser's own word in `Origin` counts.
        let secure = view.secure || view.fetch.origin.as_deref().is_some_and(|origin| origin.starts_with("https://"));
        if url.secure && !secure {
            CookieReason::Insecure
        } else if self.on_portal_host(view) {
            CookieReason::Blocked
        } else {
            CookieReason::OtherHost { seen }
        }
    }

    /// The path or URL of sign-in that leads back to what was asked for.
    fn login_for(&self, view: &View) -> String {
        let target = self.target(view);
        let page = format!("login?return_to={}", encoded(&target));
        if self.on_portal_host(view) { self.to(&page) } else { self.url_to(&page) }
    }

    /// What was asked for, as `return_to` knows it.
    fn target(&self, view: &View) -> String {
        // A form's target is no page; whoever was posting has it open.
        let raw = &*view.target.raw;
        // Nor would we take a longer one back: its address could be too long for ourselves.
        let raw = if raw.starts_with('/') && raw.len() <= LONGEST { raw } else { "/" };
        if self.on_portal_host(view) { raw.to_owned() } else { self.destinations.absolute(&view.authority.host, raw) }
    }

    /// The host of `portal.url`, or another name of this machine's loopback when that is one.
    pub(super) fn on_portal_host(&self, view: &View) -> bool {
        let url = &self.settings.portal.url;
        let host = &*view.authority.host;
        let named = |site: &Site| matches!(&site.host, HostPattern::Exact(exact) if exact == host);
        *host == *url.host
            || url.reach == Reach::Loopback
                && !self.settings.sites.iter().any(named)
                && PortalUrl::parse(&format!("http://{host}")).is_ok_and(|seen| seen.reach == Reach::Loopback)
    }

    /// A path under `portal.path` where there is nothing.
    fn names_no_page(&self, view: &View) -> bool {
        let under = view.target.path.strip_prefix(&self.settings.portal.path);
        let page = under.and_then(|rest| rest.strip_prefix('/'));
        page.is_some_and(|page| route::is_nowhere(page, self.on_portal_host(view)))
    }

    fn basic_challenge(&self, view: &View) -> bool {
        let sites = &self.settings.sites;
        let named =
            |name: &str| sites.iter().find(move |site| matches!(&site.host, HostPattern::Exact(host) if host == name));
        let behind_portal = || {
            named(&self.settings.portal.url.host).or_else(|| sites.iter().find(|site| site.host == HostPattern::Any))
        };
        named(&view.authority.host)
            .or_else(|| if self.on_portal_host(view) { behind_portal() } else { None })
            .is_some_and(|site| site.basic_challenge)
    }

    /// A frame without person and forms, with links that work from this host.
    fn bare_frame(&self, view: &View) -> Frame<'_> {
        let mut frame = self.frame(None, "");
        if !self.on_portal_host(view) {
            frame.portal = &self.portal_prefix;
        }
        frame
    }
}

impl Visit<'_> {
    /// JSON 401.
    pub(super) fn unauthenticated(&self) -> Answer {
        self.room.unauthenticated(&self.view)
    }

    /// Nobody can register, or not this way.
    pub(super) fn unregistered(&self, trouble: Trouble<'_>) -> Answer {
        let status = StatusCode::from_u16(trouble.status()).unwrap_or(StatusCode::FORBIDDEN);
        let full = trouble == Trouble::RegistrationFull;
        let answer = self.room.trouble_page(Some(&self.view), status, trouble);
        if full { respond::retry_after(answer, FULL) } else { answer }
    }

    /// A body that is no form of ours.
    pub(super) fn broken(&self, broken: Broken) -> Answer {
        let sentence = match broken {
            Broken::NotUrlencoded => {
                let says = "Forms are sent here as application/x-www-form-urlencoded.";
                let trouble = Trouble::BadRequest(says);
                return self.room.trouble_page(Some(&self.view), StatusCode::UNSUPPORTED_MEDIA_TYPE, trouble);
            }
            Broken::TooLarge => return self.problem(&Problem::TooLarge),
            Broken::Stalled => return self.problem(&Problem::Timeout),
            Broken::CutOff => "The form did not arrive whole. Go back and send it again.",
            Broken::NotText => "The form held characters that cannot be used. Go back and type them anew.",
            Broken::Repeated => "The form held one field twice. Go back, reload the page, and send it again.",
            Broken::TooManyFields => "The form held too many fields. Go back, reload the page, and send it again.",
        };
        self.problem(&Problem::BadRequest(sentence.into()))
    }
}

/// 410
pub(super) fn dead_link(visit: &Visit<'_>, link: Link) -> Answer {
    visit.page(StatusCode::GONE, Guard::Token, DeadLink { frame: visit.frame(), link }.render())
}

/// What a form says when its flow cookie did not come back.
pub(super) fn cookie_sentence(room: &Room, view: &View) -> String {
    let url = room.settings.portal.url.origin();
    let seen = view.authority.to_string();
    match room.cookie_reason(view, &seen) {
        CookieReason::Insecure => format!(
            "Your browser did not send our cookie back: this page was opened with http, but portal.url is {url}, and its \
             cookies travel over https only. Open {url} instead."
        ),
        CookieReason::OtherHost { seen } => format!(
            "Your browser did not send our cookie back: this page was opened at {seen}, but portal.url is {url}. Open \
             {url} instead."
        ),
        CookieReason::Blocked => format!(
            "Your browser did not send our cookie back. If cookies are blocked, allow them for {url} (portal.url). If \
             this page was open for a long time, send it again now."
        ),
    }
}

/// What a form says when the browser names another origin as its sender.
pub(super) fn origin_sentence(room: &Room, view: &View) -> String {
    let url = room.settings.portal.url.origin();
    match view.fetch.origin.as_deref() {
        Some(origin) if origin.len() <= 200 => format!(
            "This form came from {origin}, but portal.url is {url}. If you did not expect that, do not send it; \
             otherwise open {url} and send it again."
        ),
        _ => format!("This form came from another site. Open {url} (portal.url) and send it again."),
    }
}

fn trouble(problem: &Problem) -> Trouble<'_> {
    match problem {
        Problem::BadRequest(what) => Trouble::BadRequest(what),
        Problem::Forbidden { name, wanted } => Trouble::Forbidden { name: called(name, ""), wanted },
        Problem::NotFound => Trouble::NotFound,
        Problem::Method(_) => Trouble::Method,
        Problem::Timeout => Trouble::Timeout,
        Problem::TooLarge => Trouble::TooLarge,
        Problem::UnknownHost { seen, expected } => Trouble::UnknownHost { seen, expected },
        Problem::Throttled(until) => Trouble::Throttled { until: until.0 },
        Problem::Internal => Trouble::Internal,
        Problem::BadGateway(site) => Trouble::BadGateway { site },
        Problem::Resting(_) => Trouble::Resting,
        Problem::GatewayTimeout(site) => Trouble::GatewayTimeout { site },
    }
}

/// The same for programs.
fn detail(problem: &Problem) -> String {
    match problem {
        Problem::BadRequest(what) => what.clone(),
        Problem::Forbidden { wanted, .. } if wanted.is_empty() => "This page is not for you.".into(),
        Problem::Forbidden { wanted, .. } => format!("This page is for {wanted}."),
        Problem::NotFound => "There is nothing here.".into(),
        Problem::Method(allow) => format!("Use one of: {allow}."),
        Problem::Timeout => "The request took too long to arrive.".into(),
        Problem::TooLarge => "The request is too large.".into(),
        Problem::UnknownHost { seen, expected } => {
            format!(
                "No site is called {seen} here; the host of portal.url is {expected}. Add a [[site]] with this host."
            )
        }
        Problem::Throttled(_) => "Too many tries; wait, then try again.".into(),
        Problem::Internal => "Something failed on our side.".into(),
        Problem::BadGateway(site) => format!("{site} isn't answering."),
        Problem::Resting(_) => "Sign-in is resting for a moment; try again in a few seconds.".into(),
        Problem::GatewayTimeout(site) => format!("{site} took too long to answer."),
    }
}

/// `Retry-After`, seconds, while too many wait for an approval: an hour.
const FULL: u64 = 3_600;

/// The one page made to be shown inside a frame: it holds a link and nothing else.
fn framed(mut answer: Answer) -> Answer {
    let fields = answer.headers_mut();
    fields.remove(header::X_FRAME_OPTIONS);
    let policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
        frame-ancestors 'self'";
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_words_for_programs() {
        assert_eq!(detail(&Problem::BadGateway("wiki.test".into())), "wiki.test isn't answering.");
        assert!(detail(&Problem::UnknownHost { seen: "a".into(), expected: "b".into() }).contains("portal.url"));
    }
}
