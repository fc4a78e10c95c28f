//! `admin/people`: administrators find people, let in who waits, and keep out whom they want out.
//!
//! Looking asks for nothing more than to be an administrator; every change asks for a recent sign-in.

mod groups;

use http::StatusCode;
use templates::page::{DeclinePeople, DeclinePerson, PersonLine, Standing};

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::Outcome,
    visit::{Bound, Visit, encoded},
};
use crate::{
    identity::{
        Administration, Refusal,
        account::{Account, AccountId},
        outbox::RowId,
    },
    world::UnixMillis,
};

/// The page.
pub(super) struct People;

/// Which part of the list is looked at.
#[derive(Default)]
struct Looked {
    sought: String,
    state: String,
    after: String,
}

/// Its forms: which button was pressed, and where.
pub(super) struct Pressed {
    looked: Looked,
    search: bool,
    enable: String,
    disable: String,
    decline: String,
    /// Whose groups are set, and to which.
    person: String,
    groups: String,
}

impl Fields for Pressed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            looked: Looked { sought: sent.text("q"), state: sent.text("state"), after: sent.text("after") },
            search: sent.flag("search"),
            enable: sent.text("enable"),
            disable: sent.text("disable"),
            decline: sent.text("decline"),
            person: sent.text("person"),
            groups: sent.text("groups"),
        }
    }
}

impl Page for People {
    const BOUND: Bound = Bound::Session;
    type Fields = Pressed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let declined = several(&visit.query("decline"));
        if !declined.is_empty() {
            return ask_to_decline(visit, &declined).await;
        }
        if let Some(person) = account(&plain(visit, "groups")) {
            return groups::ask(visit, &person, None, &Back::fresh()).await;
        }
        let looked = Looked { sought: plain(visit, "q"), state: visit.query("state"), after: plain(visit, "after") };
        show(visit, &looked, &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Pressed>) -> Outcome {
        let pressed = form.into_fields();
        let administration = visit.administration_to_change().await?;
        if pressed.search {
            // Onto a page that can be reloaded, and gone back to.
            let looked = Looked { sought: pressed.looked.sought, ..Looked::default() };
            return Ok(visit.to_page(&looked.path(None)));
        }
        if let Some(person) = account(&pressed.person) {
            return groups::set(visit, &administration, &person, &pressed.groups).await;
        }
        let (enable, disable) = (account(&pressed.enable), account(&pressed.disable));
        let decline = several(&pressed.decline);
        let Some(id) = enable.as_ref().or(disable.as_ref()).or(decline.first()) else {
            return show(visit, &pressed.looked, &Back::fresh()).await;
        };
        if !visit.recent() {
            return Ok(visit.confirm_first(&pressed.looked.path(None)));
        }
        let waited = enable.is_some() && waits(visit, id).await?;
        let (row, done) = if enable.is_some() {
            (administration.enable(id, visit.now).await, if waited { Done::Approved } else { Done::Enabled })
        } else if disable.is_some() {
            (administration.disable(id, visit.now).await, Done::Disabled)
        } else {
            (decline_all(&administration, &decline, visit.now).await, Done::Declined)
        };
        match row {
            Ok(row) => {
                // Success is said only once the sessions know it.
                visit.room.sessions.settled(row).await?;
                Ok(visit.to_page(&pressed.looked.path(Some(done))))
            }
            // Somebody else was quicker, or this administrator is none any more: then the page says so.
            Err(Refusal::Stale) => Ok(visit.to_page(&pressed.looked.path(Some(Done::Changed)))),
            Err(Refusal::LastAdministrator) => {
                let back = Back::say(StatusCode::UNPROCESSABLE_ENTITY, LAST_ADMINISTRATOR);
                show(visit, &pressed.looked, &back).await
            }
            Err(other) => show(visit, &pressed.looked, &Back::of(other, visit.now)?).await,
        }
    }

    async fn again(visit: &Visit<'_>, pressed: Pressed, back: Back) -> Outcome {
        if let Some(person) = account(&pressed.person) {
            return groups::ask(visit, &person, Some(&pressed.groups), &back).await;
        }
        show(visit, &pressed.looked, &back).await
    }
}

impl Looked {
    fn waiting(&self) -> bool {
        self.state == "waiting"
    }

    /// The path of this part of the list, to say what was done.
    fn path(&self, done: Option<Done>) -> String {
        let state = if self.waiting() { "waiting" } else { "" };
        let values = [
            ("q", self.sought.as_str()),
            ("state", state),
            ("after", self.after.as_str()),
            ("done", done.map_or("", Done::name)),
        ];
        let mut path = HERE.to_owned();
        for (name, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
            path.push(if path == HERE { '?' } else { '&' });
            path.push_str(&format!("{name}={}", encoded(value)));
        }
        path
    }
}

