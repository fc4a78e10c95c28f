//! `second-factor/recovery-codes`: how many are left, and new ones.
//!
//! The codes are the answer to the POST that made them, and stand nowhere else: after a redirect they would have to be kept
//! somewhere in between.

use http::StatusCode;

use super::{
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::Outcome,
    visit::{Bound, Visit},
};
use crate::identity::Refusal;

/// The page.
pub(super) struct Recovery;

/// Its form has a button only.
pub(super) struct Pressed;

impl Fields for Pressed {
    fn take(_sent: &mut Sent) -> Self {
        Self
    }
}

impl Page for Recovery {
    const BOUND: Bound = Bound::Session;
    type Fields = Pressed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        if !visit.recent() {
            return Ok(visit.confirm_first(HERE));
        }
        show(visit, &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, _form: Form<Pressed>) -> Outcome {
        if !visit.recent() {
            return Ok(visit.confirm_first(HERE));
        }
        let account = &visit.signed_in()?.record.account;
        let codes = match visit.identity().make_recovery_codes(account, visit.now).await {
            Ok(codes) => codes,
            Err(Refusal::Stale) => return Ok(visit.to_page("second-factor")),
            Err(other) => return show(visit, &Back::of(other, visit.now)?).await,
        };
        let codes: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        let view = templates::page::RecoveryCodes { frame: visit.frame(), left: 10, codes: &codes, alert: None };
        Ok(visit.page(StatusCode::OK, Guard::Page, view.render()))
    }

    async fn again(visit: &Visit<'_>, _pressed: Pressed, back: Back) -> Outcome {
        show(visit, &back).await
    }
}

async fn show(visit: &Visit<'_>, back: &Back) -> Outcome {
    let account = visit.account().await?;
    if account.factors.is_empty() {
        return Ok(visit.to_page("second-factor"));
    }
    let left = visit.room.identity.recovery_codes_left(&account.id).await?;
    let view = templates::page::RecoveryCodes { frame: visit.frame(), left, codes: &[], alert: back.shown_alert() };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

const HERE: &str = "second-factor/recovery-codes";
