//! One request to one page: what the pages stand on, who asks, which form token fits, and the frame around the answer.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use templates::{Frame, Markup, Person};

use super::{
    Problem, Settings,
    done::Done,
    respond::{self, Guard},
    return_to::{Destinations, ReturnTo},
    stop::{Outcome, Stop},
};
use crate::{
    assertion::Assertions,
    identity::{Administration, Authenticated, Identity, Method, account::Account, outbox::RowId, phone, trail::Event},
    inbound::{View, answer::Answer},
    policy::Subject,
    session::{FlowId, Live, NotStarted, Place, Sessions},
    world::{Clock, NoEntropy, UnixMillis},
};

/// What every page stands on.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) settings: Settings,
    pub(super) destinations: Destinations,
    /// Where "Back to site" leads.
    pub(super) back: Option<String>,
    /// `https://login.example.com/.auth`: before links on other hosts.
    pub(super) portal_prefix: String,
    /// `/.auth/assets`
    pub(super) assets: String,
    pub(super) identity: Identity,
    pub(super) sessions: Sessions,
    pub(super) assertions: Assertions,
    pub(super) clock: Clock,
}

/// What a page's forms are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// The browser alone: pages before sign-in. Two tabs may sign in at the same time.
    Flow,
    /// The browser and its session.
    Session,
}

/// The flow cookie of a request.
pub(super) enum Flow {
    /// The browser sent it.
    Carried(FlowId),
    /// Made just now; goes out with the page.
    Fresh(FlowId, HeaderValue),
}

impl Flow {
    pub(super) fn of(sessions: &Sessions, fields: &HeaderMap) -> Result<Self, NoEntropy> {
        match sessions.flow(fields) {
            Some(flow) => Ok(Self::Carried(flow)),
            None => sessions.new_flow().map(|(flow, cookie)| Self::Fresh(flow, cookie)),
        }
    }

    /// The flow the browser proved to keep.
    pub(super) fn carried(&self) -> Option<&FlowId> {
        match self {
            Self::Carried(flow) => Some(flow),
            Self::Fresh(..) => None,
        }
    }

    fn id(&self) -> &FlowId {
        match self {
            Self::Carried(flow) | Self::Fresh(flow, _) => flow,
        }
    }
}