/// A value of the query without what no name holds: PostgreSQL takes no NUL.
fn plain(visit: &Visit<'_>, name: &str) -> String {
    visit.query(name).chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

fn account(id: &str) -> Option<AccountId> {
    (!id.is_empty()).then(|| AccountId(id.into()))
}

/// Several ids, joined by dots.
fn several(ids: &str) -> Vec<AccountId> {
    let plain = |id: &&str| !id.is_empty() && id.len() <= LONGEST && !id.contains(|c: char| c.is_control());
    ids.split('.').filter(plain).take(A_PAGE).map(|id| AccountId(id.into())).collect()
}

/// Who was let in or gone meanwhile is left alone. The last one's row: the others come before it.
async fn decline_all(administration: &Administration, ids: &[AccountId], now: UnixMillis) -> Result<RowId, Refusal> {
    let mut last = Err(Refusal::Stale);
    for id in ids {
        match administration.decline(id, now).await {
            Err(Refusal::Stale) => {}
            other => last = Ok(other?),
        }
    }
    last
}

async fn waits(visit: &Visit<'_>, id: &AccountId) -> Result<bool, Refusal> {
    Ok(visit.room.identity.account(id).await?.is_some_and(|account| account.waiting_since.is_some()))
}

async fn show(visit: &Visit<'_>, looked: &Looked, back: &Back) -> Outcome {
    let administration = visit.administration().await?;
    let sought: String = looked.sought.trim().chars().take(LONGEST).collect();
    let mut people = administration.people(&sought, looked.waiting(), &looked.after, ASKED).await?;
    let more = people.len() > A_PAGE;
    people.truncate(A_PAGE);
    let words: Vec<_> = people.iter().map(|person| (person.name(), person.groups.join(", "))).collect();
    let lines: Vec<_> = people.iter().zip(&words).map(|(person, words)| line(person, words, &administration)).collect();
    let next = people.last().filter(|_| more).map(|last| {
        let next = Looked { sought: sought.clone(), state: looked.state.clone(), after: last.username.clone() };
        next.path(None)
    });
    let view = templates::page::People {
        frame: visit.frame(),
        lines: &lines,
        sought: &sought,
        only_waiting: looked.waiting(),
        waiting: administration.waiting().await?,
        after: &looked.after,
        more: next.as_deref(),
        now: visit.now.0,
        notice: Done::parse(&visit.query("done")).map(Done::notice),
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

fn line<'l>(
    person: &'l Account,
    (name, groups): &'l (String, String),
    administration: &Administration,
) -> PersonLine<'l> {
    PersonLine {
        id: &person.id.0,
        name,
        username: &person.username,
        email: &person.email,
        email_confirmed: person.email_confirmed,
        groups,
        standing: match (person.waiting_since, person.disabled) {
            (Some(since), _) => Standing::Waiting(since.0),
            (None, true) => Standing::Disabled,
            (None, false) => Standing::Active,
        },
        last_seen: person.last_seen_at.map(|at| at.0),
        own: person.id == *administration.id(),
    }
}

/// Declining cannot be undone: it is asked once more.
async fn ask_to_decline(visit: &Visit<'_>, ids: &[AccountId]) -> Outcome {
    visit.administration().await?;
    let mut people = Vec::with_capacity(ids.len());
    for id in ids {
        let person = visit.room.identity.account(id).await?;
        people.extend(person.filter(|person| person.waiting_since.is_some()));
    }
    let joined = people.iter().map(|person| &*person.id.0).collect::<Vec<_>>().join(".");
    if !people.is_empty() && !visit.recent() {
        return Ok(visit.confirm_first(&format!("{HERE}?decline={}", encoded(&joined))));
    }
    let [person] = people.as_slice() else {
        if people.is_empty() {
            return Ok(visit.to_page(&Looked::default().path(Some(Done::Changed))));
        }
        let lines: Vec<_> =
            people.iter().map(|person| (person.name(), person.username.as_str(), person.email.as_str())).collect();
        let view = DeclinePeople { frame: visit.frame(), ids: &joined, people: &lines };
        return Ok(visit.page(StatusCode::OK, Guard::Page, view.render()));
    };
    let view = DeclinePerson {
        frame: visit.frame(),
        id: &person.id.0,
        name: &person.name(),
        username: &person.username,
        email: &person.email,
    };
    Ok(visit.page(StatusCode::OK, Guard::Page, view.render()))
}

const HERE: &str = "admin/people";
const A_PAGE: usize = templates::page::People::A_PAGE;
/// One more than shown tells whether there are more.
const ASKED: u32 = 26;
const _: () = assert!(ASKED as usize == A_PAGE + 1);
/// Characters that are searched for.
const LONGEST: usize = 100;
const LAST_ADMINISTRATOR: &str = "That is the last administrator here. Make somebody else one first.";
