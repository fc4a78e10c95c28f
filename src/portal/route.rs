//! From a path to its page, and what holds for all of them: methods, who may look, where the request came from.

use std::sync::Arc;

use http::Method;

use super::{
    Problem, activity, address,
    app::App,
    assets, change_password_redirect, check,
    confirm::Confirm,
    edit::Edit,
    email, export,
    forgotten::Forgotten,
    form::{self, Unread},
    headless,
    invitations::Invitations,
    jwks,
    leave::Leave,
    me,
    page::{Back, Page as _},
    passkey::{self, Passkey},
    password::Password,
    people::People,
    phone::{self, Phone},
    profile,
    push::Push,
    recovery::Recovery,
    register::{self, Register},
    reset::Reset,
    second_factor::{self, AskFirst, Disable},
    sessions::Sessions,
    setup::Setup,
    sign_in::{self, SignIn},
    sign_out::SignOut,
    stop::Outcome,
    tokens::Tokens,
    verify::{self, Verify},
    visit::{Bound, Room, Visit},
};
use crate::{
    inbound::{Request, View, answer::Answer},
    policy::{Page, Subject},
};
use hyper::body::Incoming;

/// Which page a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'p> {
    Front,
    SignIn,
    Verify,
    VerifySend,
    PasskeySignIn,
    SignOut,
    Register,
    RegisterSent,
    Confirm,
    AddressAsk,
    AddressConfirm,
    Leave,
    Export,
    EmailAsk,
    EmailChange,
    EmailUndo,
    Setup,
    Profile,
    Edit,
    Password,
    Forgotten,
    Reset,
    SecondFactor,
    App,
    Recovery,
    Passkey,
    Push,
    AskFirst,
    Phone,
    PhoneSend,
    Disable,
    Sessions,
    Tokens,
    Activity,
    People,
    Invitations,
    Me,
    Check,
    Jwks,
    Asset(&'p str),
    ChangePassword,
    /// Paths of other sites' hosts that only lead to the portal's.
    Elsewhere,
}

/// Serves one page.
pub(super) async fn serve(room: &Room, request: Request, subject: Subject, page: &Page) -> Answer {
    let Request { view, parts, body } = request;
    let Some(route) = Route::of(page) else { return room.problem(Some(&view), &Problem::NotFound) };
    let allow = route.methods();
    if route != Route::Check && !allow.split(", ").any(|method| method == view.method.as_str()) {
        return room.problem(Some(&view), &Problem::Method(allow));
    }
    if route.is_document() && !asked_as_document(&view) {
        let problem = Problem::Forbidden { name: String::new(), wanted: "opening in a tab of its own".into() };
        return room.problem(Some(&view), &problem);
    }
    if let Subject::Unknown = subject
        && route.needs_session_store()
    {
        return room.problem(Some(&view), &Problem::Resting(super::stop::RESTING));
    }
    let problem_view = Arc::clone(&view);
    match Visit::new(room, (view, parts.headers), subject, page.on_portal_host, (route.bound(), route.token_in_url())) {
        Ok(visit) => {
            let answer = answer(route, &visit, body).await;
            headless(&visit.view, answer.unwrap_or_else(|stop| visit.stopped(stop)))
        }
        Err(error) => {
            tracing::error!(request_id = problem_view.id.as_str(), %error, "a page failed");
            room.problem(Some(&problem_view), &Problem::Internal)
        }
    }
}

