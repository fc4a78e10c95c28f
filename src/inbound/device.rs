//! The device in words: "Firefox on Windows". For people who look over where they are signed in, never for a rule.
//!
//! `User-Agent` (RFC 9110 §10.1.5) says whatever its sender likes. So nothing of it is kept: what comes out is put together
//! from the words below alone, short and safe wherever it is shown or stored.

use std::fmt;

use http::{HeaderMap, header::USER_AGENT};

/// A browser and its system, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    browser: Option<&'static str>,
    system: Option<&'static str>,
}

impl Device {
    /// What these fields say of their sender.
    #[must_use]
    pub fn of(fields: &HeaderMap) -> Self {
        Self::read(fields.get(USER_AGENT).map(http::HeaderValue::as_bytes).unwrap_or_default())
    }

    /// What a `User-Agent` says.
    #[must_use]
    pub fn read(agent: &[u8]) -> Self {
        let agent = agent.get(..READ).unwrap_or(agent);
        let said = |table: &[(&str, &'static str)]| {
            table.iter().find(|(token, _)| holds(agent, token.as_bytes())).map(|(_, word)| *word)
        };
        Self { browser: said(BROWSERS), system: said(SYSTEMS) }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.browser.unwrap_or("A browser"))?;
        self.system.map_or(Ok(()), |system| write!(f, " on {system}"))
    }
}

fn holds(text: &[u8], token: &[u8]) -> bool {
    text.windows(token.len()).any(|part| part == token)
}

/// Real ones say everything within 300 bytes.
const READ: usize = 512;

/// The first that fits: almost all of them also claim to be Chrome and Safari.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("HTTPie/", "HTTPie"),
    ("python-requests/", "Python"),
    ("PostmanRuntime/", "Postman"),
];

/// The first that fits: an iPhone says "like Mac OS X", Android says "Linux".
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_browsers_are_called_by_their_names() {
        for (agent, words) in [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 CriOS/137.0.7151.107 Mobile/15E148 Safari/604.1",
                "Chrome on iPad",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 \
                 Chrome/130.0.0.0 Mobile Safari/537.36",
                "Samsung Internet on Android",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 \
                 Safari/537.36 Edg/137.0.3296.68",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Safari/605.1.15",
                "Safari on Mac",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 \
                 OPR/122.0.0.0",
                "Opera on Linux",
            ),
            ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/137.0.0.0", "Chrome on ChromeOS"),
            ("curl/8.14.1", "curl"),
            ("Mozilla/5.0 (Android 15; Mobile)", "A browser on Android"),
            ("<script>alert(1)</script>", "A browser"),
            ("", "A browser"),
        ] {
            assert_eq!(Device::read(agent.as_bytes()).to_string(), words, "{agent}");
        }
    }

    #[test]
    fn what_stands_far_behind_is_not_read() {
        let agent = [vec![b' '; READ], b"Firefox/140.0".to_vec()].concat();
        assert_eq!(Device::read(&agent).to_string(), "A browser");
    }

    #[test]
    fn every_pair_of_words_is_short() {
        for (browser, _) in BROWSERS {
            for (system, _) in SYSTEMS {
                assert_short(Device::read(format!("{browser} {system}").as_bytes()));
            }
        }
    }

    fn assert_short(device: Device) {
        let words = device.to_string();
        let safe = |letter: char| letter.is_ascii_alphanumeric() || letter == ' ';
        assert!(!words.is_empty() && words.len() <= 40 && words.chars().all(safe), "{words:?}");
    }

    /// Tokens of the tables amid whatever else.
    fn agent() -> impl Strategy<Value = Vec<u8>> {
        let token = (0..BROWSERS.len()).prop_map(|at| BROWSERS[at].0.as_bytes().to_vec());
        let system = (0..SYSTEMS.len()).prop_map(|at| SYSTEMS[at].0.as_bytes().to_vec());
        let part = prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), token, system];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn whatever_is_sent_becomes_a_few_safe_words(agent in agent()) {
            assert_short(Device::read(&agent));
        }
    }
}
