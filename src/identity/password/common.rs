//! The passwords that are tried first, as the first four bytes of their SHA-256, sorted: one in half a million others is taken
//! for one of them.
//!
//! `common.bin` was made of the list that Django 5.2.19 ships as `common-passwords.txt.gz` (BSD 3-Clause, see
//! `common.LICENSE`; the list was compiled by Royce Williams): of its lines in lower case, those that
//! are ASCII and have at least eight characters (none shorter is taken here), hashed, each once.

use aws_lc_rs::digest;

use crate::identity::names::fold;

/// Whether it is one of them, in any case and any width of letters.
pub(super) fn lists(password: &str) -> bool {
    let digest = digest::digest(&digest::SHA256, fold(password).as_bytes());
    let (entries, _) = TABLE.as_chunks::<4>();
    digest.as_ref().first_chunk::<4>().is_some_and(|wanted| entries.binary_search(wanted).is_ok())
}

const TABLE: &[u8] = include_bytes!("common.bin");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_passwords_are_listed_in_every_case() {
        for password in ["password", "PassWord", "12345678", "ｐassword", "qwertyuiop", "3rjs1la7qe"] {
            assert!(lists(password), "{password}");
        }
        for password in ["violet-tram-undid-47", "", "passwor"] {
            assert!(!lists(password), "{password}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_whole() {
        let (entries, rest) = TABLE.as_chunks::<4>();
        assert!(rest.is_empty() && entries.len() > 8000);
        assert!(entries.is_sorted_by(|one, next| one < next));
    }
}
