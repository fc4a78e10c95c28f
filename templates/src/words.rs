//! The sentences that several pages share: notices, alerts, and the ways a code can travel.

use std::time::Duration;

use maud::{Markup, html};

use crate::time;

/// The way a code travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A text message.
    Sms,
    /// A voice call.
    Call,
    /// A WhatsApp message.
    Whatsapp,
    /// To the account's confirmed address.
    Email,
}

impl Channel {
    /// The value of the form field `channel`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
            Self::Whatsapp => "whatsapp",
            Self::Email => "email",
        }
    }

    /// As a choice: "Text message (SMS)".
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Sms => "Text message (SMS)",
            Self::Call => "Phone call",
            Self::Whatsapp => "WhatsApp message",
            Self::Email => "E-mail to your confirmed address",
        }
    }

    /// "by SMS"
    pub(crate) fn by(self) -> &'static str {
        match self {
            Self::Sms => "by SMS",
            Self::Call => "by phone call",
            Self::Whatsapp => "by WhatsApp",
            Self::Email => "by e-mail",
        }
    }

    /// As a button: "Send it by SMS".
    pub(crate) fn order(self) -> &'static str {
        match self {
            Self::Sms => "Send it by SMS",
            Self::Call => "Call me instead",
            Self::Whatsapp => "Send it by WhatsApp",
            Self::Email => "Send it by e-mail",
        }
    }

    /// "We sent a code by SMS to •••• 42."
    pub(crate) fn sent_to(self, masked: &str) -> Markup {
        html! {
            @if self == Self::Call { "We're calling " (masked) " to read you a code." }
            @else { "We sent a code " (self.by()) " to " (masked) "." }
        }
    }
}

/// A second factor in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor<'a> {
    /// Codes that travel.
    Code {
        /// How.
        channel: Channel,
        /// `•••• 42`
        masked: &'a str,
    },
    /// An authenticator app.
    App,
    /// A passkey.
    Passkey {
        /// What its owner calls it.
        name: &'a str,
    },
    /// Approvals on a telephone.
    Push {
        /// What its app called it.
        name: &'a str,
    },
}

impl<'a> Factor<'a> {
    /// Its name, as every page and mail calls it, in two parts: "Codes by SMS to" and "•••• 42".
    pub(crate) fn called(self) -> (String, &'a str) {
        match self {
            Self::Code { channel, masked } => (format!("Codes {} to", channel.by()), masked),
            Self::App => ("Codes of your".to_owned(), "authenticator app"),
            Self::Passkey { name } => ("Passkey".to_owned(), name),
            Self::Push { name } => ("Approvals on".to_owned(), name),
        }
    }
}

