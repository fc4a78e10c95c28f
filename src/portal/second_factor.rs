//! `second-factor`: what guards the account besides the password; and `second-factor/disable`, which asks the password.

use http::StatusCode;
use secrecy::SecretString;
use templates::{Alert, Notice, page::Other};

use super::{
    Settings,
    done::Done,
    factors,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::Outcome,
    visit::{Bound, Visit, encoded},
};
use crate::{
    config::site::{Allow, Rule},
    identity::{MOST_PASSKEYS, Refusal, account::Account},
    inbound::answer::Answer,
};

/// The list.
pub(super) async fn get(visit: &Visit<'_>) -> Outcome {
    let account = visit.account().await?;
    let passkeys = visit.room.identity.passkeys(&account.id).await?;
    let lines = factors::lines(&account, &passkeys);
    let ways = visit.room.identity.ways(&account);
    let ways: Vec<_> = ways.iter().map(|way| Other { name: &way.name, factor: factors::of_way(way) }).collect();
    let wanted = visit.query("reason") == "wanted";
    let label = visit.label(&visit.room.destinations.parse(&visit.query("return_to")));
    let notice = match Done::parse(&visit.query("done")) {
        Some(done) => Some(done.notice()),
        None if wanted => Some(Notice::FactorWanted(label.as_deref())),
        None => None,
    };
    let view = templates::page::SecondFactor {
        frame: visit.frame(),
        factors: &factors::borrowed(&lines),
        codes: !visit.room.identity.channels().is_empty(),
        recovery: if lines.is_empty() {
            None
        } else {
            Some(visit.room.identity.recovery_codes_left(&account.id).await?)
        },
        apps: visit.room.identity.offers_apps(),
        passkeys: visit.room.identity.offers_passkeys() && passkeys.len() < MOST_PASSKEYS,
        push: visit.room.identity.offers_push(),
        ways: &ways,
        notice,
        alert: None,
    };
    Ok(visit.page(StatusCode::OK, Guard::Page, view.render()))
}

/// `second-factor/disable`
pub(super) struct Disable;

/// Its form.
pub(super) struct Typed {
    password: SecretString,
    factor: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { password: sent.secret("password"), factor: sent.text("factor") }
    }
}

impl Page for Disable {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let factor = visit.query("factor");
        if visit.recent() { show(visit, &factor, &Back::fresh()).await } else { Ok(confirm_first(visit, &factor)) }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        if !visit.recent() {
            return Ok(confirm_first(visit, &typed.factor));
        }
        let live = visit.signed_in()?;
        let identity = &visit.identity();
        let account = &live.record.account;
        let proof = match identity.check_password(account, &typed.password, &visit.view.client, visit.now).await {
            Ok(proof) => proof,
            Err(Refusal::Mismatch) => {
                let back = Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::WrongPassword);
                return show(visit, &typed.factor, &back).await;
            }
            Err(other) => return show(visit, &typed.factor, &Back::of(other, visit.now)?).await,
        };
        let own = &proof.account().factors;
        if own.len() == 1 && demanded(visit, proof.account()) {
            // The page says why.
            return show(visit, &typed.factor, &Back::alert(StatusCode::FORBIDDEN, Alert::FactorDemanded)).await;
        }
        // A form without (or with an old) id still means the one factor there is.
        let only = if own.len() == 1 { own.first() } else { None };
        let factor = own.iter().find(|own| own.id == typed.factor).or(only).map(|own| own.id.clone());
        let done = if own.len() > 1 { Done::Less } else { Done::Off };
        let row =
            identity.disable_factor(&proof, &factor.unwrap_or_default(), Some(&live.record.sid.0), visit.now).await?;
        visit.factors_changed(live, proof, row, done).await
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        show(visit, &typed.factor, &back).await
    }
}

/// `second-factor/first`: which way is asked first at sign-in.
pub(super) struct AskFirst;

/// Its form.
pub(super) struct Way {
    factor: String,
}

impl Fields for Way {
    fn take(sent: &mut Sent) -> Self {
        Self { factor: sent.text("factor") }
    }
}

impl Page for AskFirst {
    const BOUND: Bound = Bound::Session;
    type Fields = Way;

    async fn get(visit: &Visit<'_>) -> Outcome {
        Ok(visit.to_page("second-factor"))
    }

    async fn post(visit: &Visit<'_>, form: Form<Way>) -> Outcome {
        let way = form.into_fields();
        let live = visit.signed_in()?;
        // Whoever finds a session open shall not lead its owner's next sign-in to a weaker way.
        if !visit.recent() {
            return Ok(visit.confirm_first("second-factor"));
        }
        match visit.identity().ask_first(&live.record.account, &way.factor, visit.now).await {
            Ok(()) => Ok(visit.to_page(&format!("second-factor?done={}", Done::AskedFirst.name()))),
            // Gone meanwhile: the list says what there is.
            Err(Refusal::Fields(_)) => Ok(visit.to_page("second-factor")),
            Err(other) => Err(other.into()),
        }
    }

    async fn again(visit: &Visit<'_>, _typed: Way, _back: Back) -> Outcome {
        Ok(visit.to_page("second-factor"))
    }
}

/// Whether a group, or the rule of a site that such people may use, asks them for a second factor.
fn demanded(visit: &Visit<'_>, account: &Account) -> bool {
    let Settings { sites, two_factor_groups, .. } = &visit.room.settings;
    let of_theirs =
        |rule: &Rule| rule.groups.is_empty() || rule.groups.iter().any(|group| account.groups.contains(group));
    let rules = || sites.iter().flat_map(|site| &site.rules).filter(|rule| rule.allow == Allow::TwoFactor);
    two_factor_groups.binds(&account.groups) || rules().any(of_theirs)
}

fn confirm_first(visit: &Visit<'_>, factor: &str) -> Answer {
    visit.confirm_first(&format!("second-factor/disable?factor={}", encoded(factor)))
}

async fn show(visit: &Visit<'_>, factor: &str, back: &Back) -> Outcome {
    let account = visit.account().await?;
    let passkeys = visit.room.identity.passkeys(&account.id).await?;
    let lines = factors::lines(&account, &passkeys);
    // A link without (or with an old) id still means the one factor there is.
    let only = if lines.len() == 1 { lines.first() } else { None };
    let Some(line) = lines.iter().find(|line| line.id() == factor).or(only) else {
        return Ok(visit.to_page("second-factor"));
    };
    let view = templates::page::DisableFactor {
        frame: visit.frame(),
        factor: line.borrowed(),
        last: lines.len() == 1,
        demanded: demanded(visit, &account),
        username: &account.username,
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}
