//! Session and flow ids: 256 random bits that only the cookie holds, sealed with a 128-bit MAC.
//!
//! The MAC lets made-up cookies be refused without a lookup; stores see only the id's SHA-256 ([`Key`]), so that a
//! stolen store signs nobody in. NIST SP 800-63B-4 §5.1 asks for 64 bits or more.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::keys::{Keys, MAC_LENGTH, Purpose};

/// SHA-256 of a session id, all that stores ever see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub(crate) [u8; 32]);

impl Key {
    /// The key of an id.
    pub(crate) fn of(id: &[u8; ID_LENGTH]) -> Self {
        let digest = digest::digest(&digest::SHA256, id);
        let mut key = [0; 32];
        for (place, byte) in key.iter_mut().zip(digest.as_ref()) {
            *place = *byte;
        }
        Self(key)
    }

    /// 64 lower-case hex digits.
    pub(crate) fn hex(&self) -> String {
        use std::fmt::Write;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// What [`Key::hex`] wrote; anything else is `None`.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut key = [0; 32];
        for (place, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *place = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Some(Self(key))
    }

    /// What a store's column of bytes holds.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Nobody chooses a SHA-256: its first bytes tell keys apart.
        let (first, _) = self.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
        state.write_u64(u64::from_le_bytes(*first));
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The cookie's value: id and MAC, base64url, 64 characters.
pub(crate) fn seal(keys: &Keys, purpose: Purpose, id: &[u8; ID_LENGTH]) -> String {
    let tag = keys.sign(purpose, id);
    let mut sealed = Vec::with_capacity(ID_LENGTH + MAC_LENGTH);
    sealed.extend_from_slice(id);
    sealed.extend(tag.as_ref().iter().take(MAC_LENGTH));
    URL_SAFE_NO_PAD.encode(sealed)
}

/// The id in a cookie's value, if the value is exactly what [`seal`] made under one of our secrets.
///
/// 48 bytes fill 64 characters exactly, so that no second spelling decodes to the same id.
pub(crate) fn open(keys: &Keys, purpose: Purpose, value: &[u8]) -> Option<[u8; ID_LENGTH]> {
    if value.len() != SEALED_LENGTH {
        return None;
    }
    let mut sealed = [0; ID_LENGTH + MAC_LENGTH];
    let length = URL_SAFE_NO_PAD.decode_slice(value, &mut sealed).ok()?;
    if length != sealed.len() {
        return None;
    }
    let (id, mac) = sealed.split_first_chunk::<ID_LENGTH>()?;
    keys.verify(purpose, id, mac).then_some(*id)
}

/// 256 bits.
pub(crate) const ID_LENGTH: usize = 32;
/// Characters of a sealed id.
pub(crate) const SEALED_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(current: &str, previous: &[&str]) -> Keys {
        Keys::new(&current.into(), &previous.iter().map(|secret| (*secret).into()).collect::<Vec<_>>())
    }

    #[test]
    fn a_sealed_id_opens_again() {
        let keys = keys("one", &[]);
        let sealed = seal(&keys, Purpose::Session, &[7; 32]);
        assert_eq!(sealed.len(), SEALED_LENGTH);
        assert_eq!(open(&keys, Purpose::Session, sealed.as_bytes()), Some([7; 32]));
    }

    #[test]
    fn a_previous_secret_is_accepted_and_a_forgotten_one_is_not() {
        let sealed = seal(&keys("old", &[]), Purpose::Session, &[7; 32]);
        assert_eq!(open(&keys("new", &["old"]), Purpose::Session, sealed.as_bytes()), Some([7; 32]));
        assert_eq!(open(&keys("new", &[]), Purpose::Session, sealed.as_bytes()), None);
    }

    #[test]
    fn a_flow_cookie_is_no_session_cookie() {
        let keys = keys("one", &[]);
        let sealed = seal(&keys, Purpose::Flow, &[7; 32]);
        assert_eq!(open(&keys, Purpose::Session, sealed.as_bytes()), None);
        assert_eq!(open(&keys, Purpose::Device, sealed.as_bytes()), None);
        let sealed = seal(&keys, Purpose::Device, &[7; 32]);
        assert_eq!(open(&keys, Purpose::Session, sealed.as_bytes()), None, "nor is a device cookie");
        let sealed = seal(&keys, Purpose::Token, &[7; 32]);
        assert_eq!(open(&keys, Purpose::Session, sealed.as_bytes()), None, "nor is an access token");
        let sealed = seal(&keys, Purpose::Session, &[7; 32]);
        assert_eq!(open(&keys, Purpose::Token, sealed.as_bytes()), None, "nor the other way round");
    }

    #[test]
    fn a_key_survives_hex() {
        let key = Key::of(&[9; 32]);
        assert_eq!(Key::from_hex(&key.hex()), Some(key));
        assert_eq!(Key::from_hex(&"+1".repeat(32)).map(|key| key.hex()), None, "a sign is no hex digit");
    }

    proptest! {
        #[test]
        fn nothing_but_the_exact_value_opens(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(open(&keys("one", &[]), Purpose::Session, &value), None);
        }

        #[test]
        fn one_changed_character_closes(place in 0usize..64, byte in any::<u8>()) {
            let keys = keys("one", &[]);
            let mut sealed = seal(&keys, Purpose::Session, &[7; 32]).into_bytes();
            let changed = sealed[place] != byte;
            sealed[place] = byte;
            prop_assert_eq!(open(&keys, Purpose::Session, &sealed).is_none(), changed);
        }
    }
}
