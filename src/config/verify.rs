//! `[verify]`: who sends and checks the codes of the second factor.

use secrecy::SecretString;
use url::Url;

/// `[verify]`
#[derive(Clone, Debug)]
pub struct Verify {
    /// `auto` is already decided here.
    pub provider: Provider,
    /// What the Verify service offers, in the order shown.
    pub channels: Vec<Channel>,
    /// Console codes may be used although `portal.url` is not loopback.
    pub allow_console: bool,
}

/// `verify.provider`
#[derive(Clone, Debug)]
pub enum Provider {
    /// Twilio Verify v2.
    Twilio(Twilio),
    /// Codes appear in the terminal: for trying out.
    Console,
    /// No second factor by Verify.
    Off,
}

/// Twilio's customary settings.
#[derive(Clone, Debug)]
pub struct Twilio {
    /// `AC…` (or an API key, `SK…`)
    pub account_sid: String,
    /// Its token or secret.
    pub auth_token: SecretString,
    /// `VA…`
    pub service_sid: String,
    /// `https://verify.twilio.com`
    pub base_url: Url,
}

/// The way a code travels (VERIFY-API: `Channel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Every channel, in the order offered by default.
    pub const ALL: [Self; 4] = [Self::Sms, Self::Call, Self::Whatsapp, Self::Email];

    /// Twilio's word for it, also the value of the form field `channel`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
            Self::Whatsapp => "whatsapp",
            Self::Email => "email",
        }
    }

    /// The channel of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

impl Default for Verify {
    fn default() -> Self {
        Self { provider: Provider::Console, channels: vec![Channel::Sms, Channel::Call], allow_console: false }
    }
}
