//! The functions of crypt(3), as text: Apache's turn of MD5-crypt (`apr_md5.c`), and Drepper's SHA-crypt.

use md5::{Digest, Md5};
use zeroize::Zeroizing;

/// Which SHA-crypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::identity::hasher) enum Sha {
    /// `$5$`
    Crypt256,
    /// `$6$`
    Crypt512,
}

impl Sha {
    /// Characters of a hash.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Crypt256 => 43,
            Self::Crypt512 => 86,
        }
    }

    /// On the average: a round digests the last digest and the password once, the password again in six of seven, the salt
    /// in two of three, and the length.
    pub(super) fn blocks_per_round(self, password: usize) -> u64 {
        let (digest, block, length) = match self {
            Self::Crypt256 => (32, 64, 9),
            Self::Crypt512 => (64, 128, 17),
        };
        let bytes = digest + password * 13 / 7 + 11 + length;
        bytes.div_ceil(block) as u64
    }

    /// Work of a block.
    pub(super) fn thousandths(self) -> u64 {
        match self {
            Self::Crypt256 => 140,
            Self::Crypt512 => 600,
        }
    }
}

/// `None` for fewer or more rounds than there can be.
pub(super) fn sha(sha: Sha, rounds: u32, salt: &str, password: &[u8]) -> Option<String> {
    let params = sha_crypt::Params::new(rounds).ok()?;
    Some(match sha {
        Sha::Crypt256 => written(&sha_crypt::sha256_crypt(password, salt.as_bytes(), params), &ORDER_256),
        Sha::Crypt512 => written(&sha_crypt::sha512_crypt(password, salt.as_bytes(), params), &ORDER_512),
    })
}

pub(super) fn apr1(salt: &str, password: &[u8]) -> String {
    let salt = salt.as_bytes();
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Md5::new().chain_update(password).chain_update("$apr1$").chain_update(salt);
    for part in password.chunks(16) {
        first.update(inner.get(..part.len()).unwrap_or_default());
    }
    let mut bits = password.len();
    while bits > 0 {
        // What the first program of this kind did by mistake, all do.
        first.update(if bits & 1 == 1 { &[0][..] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut digest = first.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        let last = Zeroizing::new(digest.to_vec());
        next.update(if round & 1 == 1 { password } else { &last });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round & 1 == 1 { &last } else { password });
        digest = next.finalize();
    }
    written(&digest, &ORDER_APR1)
}

/// Three bytes as four characters, low bits first, in an order of bytes that each function has for itself.
fn written(digest: &[u8], order: &[usize]) -> String {
    let mut text = String::with_capacity(order.len().div_ceil(3) * 4);
    for three in order.chunks(3) {
        let bytes = three.iter().map(|place| digest.get(*place).copied().unwrap_or_default());
        let mut bits = bytes.enumerate().fold(0_u32, |bits, (index, byte)| bits | u32::from(byte) << (8 * index));
        for _ in 0..=three.len() {
            text.push(char::from(ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'.')));
            bits >>= 6;
        }
    }
    text
}

/// Whether `text` is of crypt(3)'s alphabet.
pub(super) fn spelled(text: &str) -> bool {
    text.bytes().all(|byte| ALPHABET.contains(&byte))
}

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ORDER_APR1: [usize; 16] = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];
const ORDER_256: [usize; 32] = [
    20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28, 18, 29, 19, 9, 30,
    31,
];
const ORDER_512: [usize; 64] = [
    42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50, 51, 30, 9, 10,
    52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58, 37, 38, 17, 59, 60, 39, 18, 19, 61, 40,
    41, 20, 62, 63,
];
