//! `[password]`: how long, and what a hash costs.

use url::Url;

use super::{
    portal::{Reach, reach},
    reader::Section,
};

/// `[password]`
#[derive(Clone, Debug)]
pub struct Password {
    /// In code points, after NFC.
    pub min_length: usize,
    /// The range service asked whether a new password was in a breach; its address before the five digits.
    pub breached: Option<Url>,
    /// Argon2id memory, KiB.
    pub memory_kib: u32,
    /// Argon2id passes.
    pub iterations: u32,
    /// Argon2id lanes.
    pub parallelism: u32,
}

impl Default for Password {
    fn default() -> Self {
        // OWASP Password Storage Cheat Sheet: the 19 MiB configuration.
        Self { min_length: 10, breached: None, memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

pub(super) fn read(mut section: Section<'_>) -> Password {
    let default = Password::default();
    let min_length = section.number("min_length", 8..=128).map_or(default.min_length, |length| length as usize);
    let breached = section.parse("breached", range_service).flatten();
    let mut argon2 = section.section("argon2");
    let parallelism = argon2.number("parallelism", 1..=64).unwrap_or(default.parallelism);
    let memory_kib = argon2.number("memory_kib", 8..=4_194_304).unwrap_or(default.memory_kib);
    if memory_kib < 8 * parallelism {
        argon2.refuse("memory_kib", format!("has to be at least eight times the parallelism: {}", 8 * parallelism));
    }
    let iterations = argon2.number("iterations", 1..=1000).unwrap_or(default.iterations);
    argon2.finish();
    section.finish();
    Password { min_length, breached, memory_kib, iterations, parallelism }
}

fn range_service(text: &str) -> Result<Option<Url>, String> {
    if text == "off" {
        return Ok(None);
    }
    let url = Url::parse(text).map_err(|_| format!("`{text}` is neither \"off\" nor a URL"))?;
    let Some(host) = url.host() else { return Err(format!("`{text}` names no host")) };
    let plain = url.scheme() == "http" && reach(&host) != Reach::Public;
    if url.scheme() != "https" && !plain {
        return Err(format!("`{text}` has to be https: what is asked there tells of passwords"));
    }
    let bare = url.username().is_empty() && url.password().is_none();
    if !bare || url.query().is_some() || url.fragment().is_some() {
        return Err("takes an address alone: no name, no `?`, no `#`".into());
    }
    Ok(Some(url))
}
