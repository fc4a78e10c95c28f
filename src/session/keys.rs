//! The keys under `[secrets]`: one each for ids, flow ids, form tokens, device ids and access tokens, each derived by its own label.
//!
//! The current secret signs; the previous ones are only accepted, so that a secret can be replaced without signing
//! anybody out. HMAC-SHA256 derives and signs (RFC 2104; NIST SP 800-108 in counter-less form with fixed labels).

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

/// Keys of the current secret, and of the previous ones.
pub struct Keys {
    current: Derived,
    previous: Vec<Derived>,
}

/// What a MAC is for: a value signed for one purpose is worthless for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The session cookie.
    Session,
    /// The flow cookie.
    Flow,
    /// The hidden field of a form.
    Form,
    /// The device cookie.
    Device,
    /// An access token.
    Token,
}

struct Derived {
    session: hmac::Key,
    flow: hmac::Key,
    form: hmac::Key,
    device: hmac::Key,
    token: hmac::Key,
}

impl Keys {
    /// Derives every key. `config` has checked that the secrets are long enough.
    #[must_use]
    pub fn new(current: &SecretString, previous: &[SecretString]) -> Self {
        Self { current: Derived::from_secret(current), previous: previous.iter().map(Derived::from_secret).collect() }
    }

    /// Signs under the current secret.
    pub(crate) fn sign(&self, purpose: Purpose, message: &[u8]) -> hmac::Tag {
        hmac::sign(self.current.key(purpose), message)
    }

    /// Whether `mac` (the first bytes of a tag, at least 16) was made under the current or a previous secret.
    /// Constant time in the MAC's bytes.
    pub(crate) fn verify(&self, purpose: Purpose, message: &[u8], mac: &[u8]) -> bool {
        if mac.len() < MAC_LENGTH {
            return false;
        }
        std::iter::once(&self.current).chain(&self.previous).any(|derived| {
            let tag = hmac::sign(derived.key(purpose), message);
            tag.as_ref()
                .get(..mac.len())
                .is_some_and(|expected| aws_lc_rs::constant_time::verify_slices_are_equal(expected, mac).is_ok())
        })
    }
}

impl Derived {
    fn from_secret(secret: &SecretString) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let derive = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, label).as_ref());
        Self {
            session: derive(b"vestibule session id v1"),
            flow: derive(b"vestibule flow id v1"),
            form: derive(b"vestibule form token v1"),
            device: derive(b"vestibule device id v1"),
            token: derive(b"vestibule access token v1"),
        }
    }

    fn key(&self, purpose: Purpose) -> &hmac::Key {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::Flow => &self.flow,
            Purpose::Form => &self.form,
            Purpose::Device => &self.device,
            Purpose::Token => &self.token,
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys(1 current, {} previous)", self.previous.len())
    }
}

/// 128 bits: the shortest MAC accepted anywhere.
pub(crate) const MAC_LENGTH: usize = 16;
