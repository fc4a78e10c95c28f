//! Our access tokens in a request's fields, told from credentials that are the site's own affair.
//!
//! `Authorization: Bearer vst_…` (RFC 6750 §2.1), Basic with the token as password (RFC 7617), `Vestibule-Token: vst_…`. Only
//! values beginning `vst_` are ours. What could be read in two ways is ours as well, and no token: two lines of one field, a
//! list, two tokens that differ. Whether a token is worth anything is not asked here.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

/// What a request brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// No token of ours.
    Nothing,
    /// One that has the right form.
    One(Sealed, Scheme),
    /// Something of ours that is no token, or more than one.
    Unclear(Scheme),
}

/// By which scheme a token came: a refusal answers in kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Bearer`, or the field of our own.
    Bearer,
    /// As a password.
    Basic,
}

/// What stands after `vst_`; not judged yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sealed([u8; LENGTH]);

impl Sealed {
    /// Its characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// Reads the token of a request.
#[must_use]
pub fn brought(fields: &HeaderMap) -> Brought {
    let mut found = Brought::Nothing;
    for name in [&AUTHORIZATION, &FIELD] {
        let lines = fields.get_all(name);
        // Beside another line of its field, nobody knows which one a site would take.
        let alone = lines.iter().nth(1).is_none();
        for line in lines {
            let Some((sealed, scheme)) = ours(name, line) else { continue };
            found = match (found, sealed.filter(|_| alone)) {
                (Brought::Nothing, Some(sealed)) => Brought::One(sealed, scheme),
                // The same one twice, under both names, is one.
                (Brought::One(first, scheme), Some(second)) if first == second => Brought::One(first, scheme),
                (Brought::Nothing, _) => Brought::Unclear(scheme),
                (Brought::One(_, scheme) | Brought::Unclear(scheme), _) => Brought::Unclear(scheme),
            };
        }
    }
    found
}

/// Whether a line of that field is ours: it stays behind, and the request is judged by it.
#[must_use]
pub fn is_ours(name: &HeaderName, line: &HeaderValue) -> bool {
    ours(name, line).is_some()
}

/// The token in a line that is ours; `None` inside when the line is no token.
fn ours(name: &HeaderName, line: &HeaderValue) -> Option<(Option<Sealed>, Scheme)> {
    let bare = *name == FIELD;
    let mut pieces = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let found = pieces.clone().find_map(|piece| if bare { ours_bare(piece) } else { ours_in(piece) });
    let (sealed, scheme) = found?;
    // A list holds other credentials, too.
    Some((sealed.filter(|_| pieces.nth(1).is_none()), scheme))
}

fn ours_bare(piece: &[u8]) -> Option<(Option<Sealed>, Scheme)> {
    Some((sealed(piece.strip_prefix(PREFIX)?), Scheme::Bearer))
}

/// `scheme credentials`
fn ours_in(piece: &[u8]) -> Option<(Option<Sealed>, Scheme)> {
    if piece.starts_with(PREFIX) {
        // The scheme was forgotten: refused rather than handed on.
        return Some((None, Scheme::Bearer));
    }
    let blank = piece.iter().position(u8::is_ascii_whitespace)?;
    let (scheme, rest) = piece.split_at(blank);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return ours_bare(rest);
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = LENIENT.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let password = pair.get(colon + 1..)?;
    Some((sealed(password.strip_prefix(PREFIX)?), Scheme::Basic))
}

fn sealed(rest: &[u8]) -> Option<Sealed> {
    rest.try_into().ok().map(Sealed)
}

/// What every token of ours begins with: scanners of leaked secrets know it by that.
pub const PREFIX: &[u8] = b"vst_";
/// Characters after it.
pub const LENGTH: usize = 64;

const FIELD: HeaderName = HeaderName::from_static("vestibule-token");
/// As a lenient site would read it: what it could take for a token must not travel.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[(&str, &str)]) -> Brought {
        let pairs = lines.iter().map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        brought(&pairs.collect())
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    }

    fn token(letter: char) -> (String, Sealed) {
        let text = letter.to_string().repeat(LENGTH);
        (format!("vst_{text}"), sealed(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_token_comes_in_three_ways_and_is_read_alike() {
        let (token, sealed) = token('a');
        for (name, value, scheme) in [
            ("authorization", format!("Bearer {token}"), Scheme::Bearer),
            ("Authorization", format!("bearer  {token} "), Scheme::Bearer),
            ("authorization", format!("BEARER\t{token}"), Scheme::Bearer),
            ("vestibule-token", token.clone(), Scheme::Bearer),
            ("vestibule-token", format!("  {token}\t"), Scheme::Bearer),
            ("authorization", basic(&format!("ada:{token}")), Scheme::Basic),
            ("authorization", basic(&format!(":{token}")), Scheme::Basic),
            ("authorization", basic(&format!("x-token:{token}")).trim_end_matches('=').to_owned(), Scheme::Basic),
        ] {
            assert_eq!(read(&[(name, &value)]), Brought::One(sealed, scheme), "{name}: {value}");
        }
    }

    #[test]
    fn whatever_does_not_begin_so_is_the_sites_own_affair() {
        let (token, _) = token('a');
        for (name, value) in [
            ("authorization", "Bearer abc".to_owned()),
            ("authorization", "Bearer VST_abc".to_owned()),
            ("authorization", format!("Bearer x{token}")),
            ("authorization", "Bearer".to_owned()),
            ("authorization", String::new()),
            ("authorization", "Basic dXNlcjpwYXNz".to_owned()),
            ("authorization", "Basic ****".to_owned()),
            // A user name is no password.
            ("authorization", basic(&format!("{token}:x"))),
            ("authorization", basic(&token)),
            ("authorization", basic(&format!("ada:x:{token}"))),
            ("authorization", format!("token {token}")),
            ("authorization", "Digest username=\"vst_\", uri=\"/\"".to_owned()),
            ("vestibule-token", "abc".to_owned()),
            ("vestibule-token", format!("Bearer {token}")),
            ("x-token", token.clone()),
            ("vestibule_token", token.clone()),
        ] {
            assert_eq!(read(&[(name, &value)]), Brought::Nothing, "{name}: {value}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_token() {
        let ((one, sealed), (two, _)) = (token('a'), token('b'));
        let (bearer, other) = (format!("Bearer {one}"), format!("Bearer {two}"));
        for lines in [
            vec![("authorization", &*bearer), ("authorization", &*other)],
            vec![("authorization", &*bearer), ("authorization", &*bearer)],
            vec![("authorization", &*bearer), ("authorization", "Basic dXNlcjpwYXNz")],
            vec![("authorization", "Negotiate abc"), ("authorization", &*bearer)],
            vec![("vestibule-token", &*one), ("vestibule-token", &*one)],
            vec![("vestibule-token", &*one), ("vestibule-token", "abc")],
            vec![("authorization", &*bearer), ("vestibule-token", &*two)],
            vec![("authorization", &*format!("{bearer}, {other}"))],
            vec![("authorization", &*format!("Negotiate abc,{bearer}"))],
            vec![("vestibule-token", &*format!("{one},{one}"))],
            vec![("vestibule-token", &*format!("abc, {one}"))],
            vec![("vestibule-token", "vst_")],
            vec![("vestibule-token", &*format!("{one}a"))],
            vec![("vestibule-token", &*format!("vst_ {one}"))],
            vec![("authorization", &*one)],
            vec![("authorization", "Bearer vst_abc")],
            vec![("authorization", &*format!("{bearer} {one}"))],
        ] {
            assert_eq!(read(&lines), Brought::Unclear(Scheme::Bearer), "{lines:?}");
        }
        assert_eq!(read(&[("authorization", &basic("ada:vst_x"))]), Brought::Unclear(Scheme::Basic));
        let twice = [("authorization", &*bearer), ("vestibule-token", &*one)];
        assert_eq!(read(&twice), Brought::One(sealed, Scheme::Bearer), "the same one is one");
        let beside = [("authorization", "Bearer theirs"), ("vestibule-token", &*one)];
        assert_eq!(read(&beside), Brought::One(sealed, Scheme::Bearer), "the site's own travels beside it");
    }

    #[test]
    fn a_token_is_not_printed() {
        let (token, _) = token('q');
        assert!(!format!("{:?}", read(&[("vestibule-token", &token)])).contains("qq"));
    }

    proptest! {
        /// What is read is what stays behind.
        #[test]
        fn nothing_is_read_that_would_travel(
            lines in proptest::collection::vec((any::<bool>(), proptest::collection::vec(
                prop_oneof![
                    Just("Bearer "), Just("basic "), Just("vst_"), Just(","), Just(" "), Just("\t"), Just(":"),
                    Just("YTp2c3Rf"), Just("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                ], 0..6)), 0..4),
        ) {
            let mut fields = HeaderMap::new();
            for (own, pieces) in lines {
                fields.append(if own { FIELD } else { AUTHORIZATION }, HeaderValue::from_str(&pieces.concat()).unwrap());
            }
            let ours = fields.iter().any(|(name, value)| is_ours(name, value));
            prop_assert_eq!(brought(&fields) != Brought::Nothing, ours);
        }

        #[test]
        fn any_bytes_can_be_read(line in proptest::collection::vec(32u8..=255, 0..200)) {
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                let _ = brought(&HeaderMap::from_iter([(AUTHORIZATION, line.clone()), (FIELD, line)]));
            }
        }
    }
}