async fn answer(route: Route<'_>, visit: &Visit<'_>, body: Incoming) -> Outcome {
    if route.needs_session() {
        // Policy has seen to it; a page that forgot to ask would still be closed.
        visit.signed_in()?;
    }
    match route {
        Route::Front => Ok(visit.to_page("profile")),
        Route::SignIn => form_page::<SignIn>(visit, body).await,
        Route::Verify => form_page::<Verify>(visit, body).await,
        Route::VerifySend => form_page::<verify::Send>(visit, body).await,
        Route::PasskeySignIn => form_page::<passkey::Alone>(visit, body).await,
        Route::SignOut => form_page::<SignOut>(visit, body).await,
        Route::Register => form_page::<Register>(visit, body).await,
        Route::RegisterSent => Ok(register::sent(visit)),
        Route::Confirm => form_page::<Confirm>(visit, body).await,
        Route::AddressAsk => form_page::<address::Ask>(visit, body).await,
        Route::AddressConfirm => form_page::<address::Confirm>(visit, body).await,
        Route::Export => export::get(visit).await,
        Route::Leave => form_page::<Leave>(visit, body).await,
        Route::EmailAsk => form_page::<email::Ask>(visit, body).await,
        Route::EmailChange => form_page::<email::Change>(visit, body).await,
        Route::EmailUndo => form_page::<email::Undo>(visit, body).await,
        Route::Setup => form_page::<Setup>(visit, body).await,
        Route::Profile => profile::get(visit).await,
        Route::Edit => form_page::<Edit>(visit, body).await,
        Route::Password => form_page::<Password>(visit, body).await,
        Route::Forgotten => form_page::<Forgotten>(visit, body).await,
        Route::Reset => form_page::<Reset>(visit, body).await,
        Route::SecondFactor => second_factor::get(visit).await,
        Route::Recovery => form_page::<Recovery>(visit, body).await,
        Route::Passkey => form_page::<Passkey>(visit, body).await,
        Route::Push => form_page::<Push>(visit, body).await,
        Route::AskFirst => form_page::<AskFirst>(visit, body).await,
        Route::App => form_page::<App>(visit, body).await,
        Route::Phone => form_page::<Phone>(visit, body).await,
        Route::PhoneSend => form_page::<phone::Send>(visit, body).await,
        Route::Disable => form_page::<Disable>(visit, body).await,
        Route::Sessions => form_page::<Sessions>(visit, body).await,
        Route::Tokens => form_page::<Tokens>(visit, body).await,
        Route::Activity => activity::get(visit).await,
        Route::People => form_page::<People>(visit, body).await,
        Route::Invitations => form_page::<Invitations>(visit, body).await,
        Route::Me => Ok(me::get(visit)),
        Route::Check => Ok(check::get(visit)),
        Route::Jwks => Ok(jwks::get(visit)),
        Route::Asset(name) => Ok(assets::get(visit, name)),
        Route::ChangePassword => Ok(change_password_redirect::get(visit)),
        Route::Elsewhere => Ok(sign_in::elsewhere(visit)),
    }
}

/// GET shows; POST needs the proof.
async fn form_page<P: super::page::Page>(visit: &Visit<'_>, body: Incoming) -> Outcome {
    if visit.view.method != Method::POST {
        return P::get(visit).await;
    }
    match form::read::<P::Fields, _>(visit, body).await {
        Ok(form) => P::post(visit, form).await,
        Err(Unread::Broken(broken)) => Ok(visit.broken(broken)),
        Err(Unread::Forged(typed, forgery)) => {
            tracing::info!(
                target: "vestibule::audit",
                event = "form-refused",
                request_id = visit.view.id.as_str(),
                network = %visit.view.client.network(),
                ?forgery,
                page = &*visit.view.target.path,
                "a form was not taken"
            );
            P::again(visit, typed, Back::forged(visit, forgery)).await
        }
    }
}

/// Whether a path under `portal.path` is no page at all: who is not signed in hears that at once.
pub(super) fn is_nowhere(path: &str, on_portal_host: bool) -> bool {
    Route::of(&Page { path: path.to_owned(), on_portal_host }).is_none()
}

impl<'p> Route<'p> {
    fn of(page: &'p Page) -> Option<Self> {
        let path = page.path.as_str();
        let everywhere = match path {
            "logout" => Some(Self::SignOut),
            "me" => Some(Self::Me),
            "check" => Some(Self::Check),
            _ => path.strip_prefix("assets/").map(Self::Asset),
        };
        if everywhere.is_some() || !page.on_portal_host {
            return everywhere.or((path == "login").then_some(Self::Elsewhere));
        }
        Some(match path {
            "" => Self::Front,
            "login" => Self::SignIn,
            "login/verify" => Self::Verify,
            "login/verify/send" => Self::VerifySend,
            "login/passkey" => Self::PasskeySignIn,
            "register" => Self::Register,
            "register/sent" => Self::RegisterSent,
            "register/confirm" => Self::Confirm,
            "profile/confirm" => Self::AddressAsk,
            "email/confirm" => Self::AddressConfirm,
            "profile/delete" => Self::Leave,
            "profile/data" => Self::Export,
            "profile/email" => Self::EmailAsk,
            "email/change" => Self::EmailChange,
            "email/undo" => Self::EmailUndo,
            "setup" => Self::Setup,
            "profile" => Self::Profile,
            "profile/edit" => Self::Edit,
            "password" => Self::Password,
            "password/forgot" => Self::Forgotten,
            "password/reset" => Self::Reset,
            "second-factor" => Self::SecondFactor,
            "second-factor/app" => Self::App,
            "second-factor/recovery-codes" => Self::Recovery,
            "second-factor/passkey" => Self::Passkey,
            "second-factor/push" => Self::Push,
            "second-factor/first" => Self::AskFirst,
            "second-factor/phone" => Self::Phone,
            "second-factor/phone/send" => Self::PhoneSend,
            "second-factor/disable" => Self::Disable,
            "sessions" => Self::Sessions,
            "tokens" => Self::Tokens,
            "activity" => Self::Activity,
            "admin/people" => Self::People,
            "admin/invitations" => Self::Invitations,
            "jwks.json" => Self::Jwks,
            ".well-known/change-password" => Self::ChangePassword,
            _ => return None,
        })
    }