/// Good or neutral news, shown above the content (`role=status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// A known cookie expired: "Your session ended. Sign in to go back to …" (the label, if any).
    SessionEnded(Option<&'a str>),
    /// After `logout`.
    SignedOut,
    /// After `password/reset`.
    PasswordReset,
    /// After `password`.
    PasswordChanged {
        /// Access tokens that still work.
        tokens: usize,
    },
    /// After `register` without confirmation, and after `setup`.
    AccountReady,
    /// After `register/confirm`.
    EmailConfirmed,
    /// After registering where an administrator approves.
    AwaitsApproval,
    /// After `admin/people`: somebody was let in.
    PersonApproved,
    /// After `admin/people`: somebody was not let in.
    PersonDeclined,
    /// After `admin/people`.
    PersonDisabled,
    /// After `admin/people`.
    PersonEnabled,
    /// After `admin/people`: somebody is in other groups.
    PersonGroups,
    /// After `admin/people`: it changed meanwhile.
    PersonChanged,
    /// After `admin/invitations`.
    InvitationRevoked,
    /// After `admin/invitations`: it was used or revoked meanwhile.
    InvitationNotThere,
    /// After `profile/confirm`.
    ConfirmationSent,
    /// After `email/confirm`.
    AddressConfirmed,
    /// After `profile/email`.
    EmailChangeSent,
    /// After `email/change`.
    EmailChanged,
    /// After `email/undo`.
    EmailChangeUndone,
    /// After `profile/delete`.
    AccountDeleted,
    /// After `profile/edit`.
    ProfileSaved,
    /// After enrolling.
    FactorOn,
    /// After adding a passkey.
    PasskeyAdded,
    /// After adding a telephone that approves.
    PushAdded,
    /// After giving a passkey another name.
    PasskeyRenamed,
    /// After choosing what is asked first.
    AskedFirst,
    /// After disabling.
    FactorOff,
    /// After disabling one of several.
    FactorRemoved,
    /// A flow that had expired or belonged to another tab begins anew.
    StartedAnew,
    /// Something that guards the account is to be changed, and the last sign-in was long ago.
    ConfirmItsYou,
    /// A rule asks for a second factor and the person has none yet; the label of the place they wanted.
    FactorWanted(Option<&'a str>),
    /// A code was just sent again.
    SentAgain,
    /// Another code was just sent.
    NewCode,
    /// After `sessions`: one other session ended.
    DeviceSignedOut,
    /// After `sessions`: there was no such session (any more).
    DeviceNotThere,
    /// After `sessions`: all others ended.
    OthersSignedOut {
        /// Access tokens that still work.
        tokens: usize,
    },
    /// After `tokens`: one was revoked.
    TokenRevoked,
    /// After `tokens`: there was no such token (any more).
    TokenNotThere,
    /// SMS could not reach the number; a call is on its way.
    FellBackToCall,
}

impl Notice<'_> {
    pub(crate) fn words(&self) -> Markup {
        html! {
            @match self {
                Self::SessionEnded(Some(to)) => { "Your session ended. Sign in to go back to " (to) "." }
                Self::SessionEnded(None) => "Your session ended. Sign in to go on.",
                Self::SignedOut => "You are signed out.",
                Self::PasswordReset => "Your password is changed, and you are signed out everywhere. Sign in with the new one.",
                Self::PasswordChanged { tokens } => {
                    "Your password is changed. Your other devices are signed out." (tokens_left(*tokens))
                }
                Self::AccountReady => "Your account is ready. Sign in to begin.",
                Self::EmailConfirmed => "Your e-mail is confirmed and your account is ready. Sign in to begin.",
                Self::AwaitsApproval => "Your account is made. An administrator looks at it now; a mail tells you when you can sign in.",
                Self::PersonApproved => "They are approved and can sign in. A mail tells them.",
                Self::PersonDeclined => "They are declined. A mail tells them.",
                Self::PersonDisabled => "They are disabled, and signed out everywhere.",
                Self::PersonEnabled => "They can sign in.",
                Self::PersonGroups => "Their groups are changed.",
                Self::PersonChanged => "That changed meanwhile. Look again.",
                Self::InvitationRevoked => "That invitation is revoked.",
                Self::InvitationNotThere => "That invitation was used or revoked already.",
                Self::ConfirmationSent => "A mail is on its way to your address. Follow its link to confirm it.",
                Self::AddressConfirmed => "Your e-mail is confirmed.",
                Self::EmailChangeSent => "A mail is on its way to the new address. Follow its link within a day: your e-mail changes then.",
                Self::EmailChanged => "Your e-mail is changed.",
                Self::EmailChangeUndone => "The change is undone, every device is signed out, and access tokens no longer work. A mail is on its way to you: its link lets you choose a new password.",
                Self::AccountDeleted => "Your account is deleted, and you are signed out everywhere.",
                Self::ProfileSaved => "Your profile is saved.",
                Self::FactorOn => "Two-factor authentication is on. Next time we ask for a code after your password.",
                Self::PasskeyAdded => "Your passkey is added. Use it instead of your password, or after it.",
                Self::PushAdded => "Your phone is added. Next time we ask there after your password.",
                Self::PasskeyRenamed => "Your passkey has its new name.",
                Self::AskedFirst => "Next time we ask for that first.",
                Self::FactorOff => "Two-factor authentication is off. Your password alone signs you in now.",
                Self::FactorRemoved => "That is off. Your other factors still guard your account.",
                Self::StartedAnew => "That sign-in had run out or went on in another tab. Start again here.",
                Self::ConfirmItsYou => "To change how you sign in, sign in once more.",
                Self::FactorWanted(Some(to)) => {
                    strong { (to) } " asks for two-factor authentication. Enable it here, then go back."
                }
                Self::FactorWanted(None) => "That page asks for two-factor authentication. Enable it here, then go back.",
                Self::NewCode => "A new code is on its way.",
                Self::SentAgain => "It is on its way again. The code is the same as before.",
                Self::DeviceSignedOut => "That device is signed out.",
                Self::DeviceNotThere => "That device is not signed in here any more.",
                Self::OthersSignedOut { tokens } => { "You are signed out everywhere else." (tokens_left(*tokens)) }
                Self::TokenRevoked => "That token is revoked.",
                Self::TokenNotThere => "You have no such token any more.",
                Self::FellBackToCall => "A text message couldn't reach that number, so we're calling it instead.",
            }
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        !matches!(
            self,
            Self::SessionEnded(_)
                | Self::StartedAnew
                | Self::ConfirmItsYou
                | Self::FactorWanted(_)
                | Self::FellBackToCall
                | Self::DeviceNotThere
                | Self::PersonChanged
                | Self::InvitationNotThere
                | Self::TokenNotThere
                | Self::FactorOff
        )
    }
}

/// Who fears a thief has to know of what goes on. Both pages that say it stand beside `tokens`.
fn tokens_left(number: usize) -> Markup {
    html! { @if number > 0 { " " a href="tokens" { (still_work(number)) } "." } }
}

/// "3 access tokens still work"
pub(crate) fn still_work(number: usize) -> String {
    if number == 1 { "1 access token still works".to_owned() } else { format!("{number} access tokens still work") }
}

/// Why the form came back (`role=alert`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert<'a> {
    /// Wrong, unknown and disabled alike.
    Mismatch,
    /// The right password, but the address is not confirmed yet.
    Unconfirmed,
    /// The right password, but no administrator approved the account yet.
    Waiting,
    /// Too many tries until then (unix milliseconds).
    Throttled {
        /// When the next try counts.
        until: i64,
    },
    /// All hashing places are taken.
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The CSRF token did not fit: the page was old, or cookies changed.
    FormExpired,
    /// The flow no longer fits: it begins anew.
    StartOver,
    /// The current password is not right (change password, disable).
    WrongPassword,
    /// The last second factor cannot go: a group or a rule asks for one.
    FactorDemanded,
    /// Not the code.
    WrongCode {
        /// Tries left.
        left: u32,
    },
    /// A passkey's answer was not taken.
    PasskeyFailed,
    /// Nobody approved it on the telephone yet.
    PushPending,
    /// It was denied on the telephone.
    PushDenied {
        /// When it may be asked again.
        until: i64,
    },
    /// The question on the telephone ran out.
    PushGone,
    /// Asked again too early.
    PushTooEarly {
        /// How long to wait.
        wait: Duration,
    },
    /// The provider knows the telephone no more.
    PushUnreachable,
    /// While enrolling: the provider does not know the telephone yet.
    PushNotThere,
    /// The telephone was asked too often.
    PushLimit {
        /// When to try again, if known.
        until: Option<i64>,
    },
    /// The provider does not answer (or refuses our settings).
    PushDown {
        /// While the telephone is being added.
        adding: bool,
    },
    /// No more tries with this code.
    CodeSpent {
        /// When a new code may be asked for.
        until: i64,
    },
    /// The code expired or was used.
    CodeGone,
    /// "Send again" pressed too early.
    SentTooEarly {
        /// How long to wait.
        wait: Duration,
    },
    /// This channel cannot reach the number.
    Unreachable {
        /// The way tried.
        channel: Channel,
    },
    /// The provider does not take the number or address.
    BadDestination,
    /// Too many codes were sent to this number.
    SendLimit {
        /// When to try again, if known.
        until: Option<i64>,
    },
    /// The number is blocked.
    Blocked,
    /// Numbers like it are held back for a while, because of fraud elsewhere.
    HeldBack,
    /// Its country is not served.
    NotThatCountry,
    /// The provider of codes does not answer (or refuses our settings).
    CodesDown,
    /// The accounts database does not answer.
    StoreDown,
    /// Any other sentence.
    Say(&'a str),
}

impl Alert<'_> {
    /// The same on a page about a telephone that approves, where there is no code.
    pub(crate) fn without_codes(self, adding: bool) -> Self {
        match self {
            Self::CodesDown => Self::PushDown { adding },
            Self::SendLimit { until } => Self::PushLimit { until },
            other => other,
        }
    }

    pub(crate) fn words(&self) -> Markup {
        html! {
            @match self {
                Self::Mismatch => "That name and password don't match. Check both and try again.",
                Self::Unconfirmed => "Confirm your e-mail first: follow the link in the mail we sent you, then sign in.",
                Self::Waiting => "Your account is waiting for an administrator's approval. A mail tells you when you can sign in.",
                Self::Throttled { until } => { "Too many tries. Wait until " (time::minute(*until)) ", then try again." }
                Self::Busy { retry_after } => {
                    "Many people are signing in right now. Try again in " (time::span(*retry_after)) "."
                }
                Self::FormExpired => "This page had been open too long. Check what you typed and send it again.",
                Self::StartOver => "This can't go on from here: it ran out or went on in another tab. Start again.",
                Self::WrongPassword => "That isn't your current password. Check it and try again.",
                Self::FactorDemanded => "Your account has to have a second factor here. Add another one first, then remove this one.",
                Self::WrongCode { left: 0 } => "That code isn't right. Ask for a new one.",
                Self::WrongCode { left: 1 } => "That code isn't right. 1 try left.",
                Self::WrongCode { left } => { "That code isn't right. " (left) " tries left." }
                Self::PasskeyFailed => "That passkey didn't work here. Try again, or sign in another way.",
                Self::PushPending => "Not approved yet. Approve it on your phone first, then press the button.",
                Self::PushDenied { until } => {
                    "It was denied on your phone. Use another way, or ask again after " (time::minute(*until)) "."
                }
                Self::PushGone => "That has run out on your phone. Ask again.",
                Self::PushTooEarly { wait } => { "Wait " (time::span(*wait)) ", then ask again, or use another way." }
                Self::PushUnreachable => "Your phone can't be asked any more. Use another way, then add it again on the Security page.",
                Self::PushLimit { until: Some(until) } => {
                    "That was asked for too often. Try again after " (time::minute(*until)) ", or use another way."
                }
                Self::PushLimit { until: None } => "That was asked for too often. Try again in ten minutes, or use another way.",
                Self::PushDown { adding: false } => "Your phone can't be asked right now. Try again in a minute, or use another way.",
                Self::PushDown { adding: true } => "A phone can't be added right now. Try again in a minute.",
                Self::PushNotThere => "We can't see your phone yet. Finish in the app, then press the button again.",
                Self::CodeSpent { until } => {
                    "Too many tries. Ask for a new code after " (time::minute(*until)) ", or use another way."
                }
                Self::CodeGone => "That code has run out. Ask for a new code.",
                Self::SentTooEarly { wait } => {
                    "Wait " (time::span(*wait)) "; the earlier message still works, it has the same code."
                }
                Self::Unreachable { channel } => { (cannot_reach(*channel)) " Choose another way." }
                Self::BadDestination => "That number can't receive codes. Check it, or use another one.",
                Self::SendLimit { until: Some(until) } => {
                    "Too many codes were sent there. Try again after " (time::minute(*until)) ", or use another way."
                }
                Self::SendLimit { until: None } => "Too many codes were sent there. Try again in ten minutes, or use another way.",
                Self::Blocked => "Codes can't be sent to that number. Use another way, or ask your administrator.",
                Self::HeldBack => "Codes to numbers like this one are held back for up to 12 hours, because of fraud elsewhere. Use another way, or try again later.",
                Self::NotThatCountry => "Codes can't be sent to that country from here. Use another way, or ask your administrator.",
                Self::CodesDown => "Codes can't be sent or checked right now. Try again in a minute, or use another way.",
                Self::StoreDown => "That could not be saved or checked just now. Nothing is lost; try again in a few seconds.",
                Self::Say(sentence) => (sentence),
            }
        }
    }
}

fn cannot_reach(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "A text message can't reach that number.",
        Channel::Call => "A call can't reach that number.",
        Channel::Whatsapp => "That number has no WhatsApp.",
        Channel::Email => "A mail can't reach that address.",
    }
}