/// One request to one page.
pub(super) struct Visit<'a> {
    pub(super) room: &'a Room,
    pub(super) view: Arc<View>,
    pub(super) fields: HeaderMap,
    pub(super) subject: Subject,
    pub(super) on_portal_host: bool,
    pub(super) flow: Flow,
    pub(super) now: UnixMillis,
    /// The page's URL holds a token.
    pub(super) token_in_url: bool,
    bound: Bound,
    csrf: String,
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        room: &'a Room,
        (view, fields): (Arc<View>, HeaderMap),
        subject: Subject,
        on_portal_host: bool,
        (bound, token_in_url): (Bound, bool),
    ) -> Result<Self, NoEntropy> {
        let flow = Flow::of(&room.sessions, &fields)?;
        let now = room.clock.now();
        let csrf = String::new();
        let mut visit = Self { room, view, fields, subject, on_portal_host, flow, now, token_in_url, bound, csrf };
        visit.csrf = room.sessions.form_token(visit.flow.id(), visit.bound_to());
        Ok(visit)
    }

    /// Who is signed in. A token is no sign-in: only `me` and `check` know any ([`Subject::live`]).
    pub(super) fn live(&self) -> Option<&Live> {
        match &self.subject {
            Subject::Session(live) => Some(live),
            Subject::Token(_) | Subject::Anonymous { .. } | Subject::Unknown => None,
        }
    }

    /// Who is signed in, on a page that only they may see; fails closed.
    pub(super) fn signed_in(&self) -> Result<&Live, Stop> {
        self.live().ok_or(Stop::SignInFirst)
    }

    /// The account behind the session, as it stands now. Gone: the session is worth nothing.
    pub(super) async fn account(&self) -> Result<Account, Stop> {
        let live = self.signed_in()?;
        match self.room.identity.account(&live.record.account).await? {
            Some(account) if !account.disabled => Ok(account),
            _ => Err(Stop::SignInFirst),
        }
    }

    /// Everybody's accounts, for an administrator; closed to everybody else, whatever the page.
    pub(super) async fn administration(&self) -> Result<Administration, Stop> {
        let account = self.account().await?;
        let live = self.signed_in()?;
        self.identity().administration(&account, &live.record.sid.0).ok_or(Stop::NotTheirs)
    }

    /// The same, for who is about to change something: not by a session that ended just now, whatever memory says of it.
    pub(super) async fn administration_to_change(&self) -> Result<Administration, Stop> {
        let administration = self.administration().await?;
        administration.still_acts().await?;
        if !self.room.sessions.still_there(self.signed_in()?).await? {
            return Err(Stop::SignInFirst);
        }
        Ok(administration)
    }

    /// The accounts, for what goes into the trail with the network it came from.
    pub(super) fn identity(&self) -> Identity {
        self.room.identity.for_client(&self.view.client)
    }

    /// Whether the person showed every factor a short while ago: what guards the account may be changed only then. A
    /// password typed since does not renew the second factor.
    pub(super) fn recent(&self) -> bool {
        self.live().is_some_and(|live| {
            let record = &live.record;
            let second = record.factors.iter().filter(|shown| shown.method != Method::Pwd).map(|shown| shown.at).max();
            self.now.since(second.unwrap_or_else(|| record.auth_time())) <= RECENT
        })
    }

    /// Whether the browser does not say that another site sent this.
    pub(super) fn sent_from_here(&self) -> bool {
        self.view.fetch.site.as_deref().is_none_or(|site| site == "same-origin")
    }

    /// The session that tokens of this page are bound to.
    pub(super) fn bound_to(&self) -> Option<&Live> {
        if self.bound == Bound::Session { self.live() } else { None }
    }

    /// The first value of that name in the query; empty when there is none.
    pub(super) fn query(&self, name: &str) -> String {
        let query = self.view.target.query.as_deref().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }

    /// The language in which a code provider is asked to write and speak.
    pub(super) fn locale(&self) -> Option<&'static str> {
        phone::locale_of_languages(self.fields.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?)
    }

    /// The frame around this page.
    pub(super) fn frame(&self) -> Frame<'_> {
        let live = if self.bound == Bound::Session { self.live() } else { None };
        let person = live.map(|live| Person { name: called(&live.record.name, &live.record.username) });
        self.room.frame(person, &self.csrf)
    }

    /// A page of this visit; brings the flow cookie if the browser has none.
    pub(super) fn page(&self, status: StatusCode, guard: Guard, markup: Markup) -> Answer {
        self.with_flow(respond::page(status, guard, markup))
    }

    /// Adds the flow cookie if the browser has none.
    pub(super) fn with_flow(&self, answer: Answer) -> Answer {
        match &self.flow {
            Flow::Fresh(_, cookie) => respond::with_cookie(answer, cookie.clone()),
            Flow::Carried(_) => answer,
        }
    }

    /// 303 to a portal page: `profile?done=profile`.
    pub(super) fn to_page(&self, page: &str) -> Answer {
        respond::see_other(&self.room.to(page))
    }

    /// 303 to sign-in once more, with everything, and back to a portal page that guards the account: a session found open
    /// and a password do not make up for the factor.
    pub(super) fn confirm_first(&self, page: &str) -> Answer {
        self.to_page(&self.once_more(page))
    }

    /// The page where one signs in once more, on the way to another.
    pub(super) fn once_more(&self, page: &str) -> String {
        format!("login?again=1&return_to={}", encoded(&self.room.to(page)))
    }

    /// 303 to sign-in, with a notice and the place wanted.
    pub(super) fn to_sign_in(&self, done: Done, to: &ReturnTo) -> Answer {
        let mut page = format!("login?done={}", done.name());
        if !to.is_root() {
            page.push_str("&return_to=");
            page.push_str(&encoded(&to.location()));
        }
        self.to_page(&page)
    }

    /// The end of every sign-in: a session with a new id, and onward. Who only confirmed who they are (step-up) keeps the
    /// session, and with it "stay signed in".
    pub(super) async fn enter(&self, proof: Authenticated, remember: bool, to: &ReturnTo) -> Result<Answer, Stop> {
        let own = self.live().filter(|live| live.record.account == proof.account().id);
        // A session that showed a second factor which is off by now would go on as if it had been shown again.
        let second = proof.factors().iter().any(|shown| shown.method != Method::Pwd);
        let covered = |live: &&Live| second || !live.record.two_factor();
        let remember = remember || own.is_some_and(|live| live.record.remember);
        let event = if own.is_some() { Event::Confirmed } else { Event::SignedIn };
        let (account, shown) = (proof.account().id.clone(), proof.factors().to_vec());
        let entered = |cookie| {
            let answer = respond::with_cookie(respond::see_other(&to.location()), cookie);
            self.identity().note_sign_in(event, &account, &shown, self.now);
            // Without random bytes nobody is told of the device: no reason to keep its owner out.
            let Ok((device, cookie)) = self.room.sessions.device(&self.fields) else { return answer };
            let words = Place::of(&self.view.client, &self.fields).device;
            self.identity().note_device(&account, device, words, self.now);
            respond::with_cookie(answer, cookie)
        };
        if let Some(live) = own.filter(covered).filter(|live| live.record.remember == remember) {
            return match self.room.sessions.rotate(live, proof, self.now).await {
                Ok(cookie) => Ok(entered(cookie)),
                Err(NotStarted::Overtaken) => Ok(self.to_sign_in(Done::Anew, to)),
                Err(other) => Err(other.into()),
            };
        }
        let place = Place::of(&self.view.client, &self.fields);
        match self.room.sessions.start(proof, remember, place, self.live(), self.now).await {
            Ok(cookie) => Ok(entered(cookie)),
            // The account changed while its owner was signing in.
            Err(NotStarted::Overtaken) => Ok(self.to_sign_in(Done::Anew, to)),
            Err(other) => Err(other.into()),
        }
    }

    /// The end of every change of a factor: this session goes on under a new id, and success is said, on the Security page,
    /// only once the other sessions are gone.
    pub(super) async fn factors_changed(&self, live: &Live, proof: Authenticated, row: RowId, done: Done) -> Outcome {
        let rotated = self.room.sessions.rotate(live, proof, self.now).await;
        self.room.sessions.settled(row).await?;
        match rotated {
            Ok(cookie) => {
                Ok(respond::with_cookie(self.to_page(&format!("second-factor?done={}", done.name())), cookie))
            }
            Err(NotStarted::Overtaken) => Ok(self.to_sign_in(done, &ReturnTo::root())),
            Err(other) => Err(other.into()),
        }
    }

    /// What to say after "to continue to".
    pub(super) fn label(&self, to: &ReturnTo) -> Option<String> {
        to.label(&self.view.authority.to_string())
    }

    /// An error page of this visit.
    pub(super) fn problem(&self, problem: &Problem) -> Answer {
        self.room.problem(Some(&self.view), problem)
    }
}

