//! Whether a password was in a breach, asked of a range service (the k-anonymity protocol of Pwned Passwords).
//!
//! Only the first five hex digits of the password's SHA-1 leave this machine; the answer lists every known hash that begins
//! so. Whatever goes wrong lets the password through: a service that is down must not keep people from choosing one.

use std::{fmt::Write, time::Duration};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use reqwest::{Response, StatusCode};
use tokio::sync::Semaphore;
use url::Url;

use crate::world::client::{self, NoClient};

/// The service that `password.breached` names.
#[derive(Debug)]
pub struct Breached {
    base: Url,
    client: reqwest::Client,
    /// Who asks holds a place of the password hashing: a slow service must not take them all.
    places: Semaphore,
}

/// Why there is no verdict. Holds nothing of the question.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the service cannot be reached")]
    Client(#[source] reqwest::Error),
    #[error("the service answers {0}")]
    Status(StatusCode),
    #[error("its answer is longer than 1 MiB")]
    TooLong,
    #[error("its answer is not a list of hashes and counts")]
    Garbled,
    #[error("too many are asking at once")]
    Crowded,
}

impl Breached {
    /// Reaches for nobody yet. `base` is the address before the five digits.
    ///
    /// # Errors
    /// [`NoClient`]
    pub fn new(base: Url) -> Result<Self, NoClient> {
        let client = client::new(&base, WHOLE, WHOLE)?;
        Ok(Self { base, client, places: Semaphore::new(AT_ONCE) })
    }

    /// Whether a password (in NFC) is known from a breach; `false`, and one line in the log, when nobody can say.
    pub(super) async fn lists(&self, password: &str) -> bool {
        self.ask(&fingerprint(password)).await.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "whether a new password was in a breach is unknown, and it was taken: see password.breached"
            );
            false
        })
    }

    async fn ask(&self, fingerprint: &str) -> Result<bool, Unanswered> {
        let (prefix, suffix) = fingerprint.split_at(PREFIX);
        let _place = self.places.try_acquire().map_err(|_| Unanswered::Crowded)?;
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(prefix);
        }
        // Padding: the answer's length shall not tell which digits were asked for.
        let response = self.client.get(url).header("add-padding", "true").send().await.map_err(cannot_reach)?;
        if response.status() != StatusCode::OK {
            return Err(Unanswered::Status(response.status()));
        }
        names(&whole(response).await?, suffix)
    }
}

/// Its SHA-1, upper-case hex.
fn fingerprint(password: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02X}");
        hex
    })
}

async fn whole(mut response: Response) -> Result<Vec<u8>, Unanswered> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(cannot_reach)? {
        if body.len() + chunk.len() > LONGEST_BODY {
            return Err(Unanswered::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether a list of `SUFFIX:COUNT` names this suffix. A count of 0 is padding.
fn names(body: &[u8], suffix: &str) -> Result<bool, Unanswered> {
    let text = std::str::from_utf8(body).map_err(|_| Unanswered::Garbled)?;
    let mut named = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (hash, count) = line.trim().split_once(':').ok_or(Unanswered::Garbled)?;
        let count: u64 = count.trim().parse().map_err(|_| Unanswered::Garbled)?;
        if hash.len() != suffix.len() || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Unanswered::Garbled);
        }
        named |= count > 0 && hash.eq_ignore_ascii_case(suffix);
    }
    Ok(named)
}

/// reqwest's error without its address: the five digits are in it.
fn cannot_reach(error: reqwest::Error) -> Unanswered {
    Unanswered::Client(error.without_url())
}

/// Hex digits that leave.
const PREFIX: usize = 5;
/// From the question to the end of the answer: somebody waits for the page.
const WHOLE: Duration = Duration::from_secs(2);
const LONGEST_BODY: usize = 1 << 20;
const AT_ONCE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_sha_1_in_upper_case() {
        assert_eq!(fingerprint("password"), "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
    }

    #[test]
    fn a_suffix_counts_when_it_was_seen_at_least_once() {
        let suffix = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";
        let other = "0".repeat(35);
        for (list, named) in [
            (format!("{other}:3\r\n{suffix}:9545824\r\n"), true),
            (format!("{}:1", suffix.to_lowercase()), true),
            (format!("{other}:3\n{suffix}:0\n"), false),
            (format!("{other}:3"), false),
            (String::new(), false),
        ] {
            assert_eq!(names(list.as_bytes(), suffix).ok(), Some(named), "{list}");
        }
    }

    #[test]
    fn what_is_no_list_of_hashes_is_no_verdict() {
        let suffix = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";
        for list in ["<html>", &format!("{suffix}:many"), &format!("5BAA6{suffix}:1"), suffix] {
            assert!(names(list.as_bytes(), suffix).is_err(), "{list}");
        }
        assert!(names(&[0xff, 0xfe], suffix).is_err());
    }
}
