//! `Via`: who carried a message, both ways, and whether one has been here before (RFC 9110 §7.6.3).
//!
//! Every gateway is called `vestibule`; a comment of random digits tells one process from another, so that a Vestibule
//! behind another is no loop.

use http::{HeaderMap, HeaderValue, Version, header::VIA};

use super::fields::Sink;
use crate::world::{Entropy, NoEntropy};

/// What this process is called in requests.
#[derive(Clone, Debug)]
pub(super) struct Pseudonym {
    http1: HeaderValue,
    http2: HeaderValue,
    /// `(0123456789abcdef)`
    mark: String,
}

impl Pseudonym {
    pub fn new(entropy: &Entropy) -> Result<Self, NoEntropy> {
        let mark = format!("({:016x})", u64::from_be_bytes(entropy.bytes()?));
        let line = |version| HeaderValue::try_from(format!("{version} vestibule {mark}"));
        // Neither can be refused: all of it is ASCII.
        let fallback = HeaderValue::from_static(ANSWER_1_1);
        let http1 = line("1.1").unwrap_or_else(|_| fallback.clone());
        let http2 = line("2.0").unwrap_or(fallback);
        Ok(Self { http1, http2, mark })
    }

    /// Whether this process has sent the message already.
    pub fn is_in(&self, fields: &HeaderMap) -> bool {
        let mark = self.mark.as_bytes();
        fields.get_all(VIA).iter().any(|line| line.as_bytes().windows(mark.len()).any(|part| part == mark))
    }

    /// Notes that a request came here by `version`.
    pub fn sign(&self, sink: &mut impl Sink, version: Version) {
        sink.put(&VIA, if version >= Version::HTTP_2 { &self.http2 } else { &self.http1 });
    }
}

/// Notes that an answer came here by `version`.
pub(super) fn sign_answer(fields: &mut HeaderMap, version: Version) {
    let line = match version {
        Version::HTTP_2 => "2.0 vestibule",
        Version::HTTP_10 => "1.0 vestibule",
        _ => ANSWER_1_1,
    };
    fields.append(VIA, HeaderValue::from_static(line));
}

const ANSWER_1_1: &str = "1.1 vestibule";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_again_by_its_own_process_only() {
        let one = Pseudonym::new(&Entropy::counting()).unwrap();
        let other = Pseudonym::new(&Entropy::System).unwrap();
        let mut fields = HeaderMap::new();
        fields.insert(VIA, HeaderValue::from_static("1.1 vestibule, 1.0 else"));
        assert!(!one.is_in(&fields));
        one.sign(&mut fields, Version::HTTP_2);
        assert!(one.is_in(&fields) && !other.is_in(&fields), "{fields:?}");
        let lines: Vec<_> = fields.get_all(VIA).iter().collect();
        assert_eq!(lines[0], "1.1 vestibule, 1.0 else");
        assert!(lines[1].to_str().unwrap().starts_with("2.0 vestibule ("));
    }
}
