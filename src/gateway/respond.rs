//! The one file where errors become statuses. Each is logged once, here, with what its page does not say.

use std::{error::Error, sync::Arc};

use http::{HeaderValue, Version, header::CONNECTION};
use tokio::task::JoinError;

use super::{
    entry::Entry,
    leftover::{Fate, Leftover},
};
use crate::{
    inbound::{Malformed, Reader, Request, answer::Answer, bearer::Scheme},
    policy::{Decision, Misdirected, Site, Subject},
    portal::{Portal, Problem},
    proxy::ProxyError,
    telemetry::metrics::Outcome,
};

/// Why a request is answered here.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client's: it could not be read in exactly one way.
    Malformed(Malformed, Leftover),
    /// The client's: it belongs nowhere.
    Misdirected(Misdirected, Box<Request>),
    /// The client's: what it showed is no token, or not any more.
    Token(Box<Request>, Scheme),
    /// Nobody's: policy said no.
    Refused(Box<Decision>),
    /// The upstream's (or the client's, while its body was sent).
    Upstream {
        site: Arc<Site>,
        /// Whether the asker may know where the upstream is.
        sees_upstream: bool,
        error: ProxyError,
    },
    /// Ours: a page panicked, or the process is ending.
    Page(JoinError),
}

impl Failure {
    /// What it counts as.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Malformed(..) | Self::Misdirected(..) => Outcome::Refused,
            Self::Token(..) => Outcome::SignInFirst,
            Self::Refused(decision) => match &**decision {
                Decision::Authenticate(..) | Decision::StepUp(..) => Outcome::SignInFirst,
                Decision::Deny(..) | Decision::OutOfScope(..) => Outcome::Denied,
                Decision::Ambiguous(..) => Outcome::Refused,
                Decision::Unavailable(_) | Decision::Allow(_) => Outcome::Failed,
            },
            Self::Upstream { error, .. } => match error {
                ProxyError::Unreachable(_) | ProxyError::Broken(_) | ProxyError::Loop | ProxyError::Silent => {
                    Outcome::Failed
                }
                ProxyError::Ended | ProxyError::ForeignOrigin => Outcome::Denied,
                ProxyError::Outside | ProxyError::TooLarge | ProxyError::Stalled | ProxyError::Client(_) => {
                    Outcome::Refused
                }
            },
            Self::Page(_) => Outcome::Failed,
        }
    }
}

/// Makes answers of failures.
#[derive(Debug)]
pub(super) struct Responder<'a> {
    pub(super) portal: &'a Portal,
    pub(super) portal_authority: &'a str,
}

/// The methods an upstream may be asked; sent with 405.
const SERVED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// When to come back to a store that does not answer, seconds.
const RESTING: u32 = 5;

