//! `[verify]`: who sends and checks the codes of the second factor.

use secrecy::SecretString;
use url::Url;

use super::reader::Section;

/// `[verify]`
#[derive(Clone, Debug)]
pub struct Verify {
    /// `auto` is already decided here.
    pub provider: Provider,
    /// What the Verify service offers, in the order shown.
    pub channels: Vec<Channel>,
    /// Whether people may enrol the operator's own app as a second factor (Twilio only).
    pub push: bool,
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
        Self {
            provider: Provider::Console,
            channels: vec![Channel::Sms, Channel::Call],
            push: false,
            allow_console: false,
        }
    }
}

pub(super) fn read(mut section: Section<'_>) -> Verify {
    let default = Verify::default();
    let wanted = section.parse("provider", |text| match text {
        "auto" => Ok(Wanted::Auto),
        "twilio" => Ok(Wanted::Twilio),
        "console" => Ok(Wanted::Console),
        "off" => Ok(Wanted::Off),
        other => Err(format!("`{other}` is none of \"auto\", \"twilio\", \"console\", \"off\"")),
    });
    let twilio = twilio(&mut section, wanted.unwrap_or(Wanted::Auto));
    let channels = section.list("channels", |text| {
        Channel::parse(text).ok_or(format!("`{text}` is none of \"sms\", \"call\", \"whatsapp\", \"email\""))
    });
    if channels.as_ref().is_some_and(Vec::is_empty) {
        section
            .refuse("channels", "offers no way at all; to go without a second factor, set verify.provider to \"off\"");
    }
    let mut channels = channels.unwrap_or(default.channels);
    let mut seen = Vec::new();
    channels.retain(|channel| {
        let first = !seen.contains(channel);
        seen.push(*channel);
        first
    });
    let provider = match (wanted, twilio) {
        (Some(Wanted::Off), _) => Provider::Off,
        (Some(Wanted::Auto | Wanted::Twilio) | None, Some(twilio)) => Provider::Twilio(twilio),
        _ => Provider::Console,
    };
    let allow_console = section.truth("allow_console").unwrap_or(false);
    let push = section.truth("push").unwrap_or(false);
    if push && !matches!(provider, Provider::Twilio(_)) {
        section.refuse("push", "needs Twilio: set account_sid, auth_token and service_sid, or leave it false");
    }
    section.finish();
    Verify { provider, channels, push, allow_console }
}

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Auto,
    Twilio,
    Console,
    Off,
}

/// All three settings, or `None`; half of them is a problem that names what is missing.
fn twilio(section: &mut Section<'_>, wanted: Wanted) -> Option<Twilio> {
    let account_sid = section.parse("account_sid", |text| sid(text, &["AC", "SK"]));
    let auth_token = section.secret("auth_token", "auth_token_file");
    let service_sid = section.parse("service_sid", |text| sid(text, &["VA"]));
    let base_url = section.parse("base_url", base_url).or_else(|| Url::parse("https://verify.twilio.com").ok())?;
    let given = [
        ("account_sid", "TWILIO_ACCOUNT_SID", section.has("account_sid")),
        ("auth_token", "TWILIO_AUTH_TOKEN", section.has("auth_token") || section.has("auth_token_file")),
        ("service_sid", "TWILIO_VERIFY_SERVICE_SID", section.has("service_sid")),
    ];
    let half = given.iter().any(|(.., given)| *given) && wanted == Wanted::Auto;
    for (key, variable, _) in given.iter().filter(|(.., given)| !*given) {
        if half || wanted == Wanted::Twilio {
            let message = format!(
                "is missing: Twilio Verify needs account_sid, auth_token and service_sid. Set it here or as {variable}, \
                 or set verify.provider to \"console\" or \"off\""
            );
            section.refuse(key, message);
        }
    }
    Some(Twilio { account_sid: account_sid?, auth_token: auth_token?, service_sid: service_sid?, base_url })
}

fn sid(text: &str, prefixes: &[&str]) -> Result<String, String> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain && prefixes.iter().any(|prefix| text.starts_with(prefix)) {
        return Ok(text.to_owned());
    }
    Err(format!("does not look right: it begins with {} and holds letters and digits only", prefixes.join(" or ")))
}

fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(format!("`{text}` has to be https: the account's token travels there")),
    }
}
