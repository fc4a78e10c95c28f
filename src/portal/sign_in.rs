//! `login`: name and password.
//!
//! A right password alone opens nothing when a second factor is owed: then only a challenge is held under the flow
//! cookie, in a keyspace that `resume` never reads.

use http::StatusCode;
use secrecy::SecretString;
use templates::{Alert, Notice};

use super::{
    done::Done,
    factors::{self, Line},
    form::{Fields, Form, Sent},
    page::{Back, Page},
    reset,
    respond::{self, Guard},
    return_to::ReturnTo,
    stop::Outcome,
    verify,
    visit::{Bound, Visit, encoded},
};
use crate::{
    identity::{Refusal, SignIn as Step},
    inbound::answer::Answer,
    policy::Subject,
};

/// The page.
pub(super) struct SignIn;

/// Its form.
pub(super) struct Typed {
    identifier: String,
    password: SecretString,
    remember: bool,
    return_to: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            identifier: sent.text("identifier"),
            password: sent.secret("password"),
            remember: sent.flag("remember"),
            return_to: sent.text("return_to"),
        }
    }
}

impl Page for SignIn {
    const BOUND: Bound = Bound::Flow;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let to = visit.room.destinations.parse(&visit.query("return_to"));
        if visit.query("over") == "1" && visit.sent_from_here() {
            verify::drop_pending(visit).await?;
        }
        let again = visit.query("again") == "1" && !visit.recent();
        if visit.live().is_some() && !again {
            return Ok(respond::see_other(&to.location()));
        }
        let typed = Typed {
            identifier: String::new(),
            password: SecretString::from(""),
            remember: false,
            return_to: to.location(),
        };
        let notice = if again { Some(Notice::ConfirmItsYou) } else { notice(visit) };
        let still_on = if notice == Some(Notice::PasswordReset) { reset::still_on(visit).await? } else { Vec::new() };
        show(visit, &typed, &to, notice, &still_on, &Back::fresh())
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        let to = visit.room.destinations.parse(&typed.return_to);
        let identity = &visit.room.identity;
        let refused =
            match identity.authenticate(&typed.identifier, &typed.password, &visit.view.client, visit.now).await {
                Ok(Step::Done(proof)) => return visit.enter(proof, typed.remember, &to).await,
                Ok(Step::Owed(challenge)) => return verify::begin(visit, *challenge, typed.remember, &to).await,
                Err(refused) => refused,
            };
        let back = match refused {
            Refusal::Mismatch => Back::alert(StatusCode::UNAUTHORIZED, Alert::Mismatch),
            Refusal::Unconfirmed => Back::alert(StatusCode::UNAUTHORIZED, Alert::Unconfirmed),
            Refusal::Waiting => Back::alert(StatusCode::UNAUTHORIZED, Alert::Waiting),
            other => Back::of(other, visit.now)?,
        };
        Self::again(visit, typed, back).await
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        let to = visit.room.destinations.parse(&typed.return_to);
        show(visit, &typed, &to, None, &[], &back)
    }
}

/// On another site's host there is no sign-in page: on to the portal's, and back to that host afterwards.
pub(super) fn elsewhere(visit: &Visit<'_>) -> Answer {
    let to = visit.room.destinations.parse(&visit.query("return_to"));
    let target = visit.room.destinations.absolute(&visit.view.authority.host, &to.location());
    respond::see_other(&visit.room.url_to(&format!("login?return_to={}", encoded(&target))))
}

/// The page again, after a passkey did not sign anybody in.
pub(super) fn after_passkey(visit: &Visit<'_>, remember: bool, return_to: &str, back: &Back) -> Outcome {
    let to = visit.room.destinations.parse(return_to);
    let typed =
        Typed { identifier: String::new(), password: SecretString::from(""), remember, return_to: to.location() };
    show(visit, &typed, &to, None, &[], back)
}

fn show(
    visit: &Visit<'_>,
    typed: &Typed,
    to: &ReturnTo,
    notice: Option<Notice<'_>>,
    still_on: &[Line],
    back: &Back,
) -> Outcome {
    let passkey = visit.room.identity.passkey_sign_in(visit.now)?;
    let label = visit.label(to);
    // The place to go back to is in the notice; the template knows it only when it renders.
    let notice = match notice {
        Some(Notice::SessionEnded(_)) => Some(Notice::SessionEnded(label.as_deref())),
        other => other,
    };
    let view = templates::page::SignIn {
        frame: visit.frame(),
        to_label: label.as_deref(),
        return_to: &to.location(),
        identifier: &typed.identifier,
        remember: typed.remember,
        remember_for: Some(visit.room.settings.remember).filter(|span| !span.is_zero()),
        can_register: visit.room.identity.registration_open(),
        notice,
        still_on: &factors::borrowed(still_on),
        passkey: passkey
            .as_ref()
            .map(|passkey| templates::page::PasskeySignIn { options: &passkey.options, ceremony: &passkey.ceremony }),
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::SignIn, view.render())))
}

fn notice(visit: &Visit<'_>) -> Option<Notice<'static>> {
    match (Done::parse(&visit.query("done")), &visit.subject) {
        (Some(done), _) => Some(done.notice()),
        (None, Subject::Anonymous { ended: true }) => Some(Notice::SessionEnded(None)),
        (None, _) => None,
    }
}
