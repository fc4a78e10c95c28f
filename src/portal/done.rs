//! The fixed words that a page after a 303 may be asked to say (`?done=profile`). Never free text: a link from elsewhere
//! could otherwise put words into our mouth.

use templates::Notice;

/// What was just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    SignedOut,
    Reset,
    Ready,
    Confirmed,
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
}

impl Done {
    const ALL: [Self; 25] = [
        Self::SignedOut,
        Self::Reset,
        Self::Ready,
        Self::Confirmed,
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
    ];

    /// Its value in the query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Reset => "reset",
            Self::Ready => "ready",
            Self::Confirmed => "confirmed",
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
            Self::Anew => Notice::StartedAnew,
            Self::Asked => Notice::ConfirmationSent,
            Self::Address => Notice::AddressConfirmed,
            Self::EmailAsked => Notice::EmailChangeSent,
            Self::Email => Notice::EmailChanged,
            Self::EmailUndone => Notice::EmailChangeUndone,
            Self::Left => Notice::AccountDeleted,
            Self::Profile => Notice::ProfileSaved,
            Self::Password => Notice::PasswordChanged,
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
            Self::OthersOut => Notice::OthersSignedOut,
        }
    }
}
