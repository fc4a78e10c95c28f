//! Password hashes of other systems: compared until their owner signs in once, and then made anew as our own.
//!
//! Read strictly, once when they are imported and again whenever they are compared ([`Foreign::read`]): what is dearer than
//! [`MOST_WORK`] or [`MOST_MEMORY`] is no hash here, for whoever asks to sign in makes us do that work.

mod crypt;
mod read;

use std::num::NonZeroU32;

use argon2::{Params, password_hash::phc::PasswordHash};
use aws_lc_rs::{digest, pbkdf2};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use self::crypt::Sha;

/// A hash that is not ours, with everything a comparison needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Foreign {
    /// Werkzeug, Django, Authelia.
    Pbkdf2 { digest: Digest, iterations: NonZeroU32, salt: Vec<u8>, hash: Vec<u8> },
    /// Werkzeug, Django, Authelia.
    Scrypt { params: scrypt::Params, salt: Vec<u8>, hash: Vec<u8> },
    /// htpasswd, Django, Authelia.
    Bcrypt { cost: u32, salt: [u8; 16], hash: [u8; 23], before: Before },
    /// `$5$` and `$6$` of crypt(3).
    ShaCrypt { sha: Sha, rounds: u32, salt: String, hash: String },
    /// htpasswd's own turn of MD5.
    Apr1 { salt: String, hash: String },
    /// htpasswd's `{SHA}`: no salt at all.
    Sha1 { hash: [u8; 20] },
}

/// PBKDF2's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// What bcrypt is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// The first 72 bytes of the password, as everywhere.
    Password,
    /// All of it, as the hexadecimal SHA-256 (Django's `bcrypt_sha256`).
    Sha256,
}

/// A hash of another system (or of ours) that may be kept for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted(String);

/// Why a hash cannot be taken over. The sentences continue "The password hash …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Of no kind that is known here.
    #[error("is of a kind that is not known here")]
    Unknown,
    /// It begins as one, and goes on as none.
    #[error("is incomplete or has a mistake in it")]
    Malformed,
    /// It would hold up sign-ins.
    #[error("takes more than a second or more than 256 MiB to compare")]
    Dear,
}

