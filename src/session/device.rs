//! The device cookie: by it an account's owner is told of a sign-in with a browser that never signed in before.
//!
//! It proves nothing and opens nothing. It stays on the portal's host, outlives sessions, and what is kept of it elsewhere
//! is its SHA-256.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::{
    Sessions,
    cookie::Presented,
    id::{self, Key},
    keys::Purpose,
};
use crate::world::NoEntropy;

impl Sessions {
    /// The SHA-256 of what the browser's device cookie holds (a new one's, where it sent none of ours), and the `Set-Cookie`
    /// value that keeps it for another 400 days.
    ///
    /// # Errors
    /// [`NoEntropy`] when the operating system has no random bytes.
    pub fn device(&self, fields: &HeaderMap) -> Result<([u8; 32], HeaderValue), NoEntropy> {
        let sent = match self.shared.cookies.device.read(fields) {
            Presented::Once(value) => id::open(&self.shared.keys, Purpose::Device, value),
            Presented::Absent | Presented::Ambiguous => None,
        };
        let device = match sent {
            Some(device) => device,
            None => self.shared.entropy.bytes()?,
        };
        let sealed = id::seal(&self.shared.keys, Purpose::Device, &device);
        Ok((Key::of(&device).0, self.shared.cookies.device.set(&sealed, Some(KEPT))))
    }
}

/// As long as browsers keep any cookie (RFC 6265bis §5.5).
const KEPT: Duration = Duration::from_hours(400 * 24);