    /// For `Allow`. `check` answers every method: some gateways ask with the original one.
    fn methods(self) -> &'static str {
        match self {
            Self::Front
            | Self::RegisterSent
            | Self::Profile
            | Self::Export
            | Self::SecondFactor
            | Self::Activity
            | Self::Me
            | Self::Check
            | Self::Jwks
            | Self::Asset(_)
            | Self::ChangePassword => "GET, HEAD",
            _ => "GET, HEAD, POST",
        }
    }

    fn needs_session(self) -> bool {
        match self {
            Self::Front
            | Self::Profile
            | Self::Edit
            | Self::AddressAsk
            | Self::Leave
            | Self::Export
            | Self::EmailAsk
            | Self::Password
            | Self::SecondFactor
            | Self::App
            | Self::Recovery
            | Self::Passkey
            | Self::Push
            | Self::AskFirst
            | Self::Phone
            | Self::PhoneSend
            | Self::Disable
            | Self::Sessions
            | Self::Tokens
            | Self::Activity
            | Self::People
            | Self::Invitations => true,
            Self::SignIn
            | Self::Verify
            | Self::VerifySend
            | Self::PasskeySignIn
            | Self::SignOut
            | Self::Register
            | Self::RegisterSent
            | Self::Confirm
            | Self::AddressConfirm
            | Self::EmailChange
            | Self::EmailUndo
            | Self::Setup
            | Self::Forgotten
            | Self::Reset
            | Self::Me
            | Self::Check
            | Self::Jwks
            | Self::Asset(_)
            | Self::ChangePassword
            | Self::Elsewhere => false,
        }
    }

    /// Whether an answer would be a lie while the session store is away.
    fn needs_session_store(self) -> bool {
        self.needs_session()
            || matches!(
                self,
                Self::SignIn
                    | Self::Verify
                    | Self::VerifySend
                    | Self::PasskeySignIn
                    | Self::SignOut
                    | Self::Me
                    | Self::Check
            )
    }

    fn is_document(self) -> bool {
        !matches!(self, Self::Me | Self::Check | Self::Jwks | Self::Asset(_))
    }

    /// Links from mails and from the terminal. The form of an invitation goes to where everybody's goes.
    fn token_in_url(self) -> bool {
        matches!(
            self,
            Self::Register
                | Self::Confirm
                | Self::AddressConfirm
                | Self::EmailChange
                | Self::EmailUndo
                | Self::Setup
                | Self::Reset
        )
    }

    fn bound(self) -> Bound {
        match self {
            Self::SignIn => SignIn::BOUND,
            Self::Verify => Verify::BOUND,
            Self::VerifySend => verify::Send::BOUND,
            Self::PasskeySignIn => passkey::Alone::BOUND,
            Self::Register => Register::BOUND,
            Self::RegisterSent => Bound::Flow,
            Self::Confirm => Confirm::BOUND,
            Self::AddressAsk => address::Ask::BOUND,
            Self::AddressConfirm => address::Confirm::BOUND,
            Self::EmailChange => email::Change::BOUND,
            Self::EmailUndo => email::Undo::BOUND,
            Self::Setup => Setup::BOUND,
            Self::Forgotten => Forgotten::BOUND,
            Self::Reset => Reset::BOUND,
            _ => Bound::Session,
        }
    }
}

/// Fetch metadata: pages are for tabs, not for scripts of a site on the same host, nor for frames.
fn asked_as_document(view: &View) -> bool {
    view.fetch.dest.as_deref().is_none_or(|dest| dest == "document")
}
