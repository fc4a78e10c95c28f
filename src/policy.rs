//! Sites, routes and rules. `decide` is pure: request, subject and time in, a [`Grant`] or a refusal out.

mod decide;
mod overrides;
mod readings;
mod route;
mod rules;

use std::sync::Arc;

use http::HeaderMap;

use self::{decide::Verdict, rules::Rules};
use crate::{
    config::{self, accounts::Demanding, site::HostPattern},
    inbound::{Connection, Held, Request, View},
    session::Live,
    world::UnixMillis,
};

/// Who asks, as far as the session room could tell.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Nobody we know. `ended`: they carried a cookie we once made.
    Anonymous {
        /// "Your session ended".
        ended: bool,
    },
    /// Somebody signed in.
    Session(Live),
    /// A program with somebody's access token.
    Token(Live),
    /// The store did not answer: enough for public paths, 503 elsewhere.
    Unknown,
}

impl Subject {
    /// Whoever speaks here, by a session or a token.
    #[must_use]
    pub fn live(&self) -> Option<&Live> {
        match self {
            Self::Session(live) | Self::Token(live) => Some(live),
            Self::Anonymous { .. } | Self::Unknown => None,
        }
    }
}

/// A site at run time.
#[derive(Debug)]
pub struct Site {
    /// Its number in the configuration: the key of upstream pools.
    pub index: usize,
    /// As configured.
    pub settings: config::site::Site,
    /// The host by which access tokens know it.
    pub host: String,
    /// What pages call it: the host, or `portal.url`'s authority for `*`.
    pub label: String,
}

/// Where a request belongs.
#[derive(Clone, Debug)]
pub enum Place {
    /// A site's upstream.
    Site(Arc<Site>),
    /// A portal page.
    Portal(Page),
}

/// A path under `portal.path`, without it: `login`, `profile/edit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Without leading slash; empty for the prefix itself.
    pub path: String,
    /// Whether the request came to the host of `portal.url` (or a loopback alias of it).
    pub on_portal_host: bool,
}

impl Page {
    /// Forward-auth: asked by another gateway about a request that it holds.
    #[must_use]
    pub fn is_check(&self) -> bool {
        self.path == "check"
    }
}

/// Why a request belongs nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misdirected {
    /// No site of that name: 421.
    UnknownHost,
    /// SNI and authority differ: 421.
    ServerName,
    /// Under `portal.path`, but not a page of this host; or the portal's own host has no site behind it: 404.
    NoSuchPage,
}

/// The right to send this very request. Only [`Policy::decide`] makes one.
#[derive(Debug)]
pub struct Grant {
    request: Request,
    subject: Subject,
    place: Place,
}

impl Grant {
    /// Takes the grant apart, at its one use.
    #[must_use]
    pub fn into_parts(self) -> (Request, Subject, Place) {
        (self.request, self.subject, self.place)
    }

    /// The request it is for.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Who may send it.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Where it goes.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The origin-form target for the upstream: with the canonical path on a site with rules (the one they were decided
    /// on), as it came on others. `*` stays `*`.
    #[must_use]
    pub fn forward_target(&self) -> Arc<str> {
        let target = &self.request.view.target;
        match &self.place {
            Place::Site(site) if !site.settings.rules.is_empty() => target.canonical(),
            _ => Arc::clone(&target.raw),
        }
    }
}

