//! `register` and `register/sent`: a new account. The page after is the same for a free and a taken address.
//!
//! Who brings an invitation (`?invitation=`) registers whatever holds for others, but where registration is closed. GET
//! consumes nothing of it.

use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    return_to::ReturnTo,
    stop::Outcome,
    trouble,
    visit::{Bound, Visit},
};
use crate::{
    identity::{Invited, NewAccount, Refusal, Registered},
    inbound::answer::Answer,
};

/// The page.
pub(super) struct Register;

/// Most of the forms of `register` and `setup`.
pub(super) struct Person {
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) password: SecretString,
    pub(super) password_confirm: SecretString,
}

/// The form of `register`.
pub(super) struct Newcomer {
    /// Empty for who comes without.
    invitation: String,
    person: Person,
}

impl Fields for Newcomer {
    fn take(sent: &mut Sent) -> Self {
        Self { invitation: sent.text("invitation"), person: Person::take(sent) }
    }
}

impl Fields for Person {
    fn take(sent: &mut Sent) -> Self {
        Self {
            first_name: sent.text("first_name"),
            last_name: sent.text("last_name"),
            username: sent.text("username"),
            email: sent.text("email"),
            password: sent.secret("password"),
            password_confirm: sent.secret("password_confirm"),
        }
    }
}

impl Person {
    /// Nothing typed yet.
    pub(super) fn empty() -> Self {
        Self::take(&mut Sent::default())
    }

    /// For the identity room; the form keeps what it may show again.
    pub(super) fn account(&self) -> NewAccount {
        NewAccount {
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            username: self.username.clone(),
            email: self.email.clone(),
            password: self.password.clone(),
            password_confirm: self.password_confirm.clone(),
        }
    }
}

impl Page for Register {
    const BOUND: Bound = Bound::Flow;
    type Fields = Newcomer;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let typed = Newcomer { invitation: visit.query("invitation"), person: Person::empty() };
        look(visit, typed, &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Newcomer>) -> Outcome {
        let typed = form.into_fields();
        let (identity, account, client) = (visit.identity(), typed.person.account(), &visit.view.client);
        let (invited, registered) = match typed.invitation.as_str() {
            "" => (None, identity.register(account, client, visit.now).await),
            token => identity.register_invited(token, account, client, visit.now).await,
        };
        match registered {
            Ok(Registered::Active(_)) => Ok(visit.to_sign_in(Done::Ready, &ReturnTo::root())),
            Ok(Registered::Waiting) => Ok(visit.to_sign_in(Done::Waiting, &ReturnTo::root())),
            Ok(Registered::MailSent) if typed.invitation.is_empty() => Ok(visit.to_page("register/sent")),
            Ok(Registered::MailSent) => Ok(visit.to_page("register/sent?invited=1")),
            Err(Refusal::DeadLink) => Ok(dead(visit)),
            Err(refusal) => {
                let back = Back::of(refusal, visit.now)?;
                if typed.invitation.is_empty() {
                    return look(visit, typed, &back).await;
                }
                // What was found is not looked for again: that would count once more, and might lose what was typed.
                Ok(invited_form(visit, typed, invited, &back))
            }
        }
    }

    async fn again(visit: &Visit<'_>, typed: Newcomer, back: Back) -> Outcome {
        if typed.invitation.is_empty() {
            return look(visit, typed, &back).await;
        }
        // The next form says whether the invitation is one.
        Ok(invited_form(visit, typed, None, &back))
    }
}

/// The form of somebody who brings an invitation; `None` where it was not looked for.
fn invited_form(visit: &Visit<'_>, mut typed: Newcomer, invited: Option<Invited>, back: &Back) -> Answer {
    let address = invited.and_then(|invited| invited.email);
    let bound = address.is_some();
    if let Some(email) = address {
        typed.person.email = email;
    }
    show(visit, &typed, bound, back)
}

/// The form, for who may register.
async fn look(visit: &Visit<'_>, typed: Newcomer, back: &Back) -> Outcome {
    let identity = &visit.room.identity;
    if typed.invitation.is_empty() {
        identity.may_register().await?;
        return Ok(show(visit, &typed, false, back));
    }
    match identity.invitation(&typed.invitation, &visit.view.client, visit.now).await {
        Ok(invited) => Ok(invited_form(visit, typed, Some(invited), back)),
        Err(Refusal::DeadLink) => Ok(dead(visit)),
        Err(other) => Err(other.into()),
    }
}

/// `register/sent`
pub(super) fn sent(visit: &Visit<'_>) -> Answer {
    // Words of a closed set: a link from elsewhere can only leave one sentence out.
    let approved = visit.room.identity.approves() && visit.query("invited").is_empty();
    let view = templates::page::RegisterSent { frame: visit.frame(), approved, lives: LIVES };
    visit.page(StatusCode::OK, Guard::Page, view.render())
}

fn show(visit: &Visit<'_>, newcomer: &Newcomer, bound: bool, back: &Back) -> Answer {
    let (token, typed) = (newcomer.invitation.as_str(), &newcomer.person);
    let view = templates::page::Register {
        frame: visit.frame(),
        invited: (!token.is_empty()).then_some(templates::page::Invited { token, bound }),
        approved: visit.room.identity.approves(),
        first_name: &typed.first_name,
        last_name: &typed.last_name,
        username: &typed.username,
        email: &typed.email,
        min_length: visit.room.identity.password_min_length(),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    let guard = if token.is_empty() { Guard::Page } else { Guard::Token };
    back.finish(visit.page(back.status, guard, view.render()))
}

fn dead(visit: &Visit<'_>) -> Answer {
    trouble::dead_link(visit, templates::page::Link::Invitation)
}

/// How long a confirmation link works.
const LIVES: Duration = Duration::from_hours(24);
