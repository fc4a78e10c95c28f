//! `activity`: the account's own trail, in plain words.

use http::StatusCode;
use templates::page::{Activity, ActivityLine};

use super::{respond::Guard, stop::Outcome, visit::Visit};
use crate::identity::trail::{self, Event, Recorded};

/// The page.
pub(super) async fn get(visit: &Visit<'_>) -> Outcome {
    let live = visit.signed_in()?;
    let before = visit.query("before").parse().ok();
    let mut entries = visit.room.identity.activity(&live.record.account, before, ASKED).await?;
    let more = entries.len() > Activity::A_PAGE;
    entries.truncate(Activity::A_PAGE);
    let words: Vec<_> = entries.iter().map(words).collect();
    let lines: Vec<_> = entries.iter().zip(&words).map(|(entry, words)| line(entry, words)).collect();
    let older = entries.last().filter(|_| more).map(|last| format!("activity?before={}", last.id));
    let view = Activity { frame: visit.frame(), lines: &lines, newest: before.is_none(), older: older.as_deref() };
    Ok(visit.page(StatusCode::OK, Guard::Page, view.render()))
}

fn line<'l>(entry: &'l Recorded, words: &'l str) -> ActivityLine<'l> {
    ActivityLine { words, refused: entry.refused, network: &entry.network, at: entry.at.0 }
}

fn words(entry: &Recorded) -> String {
    let Some(event) = entry.event else { return "Something that this version has no words for".to_owned() };
    let plain = match event {
        Event::SignedIn => return format!("You signed in with {}", ways(&entry.detail)),
        Event::Confirmed => return format!("You confirmed that it's you with {}", ways(&entry.detail)),
        Event::SignInRefused => refusal(&entry.detail),
        Event::TokenMade => return format!("You made the access token {}", token(&entry.detail)),
        Event::TokenRevoked => return format!("You revoked the access token {}", token(&entry.detail)),
        Event::SignedOut => "You signed out",
        Event::SessionEnded => "You signed another device out",
        Event::OthersEnded => "You signed out everywhere else",
        Event::FactorAdded => return format!("You added a second factor: {}", factor(&entry.detail)),
        Event::FactorRemoved => return format!("You removed a second factor: {}", factor(&entry.detail)),
        Event::PasskeyRenamed => "You gave a passkey another name",
        Event::AskedFirstSet => "You chose what is asked first",
        Event::PasskeyCopied => "A passkey of yours counted backwards, as a copy would",
        Event::RecoveryCodesMade => "You made new recovery codes",
        Event::RecoveryCodeUsed => "A recovery code was used",
        Event::PasswordChanged => "You changed your password",
        Event::PasswordReset => "Your password was reset by a link from a mail",
        Event::ResetAsked => "Somebody asked for a link to reset your password",
        Event::EmailConfirmed => "You confirmed your e-mail address",
        Event::EmailChangeAsked => "You asked to change your e-mail address",
        Event::EmailChanged => "Your e-mail address was changed by the link to the new one",
        Event::EmailChangeUndone => "The change of your e-mail address was undone by the link to the old one",
        Event::TokensEnded => "Your access tokens ended, as somebody else might have made one",
        Event::DataTaken => "You downloaded your data",
        Event::ProfileChanged => "You changed your profile",
        Event::Registered => "You registered",
        Event::SetupUsed => "You set this site up",
        Event::Invited => "You registered with an invitation",
        Event::Approved => "The administrator approved your account",
        Event::Declined => "The administrator did not approve your account",
        Event::InvitationMade => "You made an invitation",
        Event::InvitationRevoked => "You revoked an invitation",
        Event::Added => "The administrator added your account",
        Event::Disabled => "The administrator disabled your account",
        Event::Enabled => "The administrator enabled your account",
        Event::Deleted => "The account was deleted",
        Event::GroupsSet => "The administrator changed your groups",
        Event::PasswordSet => "The administrator set your password",
        Event::FactorsReset => "The administrator turned your second factors off",
    };
    plain.to_owned()
}

/// What its owner calls it stands after its public name.
fn token(detail: &str) -> String {
    format!("\u{201c}{}\u{201d}", detail.split_once(' ').map_or("", |(_, name)| name))
}

fn refusal(why: &str) -> &'static str {
    match why {
        trail::WRONG_PASSWORD => "Somebody entered a wrong password",
        trail::WRONG_CODE => "Somebody who knew your password entered a wrong code",
        trail::WRONG_PASSKEY => "A passkey did not sign you in",
        trail::PUSH_DENIED => "Somebody who knew your password was turned away on your phone",
        trail::NO_TRIES => "Somebody who knew your password had no tries left for codes",
        trail::THROTTLED => "Somebody tried passwords too often",
        trail::DISABLED => "Somebody entered your password, while your account was disabled",
        _ => "Somebody could not sign in",
    }
}

fn ways(detail: &str) -> String {
    let ways: Vec<_> = detail.split(' ').map(way).collect();
    ways.join(" and ")
}

/// RFC 8176 in words.
fn way(amr: &str) -> &'static str {
    match amr {
        "pwd" => "your password",
        "sms" => "a code by message",
        "tel" => "a code by phone call",
        "otp" => "a one-time code",
        "hwk" => "a passkey",
        "swk" => "an approval on your phone",
        _ => "another way",
    }
}

fn factor(kind: &str) -> &'static str {
    match kind {
        "app" => "an authenticator app",
        "phone" => "codes to your phone",
        "email" => "codes to your e-mail address",
        "passkey" => "a passkey",
        "push" => "approvals on your phone",
        _ => "one of another kind",
    }
}

/// One more than shown tells whether there are older ones.
const ASKED: u32 = 51;
const _: () = assert!(ASKED as usize == Activity::A_PAGE + 1);