/// What policy says; refusals give the request back, so that its body can be drained and its page made.
#[derive(Debug)]
pub enum Decision {
    /// Go on.
    Allow(Grant),
    /// Sign in first.
    Authenticate(Request, Subject),
    /// Signed in, but this needs a second factor.
    StepUp(Request, Live),
    /// Signed in, and not allowed. The words for "this page is for …".
    Deny(Request, Subject, String),
    /// A token that is not for this site: 403.
    OutOfScope(Request, Subject),
    /// The path can be read two ways: 400, naming `site.allow_encoded`.
    Ambiguous(Request, &'static str),
    /// The store did not answer and this needs it: 503.
    Unavailable(Request),
}

/// Sites and rules, compiled.
#[derive(Debug)]
pub struct Policy {
    sites: Vec<Arc<Site>>,
    /// By [`Site::index`].
    rules: Vec<Rules>,
    portal: route::Entrance,
    demanding: Demanding,
}

impl Policy {
    /// Compiles the configuration. `demanding`: `accounts.two_factor_groups`.
    #[must_use]
    pub fn new(portal: &config::portal::Portal, demanding: &Demanding, sites: &[config::site::Site]) -> Self {
        let label = |site: &config::site::Site| match &site.host {
            HostPattern::Any => portal.url.authority(),
            HostPattern::Exact(host) => host.clone(),
        };
        let site = |(index, settings): (usize, &config::site::Site)| {
            let host = settings.name(&portal.url).to_owned();
            Arc::new(Site { index, settings: settings.clone(), host, label: label(settings) })
        };
        Self {
            sites: sites.iter().enumerate().map(site).collect(),
            rules: sites.iter().map(|site| Rules::new(&site.rules)).collect(),
            portal: route::Entrance::new(portal),
            demanding: demanding.clone(),
        }
    }

    /// Every site, in configuration order ([`Site::index`]).
    #[must_use]
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    /// Where a request belongs.
    ///
    /// # Errors
    /// [`Misdirected`]: nowhere.
    pub fn route(&self, view: &View, connection: &Connection) -> Result<Place, Misdirected> {
        self.portal.route(&self.sites, view, connection)
    }

    /// Whether a token speaks that is not for this site. A page belongs to the site of its host, where there is one; `check` to
    /// the site that it is asked about, where somebody we trust says which.
    fn out_of_scope(&self, place: &Place, (view, fields): (&View, &HeaderMap), subject: &Subject) -> bool {
        let Subject::Token(live) = subject else { return false };
        let of_host = |host: &str| self.portal.site(&self.sites, host);
        let site = match place {
            Place::Site(site) => Some(site),
            Place::Portal(page) if page.is_check() => {
                Held::of(view, fields).authority.and_then(|authority| of_host(&authority.host))
            }
            Place::Portal(_) => of_host(&view.authority.host),
        };
        !decide::in_scope(site.map(|site| &*site.host), live.record.token.as_ref())
    }

    /// Who may send it.
    #[must_use]
    pub fn decide(&self, request: Request, place: Place, subject: Subject, now: UnixMillis) -> Decision {
        let subject = decide::still_alive(subject, now);
        let verdict = match &place {
            _ if self.out_of_scope(&place, (&request.view, &request.parts.headers), &subject) => Verdict::OutOfScope,
            _ if decide::owes_factor(&self.demanding, &subject) => decide::owing(&place),
            Place::Portal(page) => decide::page(page, &subject),
            // A site we did not compile opens to nobody.
            Place::Site(site) => match self.rules.get(site.index) {
                Some(rules) => decide::site(site, rules, &request.view, &request.parts.headers, &subject),
                None => Verdict::Deny(decide::NOBODY.into()),
            },
        };
        match (verdict, subject) {
            (Verdict::Allow, subject) => Decision::Allow(Grant { request, subject, place }),
            (Verdict::Authenticate, subject) => Decision::Authenticate(request, subject),
            (Verdict::StepUp, Subject::Session(live)) => Decision::StepUp(request, live),
            // There is no way to a second factor for a program.
            (Verdict::StepUp, subject @ Subject::Token(_)) => {
                Decision::Deny(request, subject, decide::TWO_FACTOR.into())
            }
            (Verdict::StepUp, subject) => Decision::Authenticate(request, subject),
            (Verdict::Deny(wanted), subject) => Decision::Deny(request, subject, wanted),
            (Verdict::OutOfScope, subject) => Decision::OutOfScope(request, subject),
            (Verdict::Ambiguous(mark), _) => Decision::Ambiguous(request, mark),
            (Verdict::Unavailable, _) => Decision::Unavailable(request),
        }
    }
}
