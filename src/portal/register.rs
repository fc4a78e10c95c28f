//! `register` and `register/sent`: a new account. The page after is the same for a free and a taken address.

use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    return_to::ReturnTo,
    stop::{Outcome, Stop},
    visit::{Bound, Visit},
};
use crate::{
    identity::{NewAccount, Refusal, Registered},
    inbound::answer::Answer,
};

/// The page.
pub(super) struct Register;

/// The form of `register`, and most of `setup`'s.
pub(super) struct Person {
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) password: SecretString,
    pub(super) password_confirm: SecretString,
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
    type Fields = Person;

    async fn get(visit: &Visit<'_>) -> Outcome {
        if !visit.room.identity.registration_open() {
            return Err(Stop::Refused(Refusal::Closed));
        }
        Ok(show(visit, &Person::empty(), &Back::fresh()))
    }

    async fn post(visit: &Visit<'_>, form: Form<Person>) -> Outcome {
        let typed = form.into_fields();
        match visit.identity().register(typed.account(), &visit.view.client, visit.now).await {
            Ok(Registered::Active(_)) => Ok(visit.to_sign_in(Done::Ready, &ReturnTo::root())),
            Ok(Registered::MailSent) => Ok(visit.to_page("register/sent")),
            Err(refusal) => {
                let back = Back::of(refusal, visit.now)?;
                Ok(show(visit, &typed, &back))
            }
        }
    }

    async fn again(visit: &Visit<'_>, typed: Person, back: Back) -> Outcome {
        if !visit.room.identity.registration_open() {
            return Err(Stop::Refused(Refusal::Closed));
        }
        Ok(show(visit, &typed, &back))
    }
}

/// `register/sent`
pub(super) fn sent(visit: &Visit<'_>) -> Answer {
    let view = templates::page::RegisterSent { frame: visit.frame(), lives: LIVES };
    visit.page(StatusCode::OK, Guard::Page, view.render())
}

fn show(visit: &Visit<'_>, typed: &Person, back: &Back) -> Answer {
    let view = templates::page::Register {
        frame: visit.frame(),
        first_name: &typed.first_name,
        last_name: &typed.last_name,
        username: &typed.username,
        email: &typed.email,
        min_length: visit.room.identity.password_min_length(),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    back.finish(visit.page(back.status, Guard::Page, view.render()))
}

/// How long a confirmation link works.
const LIVES: Duration = Duration::from_hours(24);
