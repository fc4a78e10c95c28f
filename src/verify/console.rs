//! Codes for trying out: printed to the terminal, with the limits the real service has.

use std::{
    collections::HashMap,
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use subtle::ConstantTimeEq;

use super::{Channel, Checked, Codes, Destination, Started, VerifyError};
use crate::world::{Clock, Entropy, NoEntropy, UnixMillis};

/// Verifications under way, by destination: as at Twilio, one number has one code at a time.
#[derive(Debug)]
pub(super) struct Console {
    clock: Clock,
    entropy: Entropy,
    pending: Mutex<HashMap<String, Pending>>,
}

struct Pending {
    verification: String,
    code: String,
    expires_at: UnixMillis,
    sends: u32,
    checks: u32,
}

/// No more room for made-up numbers.
#[derive(Debug, thiserror::Error)]
#[error("too many codes are waiting in the terminal")]
struct Crowded;

impl Codes for Console {
    async fn start(&self, to: &Destination, channel: Channel, _locale: Option<&str>) -> Result<Started, VerifyError> {
        let now = self.clock.now();
        let (verification, code) = self.take(to, now)?;
        announce(to, channel, &code);
        Ok(Started { verification, channel, sent_at: now })
    }

    async fn check(&self, verification: &str, code: &str) -> Result<Checked, VerifyError> {
        let now = self.clock.now();
        let mut all = self.lock();
        let found = all.iter_mut().find(|(_, pending)| pending.verification == verification && pending.lives(now));
        let Some((to, pending)) = found else { return Ok(Checked::Gone) };
        let judged = pending.judge(code);
        if matches!(judged, Checked::Approved | Checked::Spent) {
            let to = to.clone();
            all.remove(&to);
        }
        Ok(judged)
    }

    async fn cancel(&self, verification: &str) {
        self.lock().retain(|_, pending| pending.verification != verification);
    }
}

impl Console {
    /// Without any code yet.
    pub(super) fn new(clock: Clock, entropy: Entropy) -> Self {
        Self { clock, entropy, pending: Mutex::default() }
    }

    /// Counts a send: the code under way, or a fresh one.
    fn take(&self, to: &Destination, now: UnixMillis) -> Result<(String, String), VerifyError> {
        let mut all = self.lock();
        all.retain(|_, pending| pending.lives(now));
        if let Some(pending) = all.get_mut(to.as_str()) {
            if pending.sends >= SENDS {
                return Err(VerifyError::Limited { code: 60203, retry_after: Some(pending.expires_at.since(now)) });
            }
            pending.sends += 1;
            return Ok((pending.verification.clone(), pending.code.clone()));
        }
        if all.len() >= ROOM {
            return Err(VerifyError::Down(Some(Box::new(Crowded))));
        }
        let fresh = Pending::fresh(&self.entropy, now).map_err(|error| VerifyError::Down(Some(Box::new(error))))?;
        let taken = (fresh.verification.clone(), fresh.code.clone());
        all.insert(to.as_str().to_owned(), fresh);
        Ok(taken)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn fresh(entropy: &Entropy, now: UnixMillis) -> Result<Self, NoEntropy> {
        let name = u128::from_be_bytes(entropy.bytes()?);
        Ok(Self {
            verification: format!("VE{name:032x}"),
            code: six_digits(entropy)?,
            expires_at: now.plus(LIFE),
            sends: 1,
            checks: 0,
        })
    }

    fn lives(&self, now: UnixMillis) -> bool {
        now < self.expires_at
    }

    fn judge(&mut self, code: &str) -> Checked {
        if self.checks >= CHECKS {
            return Checked::Spent;
        }
        self.checks += 1;
        if bool::from(self.code.as_bytes().ct_eq(code.as_bytes())) { Checked::Approved } else { Checked::Wrong }
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("sends", &self.sends).field("checks", &self.checks).finish_non_exhaustive()
    }
}

/// Uniform: draws beyond the last whole million are thrown away.
fn six_digits(entropy: &Entropy) -> Result<String, NoEntropy> {
    loop {
        let draw = u32::from_be_bytes(entropy.bytes()?);
        if draw < u32::MAX - u32::MAX % 1_000_000 {
            return Ok(format!("{:06}", draw % 1_000_000));
        }
    }
}

/// The one place where a code is shown. Not a log line: standard output, for the person at this terminal.
fn announce(to: &Destination, channel: Channel, code: &str) {
    let masked = to.masked();
    let way = match channel {
        Channel::Sms => "SMS",
        Channel::Call => "call",
        Channel::Whatsapp => "WhatsApp",
        Channel::Email => "e-mail",
    };
    let mut out = std::io::stdout().lock();
    let line = format!("\n── Trying out: a code for {masked} by {way}: {code} ──\n\n");
    // A closed terminal is no reason to fail.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

const LIFE: Duration = Duration::from_secs(600);
const SENDS: u32 = 5;
const CHECKS: u32 = 5;
const ROOM: usize = 10_000;

#[cfg(test)]
impl Console {
    /// The code under way for that destination.
    pub(super) fn code_for(&self, to: &Destination) -> Option<String> {
        self.lock().get(to.as_str()).map(|pending| pending.code.clone())
    }
}
