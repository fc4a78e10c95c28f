//! `profile/edit`: names, username (where it is the person's own choice), about me.

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::Outcome,
    visit::{Bound, Visit},
};
use crate::{
    identity::{ProfileEdit, account::Account},
    inbound::answer::Answer,
};

/// The page.
pub(super) struct Edit;

impl Fields for ProfileEdit {
    fn take(sent: &mut Sent) -> Self {
        Self {
            first_name: sent.text("first_name"),
            last_name: sent.text("last_name"),
            username: sent.text("username"),
            about_me: sent.text("about_me"),
        }
    }
}

impl Page for Edit {
    const BOUND: Bound = Bound::Session;
    type Fields = ProfileEdit;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let account = visit.account().await?;
        let typed = ProfileEdit {
            first_name: account.first_name.clone(),
            last_name: account.last_name.clone(),
            username: account.username.clone(),
            about_me: account.about_me.clone(),
        };
        Ok(show(visit, &typed, &account, &Back::fresh()))
    }

    async fn post(visit: &Visit<'_>, form: Form<ProfileEdit>) -> Outcome {
        let typed = form.into_fields();
        let live = visit.signed_in()?;
        match visit.identity().edit_profile(&live.record.account, typed.clone(), visit.now).await {
            Ok(row) => {
                visit.room.sessions.settled(row).await?;
                Ok(visit.to_page(&format!("profile?done={}", Done::Profile.name())))
            }
            Err(refusal) => {
                let back = Back::of(refusal, visit.now)?;
                Self::again(visit, typed, back).await
            }
        }
    }

    async fn again(visit: &Visit<'_>, typed: ProfileEdit, back: Back) -> Outcome {
        let account = visit.account().await?;
        Ok(show(visit, &typed, &account, &back))
    }
}

fn show(visit: &Visit<'_>, typed: &ProfileEdit, account: &Account, back: &Back) -> Answer {
    let view = templates::page::EditProfile {
        frame: visit.frame(),
        first_name: &typed.first_name,
        last_name: &typed.last_name,
        one_name: account.last_name.is_empty(),
        username: &typed.username,
        username_fixed: !account.chose_username,
        about_me: &typed.about_me,
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    back.finish(visit.page(back.status, Guard::Page, view.render()))
}
