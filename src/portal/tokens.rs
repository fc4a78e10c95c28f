//! `tokens`: access tokens for scripts. Making one asks for a recent sign-in, revoking one does not: it only takes away.
//!
//! The value is the answer to the POST that made it, and stands nowhere else. Making is refused to a session that is about to
//! end: it is asked about once more when the token is kept, so that whoever is thrown out leaves no way back in.

use std::time::Duration;

use http::StatusCode;
use templates::page::{FreshToken, SiteChoice, TokenLine};

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::{Outcome, Stop},
    visit::{Bound, Room, Visit},
};
use crate::identity::{
    Refusal,
    access_token::{AccessToken, NewToken, Sites},
};

/// The page.
pub(super) struct Tokens;

/// Its form: a token to make, or the one to revoke.
pub(super) struct Typed {
    revoke: String,
    name: String,
    /// The hosts ticked.
    hosts: Vec<String>,
    all: bool,
    days: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            revoke: sent.text("token"),
            name: sent.text("name"),
            hosts: sent.ticked("site-"),
            all: sent.flag("all"),
            days: sent.text("days"),
        }
    }
}

impl Page for Tokens {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        show(visit, &Typed::blank(), &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        if typed.revoke.is_empty() { make(visit, typed).await } else { revoke(visit, &typed.revoke).await }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        show(visit, &typed, &back).await
    }
}

async fn revoke(visit: &Visit<'_>, token: &str) -> Outcome {
    let account = &visit.signed_in()?.record.account;
    let done = match visit.identity().revoke_token(account, token, visit.now).await? {
        Some(row) => {
            // Success is said only once it opens nothing any more.
            visit.room.sessions.settled(row).await?;
            Done::TokenRevoked
        }
        None => Done::NoToken,
    };
    Ok(visit.to_page(&format!("tokens?done={}", done.name())))
}

async fn make(visit: &Visit<'_>, typed: Typed) -> Outcome {
    if !visit.recent() {
        return Ok(visit.confirm_first(HERE));
    }
    let live = visit.signed_in()?;
    let (identity, sessions) = (visit.identity(), &visit.room.sessions);
    let record = &live.record;
    let Some(new) = typed.new_token(visit.room) else {
        return show(visit, &typed, &Back::field("days", "Choose how long it works: one of these.")).await;
    };
    if let Err(refusal) = identity.count_new_token(&record.account, &visit.view.client, visit.now).await {
        return show(visit, &typed, &Back::of(refusal, visit.now)?).await;
    }
    let minted = sessions.mint()?;
    let maker = (&record.account, &*record.sid.0);
    let token = match identity.make_token(maker, new, &minted.hash, &record.factors, visit.now).await {
        Ok(token) => token,
        Err(Refusal::Stale) => return Err(Stop::SignInFirst),
        Err(other) => return show(visit, &typed, &Back::of(other, visit.now)?).await,
    };
    // What ended this session before the token was kept has been applied by now, or the token was refused.
    let there = sessions.still_there(live).await;
    if !matches!(there, Ok(true)) {
        identity.revoke_token(&record.account, &token.id, visit.now).await?;
        there?;
        return Err(Stop::SignInFirst);
    }
    let url = example(visit.room, &token.sites);
    let fresh = FreshToken { name: &token.name, value: &minted.value, url: &url };
    let view = templates::page::Tokens { fresh: Some(fresh), ..blank(visit) };
    Ok(visit.page(StatusCode::OK, Guard::Page, view.render()))
}

async fn show(visit: &Visit<'_>, typed: &Typed, back: &Back) -> Outcome {
    let account = &visit.signed_in()?.record.account;
    let tokens = visit.room.identity.tokens(account, visit.now).await?;
    let hosts: Vec<_> = tokens.iter().map(hosts).collect();
    let lines: Vec<_> = tokens.iter().zip(&hosts).map(|(token, hosts)| line(token, hosts)).collect();
    let choices: Vec<_> = site_names(visit.room)
        .into_iter()
        .map(|host| SiteChoice { host, chosen: typed.hosts.iter().any(|chosen| chosen == host) })
        .collect();
    let confirm = visit.once_more(HERE);
    let errors = back.shown_errors();
    let view = templates::page::Tokens {
        lines: &lines,
        confirm: (!visit.recent()).then_some(confirm.as_str()),
        name: &typed.name,
        sites: &choices,
        all: typed.all,
        days: typed.days().unwrap_or(USUAL_DAYS),
        notice: Done::parse(&visit.query("done")).map(Done::notice),
        errors: &errors,
        alert: back.shown_alert(),
        ..blank(visit)
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

impl Typed {
    fn blank() -> Self {
        Self { revoke: String::new(), name: String::new(), hosts: Vec::new(), all: false, days: String::new() }
    }

    /// `None`: none of those offered.
    fn days(&self) -> Option<u64> {
        self.days.parse().ok().filter(|days| templates::page::Tokens::DAYS.contains(days))
    }

    /// `None`: it would live for a time that is not offered.
    fn new_token(&self, room: &Room) -> Option<NewToken> {
        let lives = Duration::from_hours(24 * self.days()?);
        // Only sites that there are: no token waits for one.
        let named = || site_names(room).into_iter().filter(|host| self.hosts.iter().any(|chosen| chosen == host));
        let sites = if self.all { Sites::All } else { Sites::Of(named().map(str::to_owned).collect()) };
        Some(NewToken { name: self.name.clone(), sites, lives })
    }
}

/// The hosts by which tokens know the sites.
fn site_names(room: &Room) -> Vec<&str> {
    let settings = &room.settings;
    let mut names = Vec::new();
    for site in &settings.sites {
        let name = site.name(&settings.portal.url);
        // `*` may stand for a host that has a site of its own.
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Where a token may try itself.
fn example(room: &Room, sites: &Sites) -> String {
    let settings = &room.settings;
    let url = &settings.portal.url;
    let first = settings.sites.iter().find(|site| sites.contain(site.name(url)));
    format!("{}/", first.map_or_else(|| url.origin(), |site| site.origin(url)))
}

fn hosts(token: &AccessToken) -> Vec<&str> {
    match &token.sites {
        Sites::All => Vec::new(),
        Sites::Of(hosts) => hosts.iter().map(String::as_str).collect(),
    }
}

fn line<'l>(token: &'l AccessToken, hosts: &'l [&'l str]) -> TokenLine<'l> {
    TokenLine {
        id: &token.id,
        name: &token.name,
        sites: hosts,
        made: token.created_at.0,
        last_used: token.last_used_at.map(|at| at.0),
        expires: token.expires_at.0,
    }
}

fn blank<'v>(visit: &'v Visit<'_>) -> templates::page::Tokens<'v> {
    templates::page::Tokens {
        frame: visit.frame(),
        lines: &[],
        fresh: None,
        confirm: None,
        name: "",
        sites: &[],
        all: false,
        days: USUAL_DAYS,
        now: visit.now.0,
        notice: None,
        errors: &[],
        alert: None,
    }
}

const HERE: &str = "tokens";
const USUAL_DAYS: u64 = 90;