impl Adopted {
    /// Judges a hash as the other system wrote it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(text: &str) -> Result<Self, Unfit> {
        // Django's name before what is otherwise the usual form.
        let argon2 = text.strip_prefix("argon2$").map(|rest| format!("${rest}"));
        let text = argon2.as_deref().unwrap_or(text);
        if !text.starts_with("$argon2") {
            return Foreign::read(text).map(|_| Self(text.to_owned()));
        }
        let hash = PasswordHash::new(text).map_err(|_| Unfit::Malformed)?;
        let params = Params::try_from(&hash).map_err(|_| Unfit::Malformed)?;
        if argon2::Algorithm::try_from(hash.algorithm.as_str()).is_err() || hash.hash.is_none() || hash.salt.is_none() {
            return Err(Unfit::Malformed);
        }
        let dear = super::work(&params) > MOST_WORK || u64::from(params.m_cost()) > MOST_MEMORY / 1024;
        if dear { Err(Unfit::Dear) } else { Ok(Self(text.to_owned())) }
    }

    /// No password fits: whoever has it asks for a link by "Forgot password?".
    #[must_use]
    pub fn none() -> Self {
        Self("!".into())
    }

    /// What is kept.
    #[must_use]
    pub(in crate::identity) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Foreign {
    /// Compares in constant time, and says how much work that was.
    pub(super) fn compare(&self, password: &SecretString) -> (bool, u64) {
        let password = password.expose_secret().as_bytes();
        // C programs never saw a NUL in a password, and what costs more for longer ones gets none that long.
        let unusual = match self {
            Self::Bcrypt { before: Before::Password, .. } => password.contains(&0),
            Self::ShaCrypt { .. } | Self::Apr1 { .. } => password.contains(&0) || password.len() > LONGEST_FOR_CRYPT,
            _ => false,
        };
        if unusual { (false, 0) } else { (self.fits(password), self.work(password.len())) }
    }

    fn fits(&self, password: &[u8]) -> bool {
        match self {
            Self::Pbkdf2 { digest, iterations, salt, hash } => {
                pbkdf2::verify(digest.pbkdf2(), *iterations, salt, password, hash).is_ok()
            }
            Self::Scrypt { params, salt, hash } => {
                let mut made = Zeroizing::new(vec![0; hash.len()]);
                scrypt::scrypt(password, salt, params, &mut made).is_ok() && made.ct_eq(hash).into()
            }
            Self::Bcrypt { cost, salt, hash, before } => {
                let mut key = match before {
                    Before::Password => Zeroizing::new(password.to_vec()),
                    Before::Sha256 => Zeroizing::new(hexadecimal(digest::digest(&digest::SHA256, password).as_ref())),
                };
                key.push(0);
                key.truncate(MOST_FOR_BCRYPT);
                bcrypt::bcrypt(*cost, *salt, &key).get(..23).is_some_and(|made| made.ct_eq(hash).into())
            }
            Self::ShaCrypt { sha, rounds, salt, hash } => crypt::sha(*sha, *rounds, salt, password)
                .is_some_and(|made| made.as_bytes().ct_eq(hash.as_bytes()).into()),
            Self::Apr1 { salt, hash } => crypt::apr1(salt, password).as_bytes().ct_eq(hash.as_bytes()).into(),
            Self::Sha1 { hash } => {
                digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password).as_ref().ct_eq(hash).into()
            }
        }
    }

    /// Which price it has ([`super::prices`]): below [`KINDS`].
    pub(super) fn kind(&self) -> usize {
        match self {
            Self::Pbkdf2 { digest: Digest::Sha1, .. } => 0,
            Self::Pbkdf2 { digest: Digest::Sha256, .. } => 1,
            Self::Pbkdf2 { digest: Digest::Sha512, .. } => 2,
            Self::Scrypt { .. } => 3,
            Self::Bcrypt { .. } => 4,
            Self::ShaCrypt { sha: Sha::Crypt256, .. } => 5,
            Self::ShaCrypt { sha: Sha::Crypt512, .. } => 6,
            Self::Apr1 { .. } | Self::Sha1 { .. } => 7,
        }
    }

    /// What a comparison costs, in Argon2's KiB times passes ([`super::work`]): estimated by the `price_list` test beneath,
    /// and mended on each machine ([`super::prices`]).
    pub(super) fn work(&self, password: usize) -> u64 {
        let thousandths = match self {
            Self::Pbkdf2 { digest, iterations, .. } => u64::from(iterations.get()) * digest.thousandths(),
            Self::Scrypt { params, .. } => {
                params.n().saturating_mul(u64::from(params.r())).saturating_mul(u64::from(params.p())) * SCRYPT
            }
            Self::Bcrypt { cost, .. } => (1 << cost) * BCRYPT,
            Self::ShaCrypt { sha, rounds, .. } => {
                u64::from(*rounds) * sha.blocks_per_round(password) * sha.thousandths()
            }
            Self::Apr1 { .. } => APR1,
            Self::Sha1 { .. } => 0,
        };
        thousandths / 1000
    }
}

impl Digest {
    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    /// Bytes: what is longer takes the whole work once more.
    fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Work of an iteration.
    fn thousandths(self) -> u64 {
        match self {
            Self::Sha1 => 500,
            Self::Sha256 => 680,
            Self::Sha512 => 1600,
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    let digit = |half: u8| HEXADECIMAL.get(usize::from(half)).copied().unwrap_or(b'0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// How many prices there are.
pub(super) const KINDS: usize = 8;
/// About a second, in KiB times passes; the settings by default are 38,912.
const MOST_WORK: u64 = 3_000_000;
/// Bytes.
const MOST_MEMORY: u64 = 256 << 20;
/// Bytes of a password that the functions of crypt(3) get: their work grows with it. A password here has at most 128 code
/// points, and longer than so many bytes were few of them elsewhere.
const LONGEST_FOR_CRYPT: usize = 128;
/// Bytes, the closing zero among them where it fits.
const MOST_FOR_BCRYPT: usize = 72;
/// Thousandths of work: for each block of `N * r * p`.
const SCRYPT: u64 = 1000;
/// For each of `2^cost` rounds.
const BCRYPT: u64 = 143_000;
/// All of it.
const APR1: u64 = 2_500_000;
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests;
