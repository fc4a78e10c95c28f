//! The fixed words that a page after a 303 may be asked to say (`?done=profile`). Never free text: a link from elsewhere
//! could otherwise put words into our mouth.

use templates::Notice;

use super::{stop::Stop, visit::Visit};

/// What was just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    SignedOut,
    Reset,
    Ready,
    Confirmed,
    Waiting,
    Anew,
    Asked,
    Address,
    EmailAsked,
    Email,
    EmailUndone,
    Left,
    Profile,
    Password,
    On,
    PasskeyAdded,
    PushAdded,
    PasskeyRenamed,
    AskedFirst,
    Off,
    Less,
    Sent,
    NewCode,
    DeviceOut,
    NoDevice,
    OthersOut,
    Approved,
    Declined,
    Disabled,
    Enabled,
    Groups,
    Changed,
    Revoked,
    NoInvitation,
    TokenRevoked,
    NoToken,
}

impl Done {
    const ALL: [Self; 36] = [
        Self::SignedOut,
        Self::Reset,
        Self::Ready,
        Self::Confirmed,
        Self::Waiting,
        Self::Anew,
        Self::Asked,
        Self::Address,
        Self::EmailAsked,
        Self::Email,
        Self::EmailUndone,
        Self::Left,
        Self::Profile,
        Self::Password,
        Self::On,
        Self::PasskeyAdded,
        Self::PushAdded,
        Self::PasskeyRenamed,
        Self::AskedFirst,
        Self::Off,
        Self::Less,
        Self::Sent,
        Self::NewCode,
        Self::DeviceOut,
        Self::NoDevice,
        Self::OthersOut,
        Self::Approved,
        Self::Declined,
        Self::Disabled,
        Self::Enabled,
        Self::Groups,
        Self::Changed,
        Self::Revoked,
        Self::NoInvitation,
        Self::TokenRevoked,
        Self::NoToken,
    ];

    /// Its value in the query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Reset => "reset",
            Self::Ready => "ready",
            Self::Confirmed => "confirmed",
            Self::Waiting => "waiting",
            Self::Anew => "anew",
            Self::Asked => "asked",
            Self::Address => "address",
            Self::EmailAsked => "email-asked",
            Self::Email => "email",
            Self::EmailUndone => "email-undone",
            Self::Left => "left",
            Self::Profile => "profile",
            Self::Password => "password",
            Self::On => "on",
            Self::PasskeyAdded => "passkey-added",
            Self::PushAdded => "push-added",
            Self::PasskeyRenamed => "passkey-renamed",
            Self::AskedFirst => "first",
            Self::Off => "off",
            Self::Less => "less",
            Self::Sent => "sent",
            Self::NewCode => "new-code",
            Self::DeviceOut => "device-out",
            Self::NoDevice => "no-device",
            Self::OthersOut => "others-out",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Groups => "groups",
            Self::Changed => "changed",
            Self::Revoked => "revoked",
            Self::NoInvitation => "no-invitation",
            Self::TokenRevoked => "token-revoked",
            Self::NoToken => "no-token",
        }
    }

    /// What the query says; unknown words say nothing.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.name() == name)
    }

    /// What the page says.
    pub(super) fn notice(self) -> Notice<'static> {
        match self {
            Self::SignedOut => Notice::SignedOut,
            Self::Reset => Notice::PasswordReset,
            Self::Ready => Notice::AccountReady,
            Self::Confirmed => Notice::EmailConfirmed,
            Self::Waiting => Notice::AwaitsApproval,
            Self::Anew => Notice::StartedAnew,
            Self::Asked => Notice::ConfirmationSent,
            Self::Address => Notice::AddressConfirmed,
            Self::EmailAsked => Notice::EmailChangeSent,
            Self::Email => Notice::EmailChanged,
            Self::EmailUndone => Notice::EmailChangeUndone,
            Self::Left => Notice::AccountDeleted,
            Self::Profile => Notice::ProfileSaved,
            Self::Password => Notice::PasswordChanged { tokens: 0 },
            Self::On => Notice::FactorOn,
            Self::PasskeyAdded => Notice::PasskeyAdded,
            Self::PushAdded => Notice::PushAdded,
            Self::PasskeyRenamed => Notice::PasskeyRenamed,
            Self::AskedFirst => Notice::AskedFirst,
            Self::Off => Notice::FactorOff,
            Self::Less => Notice::FactorRemoved,
            Self::Sent => Notice::SentAgain,
            Self::NewCode => Notice::NewCode,
            Self::DeviceOut => Notice::DeviceSignedOut,
            Self::NoDevice => Notice::DeviceNotThere,
            Self::OthersOut => Notice::OthersSignedOut { tokens: 0 },
            Self::Approved => Notice::PersonApproved,
            Self::Declined => Notice::PersonDeclined,
            Self::Disabled => Notice::PersonDisabled,
            Self::Enabled => Notice::PersonEnabled,
            Self::Groups => Notice::PersonGroups,
            Self::Changed => Notice::PersonChanged,
            Self::Revoked => Notice::InvitationRevoked,
            Self::NoInvitation => Notice::InvitationNotThere,
            Self::TokenRevoked => Notice::TokenRevoked,
            Self::NoToken => Notice::TokenNotThere,
        }
    }
}

impl Visit<'_> {
    /// What the query says was just done, with what went on all the same: access tokens outlive a changed password and the
    /// end of other sessions.
    pub(super) async fn just_done(&self) -> Result<Option<Notice<'static>>, Stop> {
        let Some(done) = Done::parse(&self.query("done")) else { return Ok(None) };
        Ok(Some(match done {
            Done::Password => Notice::PasswordChanged { tokens: self.tokens_left().await? },
            Done::OthersOut => Notice::OthersSignedOut { tokens: self.tokens_left().await? },
            other => other.notice(),
        }))
    }

    async fn tokens_left(&self) -> Result<usize, Stop> {
        let account = &self.signed_in()?.record.account;
        Ok(self.room.identity.tokens(account, self.now).await?.len())
    }
}
