//! Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key derived from `[secrets]`.
//!
//! Sealed is nonce, ciphertext, tag. The key's name is associated data, so that no row opens under another's name. What a
//! previous secret sealed still opens, and says that it has to be sealed again.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    hmac,
};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// The keys that seal and open.
#[derive(Debug)]
pub struct Vault {
    current: LessSafeKey,
    previous: Vec<LessSafeKey>,
}

/// What was sealed.
#[derive(Debug)]
pub struct Opened {
    /// What it was.
    pub document: Zeroizing<Vec<u8>>,
    /// A previous secret sealed it.
    pub stale: bool,
}

impl Vault {
    /// `label` keeps apart what the same secrets seal for different uses. `config` has checked that the secrets are long
    /// enough.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn new(label: &str, current: &SecretString, previous: &[SecretString]) -> Result<Self, Unspecified> {
        let derive = |secret| derive(label, secret);
        Ok(Self { current: derive(current)?, previous: previous.iter().map(derive).collect::<Result<_, _>>()? })
    }

    /// `nonce`: fresh random bytes. Among a few million of them no two are ever alike (96 bits).
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn seal(&self, kid: &str, document: &[u8], nonce: [u8; NONCE_LEN]) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + document.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(document);
        let (_, in_place) = sealed.split_at_mut(NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.current.seal_in_place_separate_tag(nonce, Aad::from(kid), in_place)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// `None`: not sealed under this name by any of our secrets.
    #[must_use]
    pub fn open(&self, kid: &str, sealed: &[u8]) -> Option<Opened> {
        let with = |key: &LessSafeKey| open_with(key, kid, sealed);
        let stale = |document| Opened { document, stale: true };
        with(&self.current)
            .map(|document| Opened { document, stale: false })
            .or_else(|| self.previous.iter().find_map(with).map(stale))
    }
}

fn open_with(key: &LessSafeKey, kid: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut document = Zeroizing::new(text.to_vec());
    let length = key.open_in_place(nonce, Aad::from(kid), &mut document).ok()?.len();
    document.truncate(length);
    Some(document)
}

/// As the session room derives its keys: HMAC-SHA256 with a label of its own.
fn derive(label: &str, secret: &SecretString) -> Result<LessSafeKey, Unspecified> {
    let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let tag = hmac::sign(&root, label.as_bytes());
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, tag.as_ref())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(current: &str, previous: &[&str]) -> Vault {
        Vault::new("label", &current.into(), &previous.iter().map(|secret| (*secret).into()).collect::<Vec<_>>())
            .unwrap()
    }

    #[test]
    fn what_is_sealed_opens_under_its_own_name_only() {
        let one = vault("one", &[]);
        let sealed = one.seal("kid", b"private", [7; 12]).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"private"));
        assert_eq!(&**one.open("kid", &sealed).unwrap().document, b"private");
        assert!(one.open("other", &sealed).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(one.open("kid", &changed).is_none(), "byte {place}");
        }
        assert!((0..sealed.len()).all(|length| one.open("kid", &sealed[..length]).is_none()));
    }

    #[test]
    fn what_is_sealed_for_one_use_does_not_open_for_another() {
        let sealed = vault("one", &[]).seal("kid", b"private", [7; 12]).unwrap();
        assert!(Vault::new("other label", &"one".into(), &[]).unwrap().open("kid", &sealed).is_none());
    }

    #[test]
    fn a_previous_secret_opens_and_says_so_and_a_forgotten_one_does_not() {
        let sealed = vault("old", &[]).seal("kid", b"private", [7; 12]).unwrap();
        let opened = vault("new", &["older", "old"]).open("kid", &sealed).unwrap();
        assert!(opened.stale && **opened.document == *b"private");
        assert!(!vault("old", &["new"]).open("kid", &sealed).unwrap().stale);
        assert!(vault("new", &[]).open("kid", &sealed).is_none());
    }
}