impl Room {
    /// The path of a portal page on this host.
    pub(super) fn to(&self, page: &str) -> String {
        format!("{}/{page}", self.settings.portal.path)
    }

    /// The URL of a portal page, for other hosts and for programs.
    pub(super) fn url_to(&self, page: &str) -> String {
        format!("{}{}/{page}", self.settings.portal.url.origin(), self.settings.portal.path)
    }

    /// The frame of a page with these forms.
    pub(super) fn frame<'f>(&'f self, person: Option<Person<'f>>, csrf: &'f str) -> Frame<'f> {
        Frame {
            site_name: &self.settings.portal.name,
            portal: &self.settings.portal.path,
            assets: &self.assets,
            person,
            back: self.back.as_deref(),
            trying_out: self.settings.trying_out,
            csrf,
        }
    }
}

/// What pages call somebody: the given name.
pub(super) fn called<'n>(name: &'n str, username: &'n str) -> &'n str {
    name.split_whitespace().next().unwrap_or(username)
}

/// Percent-encoded for a query value: everything but unreserved characters and `/`.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, QUERY_VALUE).to_string()
}

const RECENT: Duration = Duration::from_mins(10);

const QUERY_VALUE: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use crate::inbound::{Asks, Authority, Client, Fetch, Forwarded, RequestId, Target, View};

    /// A request's view with the given origin facts.
    pub(crate) fn view(authority: &str, secure: bool, origin: Option<&str>, site: Option<&str>) -> View {
        let (host, port) =
            authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, port.parse().ok()));
        let authority = Authority { host: host.into(), port };
        let client = Client { address: [192, 0, 2, 1].into(), via_trusted_proxy: false };
        View {
            id: RequestId::of(0x0123_4567_89ab_cdef),
            method: http::Method::POST,
            forwarded: Arc::new(Forwarded::of(&authority, &client, client.address, secure)),
            authority,
            secure,
            target: Target { raw: "/".into(), path: "/".into(), query: None, ambiguous: Vec::new() },
            client,
            fetch: Fetch { site: site.map(Arc::from), mode: None, dest: None, origin: origin.map(Arc::from) },
            asks: Asks::default(),
            upgrade: None,
        }
    }
}
