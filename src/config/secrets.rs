//! `[secrets]`: the keys under which cookies and form tokens are signed.

use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Section;

/// `[secrets]`: without `current`, one is generated into `data_dir/secret` (0600) at the first start.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// At least 32 bytes of text; several nodes share it.
    pub current: Option<SecretString>,
    /// Still accepted, never used for new values.
    pub previous: Vec<SecretString>,
}

pub(super) fn read(mut section: Section<'_>) -> Secrets {
    let current = section.secret("current", "current_file");
    if current.as_ref().is_some_and(|secret| secret.expose_secret().len() < SHORTEST) {
        section.refuse(
            "current",
            format!("is too short: {SHORTEST} characters or more, for example by `openssl rand -base64 33`"),
        );
    }
    let previous = section.list("previous", |text| {
        if text.len() < SHORTEST {
            return Err(format!("holds one that is too short: {SHORTEST} characters or more"));
        }
        Ok(SecretString::from(text))
    });
    section.finish();
    Secrets { current, previous: previous.unwrap_or_default() }
}

const SHORTEST: usize = 32;