impl Responder<'_> {
    /// The answer, with what is left of the request drained or the connection closed.
    pub(super) async fn respond(
        &self,
        failure: Failure,
        entry: &mut Entry<'_>,
        version: Version,
        reader: &Reader,
    ) -> Answer {
        let (mut answer, fate) = match failure {
            Failure::Malformed(malformed, leftover) => {
                entry.unread(reader.next_id());
                self.malformed(malformed, leftover, entry).await
            }
            Failure::Misdirected(misdirected, request) => {
                let answer = self.misdirected(&misdirected, &request);
                (answer, drain(*request).await)
            }
            Failure::Token(request, scheme) => (self.portal.no_token(&request, scheme), drain(*request).await),
            Failure::Refused(decision) => self.refused(*decision).await,
            Failure::Upstream { site, sees_upstream, error } => self.upstream(&site, sees_upstream, &error, entry),
            Failure::Page(error) => (self.page(&error, entry), Fate::Keep),
        };
        // HTTP/2 has no such field, and ends single streams.
        if fate == Fate::Close && version < Version::HTTP_2 {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn malformed(&self, malformed: Malformed, leftover: Leftover, entry: &Entry<'_>) -> (Answer, Fate) {
        tracing::info!(id = entry.id(), reason = %malformed, "a request was refused as malformed");
        let problem = match malformed {
            Malformed::Method => Problem::Method(SERVED),
            Malformed::Authority(reason)
            | Malformed::Target(reason)
            | Malformed::Framing(reason)
            | Malformed::Forwarding(reason) => Problem::BadRequest(reason.to_owned()),
        };
        let answer = self.portal.problem(None, problem);
        // Where the framing is in doubt, not one byte more is read as a request.
        let fate = match malformed {
            Malformed::Framing(_) | Malformed::Method => Fate::Close,
            _ => leftover.drain().await,
        };
        (answer, fate)
    }

    fn misdirected(&self, misdirected: &Misdirected, request: &Request) -> Answer {
        let seen = request.view.authority.to_string();
        let problem = match misdirected {
            Misdirected::NoSuchPage => Problem::NotFound,
            Misdirected::UnknownHost | Misdirected::ServerName => {
                let id = request.view.id.as_str();
                tracing::info!(
                    id,
                    host = seen,
                    ?misdirected,
                    "no [[site]] answers to this host (site.host, portal.url)"
                );
                Problem::UnknownHost { seen, expected: self.portal_authority.to_owned() }
            }
        };
        self.portal.problem(Some(&request.view), problem)
    }

    async fn refused(&self, decision: Decision) -> (Answer, Fate) {
        let problem = |request: &Request, problem| self.portal.problem(Some(&request.view), problem);
        let (answer, request) = match decision {
            Decision::Authenticate(request, subject) => {
                let ended = matches!(subject, Subject::Anonymous { ended: true });
                (self.portal.sign_in_first(&request, ended), request)
            }
            Decision::StepUp(request, live) => (self.portal.step_up_first(&request, &live), request),
            Decision::Deny(request, subject, wanted) => {
                let name = subject.live().map(|live| live.record.name.clone()).unwrap_or_default();
                (problem(&request, Problem::Forbidden { name, wanted }), request)
            }
            Decision::OutOfScope(request, _) => (self.portal.out_of_scope(&request), request),
            Decision::Ambiguous(request, mark) => (problem(&request, ambiguous(mark)), request),
            Decision::Unavailable(request) => (problem(&request, Problem::Resting(RESTING)), request),
            // Not a refusal; whoever hands us one gets no more than a page.
            Decision::Allow(grant) => {
                let (request, ..) = grant.into_parts();
                (problem(&request, Problem::Internal), request)
            }
        };
        (answer, drain(request).await)
    }

    fn upstream(&self, site: &Site, sees_upstream: bool, error: &ProxyError, entry: &Entry<'_>) -> (Answer, Fate) {
        let upstream = site.settings.upstream.to_string();
        let named = if sees_upstream { format!("{} (upstream {upstream})", site.label) } else { site.label.clone() };
        let (problem, fate) = match error {
            ProxyError::Unreachable(_) | ProxyError::Broken(_) | ProxyError::Loop => {
                (Problem::BadGateway(named), Fate::Keep)
            }
            ProxyError::Silent => (Problem::GatewayTimeout(named), Fate::Keep),
            ProxyError::Outside => (Problem::NotFound, Fate::Keep),
            ProxyError::TooLarge => (Problem::TooLarge, Fate::Close),
            ProxyError::Stalled => (Problem::Timeout, Fate::Close),
            ProxyError::Ended => {
                let wanted = "people who are signed in".to_owned();
                (Problem::Forbidden { name: String::new(), wanted }, Fate::Close)
            }
            ProxyError::ForeignOrigin => {
                let wanted = "pages of its own origin".to_owned();
                (Problem::Forbidden { name: String::new(), wanted }, Fate::Keep)
            }
            ProxyError::Client(_) => {
                (Problem::BadRequest("The request broke off before its end.".to_owned()), Fate::Close)
            }
        };
        let (id, cause) = (entry.id(), causes(error));
        match error {
            ProxyError::Unreachable(_) | ProxyError::Broken(_) | ProxyError::Loop | ProxyError::Silent => {
                tracing::warn!(id, site = site.label, upstream, cause, "the upstream failed");
            }
            ProxyError::TooLarge
            | ProxyError::Stalled
            | ProxyError::Ended
            | ProxyError::ForeignOrigin
            | ProxyError::Outside
            | ProxyError::Client(_) => {
                tracing::info!(id, site = site.label, cause, "a request could not be forwarded");
            }
        }
        (self.portal.problem(entry.view(), problem), fate)
    }

    fn page(&self, error: &JoinError, entry: &Entry<'_>) -> Answer {
        tracing::error!(id = entry.id(), %error, "a page ended early");
        let problem = if error.is_panic() { Problem::Internal } else { Problem::Resting(RESTING) };
        self.portal.problem(entry.view(), problem)
    }
}

async fn drain(request: Request) -> Fate {
    Leftover::of(&request.parts, request.body).drain().await
}

fn ambiguous(mark: &str) -> Problem {
    Problem::BadRequest(format!(
        "This address holds {mark}, which can be read in two ways, so its rules cannot be decided. Whoever runs this site can \
         let it through with site.allow_encoded = [\"{mark}\"]."
    ))
}

/// The error with its sources, outermost first.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
