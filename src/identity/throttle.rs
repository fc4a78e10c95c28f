//! How often somebody may try: per account and client network together, per account, per network. Progressive.
//!
//! A try is counted before its outcome is known ([`Throttle::admit`]), so that a volley sent at once is no cheaper than
//! one after the other; [`Ticket::succeeded`] takes it back. Unknown names count like known ones. The account-wide bound
//! slows guessing from many networks, the network's bound slows one network guessing at many accounts. Both spare an
//! account at networks from which it signed in before: there the pair alone decides, so that neither strangers elsewhere
//! nor a neighbour behind the same address can lock an owner out. What that costs is bounded by the pair's own steps.
//!
//! The rule ([`Steps::blocked`]) is pure. The memory is this process's own and bounded: the least used tallies go first.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;
use quick_cache::unsync::Cache;

use super::Refusal;
use crate::{inbound::Client, world::UnixMillis};

/// What is being tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A password.
    Password,
    /// A code of the second factor. Its own count: a right password does not reset it.
    Code,
    /// A recovery code. Its own count again: wrong codes of the other kind shall not close this way.
    Recovery,
    /// A passkey instead of name and password (subject: the account, if there is one).
    Passkey,
    /// Having a code sent.
    CodeSend,
    /// Registering (subject: the address's key).
    Register,
    /// Asking for a reset link (subject: the address's key).
    Forgot,
    /// Asking for a link that confirms the account's own address (subject: the account's id).
    Confirm,
    /// Sending a registration that has to be mended: it costs an estimate, and may tell of a name (no subject).
    Form,
    /// Having a code sent to a number nobody proved to have yet (subject: the number), whichever account asks.
    Number,
}

/// A bound: so many tries are free, then each waits longer than the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Tries before the first wait.
    pub free: u32,
    /// How long after a try the next one counts; the last one repeats.
    pub waits: &'static [Duration],
    /// After this long without a try, all is forgotten.
    pub forget: Duration,
}

/// What happened so far under one bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tries that did not succeed.
    pub tries: u32,
    /// The last of them.
    pub last: UnixMillis,
}

impl Steps {
    /// Until when the next try is refused; `None` when it may go ahead.
    #[must_use]
    pub fn blocked(&self, tally: Tally, now: UnixMillis) -> Option<UnixMillis> {
        let tally = self.current(tally, now);
        let over = usize::try_from(tally.tries.checked_sub(self.free)?).unwrap_or(usize::MAX);
        let wait = self.waits.get(over).or(self.waits.last())?;
        let until = tally.last.plus(*wait);
        (now < until).then_some(until)
    }

    /// The tally with one more try.
    #[must_use]
    pub fn counted(&self, tally: Tally, now: UnixMillis) -> Tally {
        Tally { tries: self.current(tally, now).tries.saturating_add(1), last: now }
    }

    fn current(&self, tally: Tally, now: UnixMillis) -> Tally {
        if now.since(tally.last) > self.forget { Tally::default() } else { tally }
    }
}

/// The three bounds of a purpose.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// This subject from this network.
    pair: Steps,
    /// This subject from anywhere.
    subject: Steps,
    /// Anything from this network.
    network: Steps,
    /// Whether pairs of earlier success are spared the two wider bounds.
    spares_usual: bool,
}

/// Counts tries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Throttle {
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug)]
struct Memory {
    tallies: Cache<Key, Tally>,
    usual: Cache<Key, ()>,
}

/// The first half of a SHA-256: whatever was typed, an entry has one small size.
type Key = [u8; 16];

/// A counted try. Dropped, it stays counted.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    throttle: Throttle,
    keys: Keys,
}

#[derive(Clone, Copy, Debug)]
struct Keys {
    pair: Key,
    subject: Key,
    network: Key,
    usual: Key,
}

impl Default for Throttle {
    fn default() -> Self {
        let memory = Memory { tallies: Cache::new(TALLIES), usual: Cache::new(USUAL) };
        Self { memory: Arc::new(Mutex::new(memory)) }
    }
}

impl Throttle {
    /// Counts a try of `subject` (an account's id, or the canonical form of what was typed) by `client`.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] with the moment the next try counts; this one did not.
    pub fn admit(&self, purpose: Purpose, subject: &str, client: &Client, now: UnixMillis) -> Result<Ticket, Refusal> {
        let keys = Keys::new(purpose, subject, client);
        let bounds = purpose.bounds();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let spared = bounds.spares_usual && memory.usual.get(&keys.usual).is_some();
        let counted = [(keys.pair, bounds.pair), (keys.network, bounds.network), (keys.subject, bounds.subject)]
            .map(|(key, steps)| (key, steps, memory.tallies.get(&key).copied().unwrap_or_default()));
        // Spared or not, every try is counted by all three: for others the wider bounds hold.
        let judged = counted.iter().filter(|(key, ..)| !spared || *key == keys.pair);
        let until = judged.filter_map(|(_, steps, tally)| steps.blocked(*tally, now)).max();
        if let Some(until) = until {
            return Err(Refusal::Throttled { until });
        }
        for (key, steps, tally) in counted {
            memory.tallies.insert(key, steps.counted(tally, now));
        }
        drop(memory);
        Ok(Ticket { throttle: self.clone(), keys })
    }

    /// What was counted turned out to be wanted (the codes sent were read): the subject starts anew. The network's
    /// bound keeps what it has.
    pub fn forgive(&self, purpose: Purpose, subject: &str, client: &Client) {
        let keys = Keys::new(purpose, subject, client);
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.tallies.remove(&keys.pair);
        memory.tallies.remove(&keys.subject);
    }
}

impl Ticket {
    /// The try succeeded: the pair starts anew, the wider bounds lose this try, and the network is a usual one now.
    pub fn succeeded(self) {
        let mut memory = self.throttle.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.tallies.remove(&self.keys.pair);
        memory.usual.insert(self.keys.usual, ());
        for key in [self.keys.subject, self.keys.network] {
            memory.take_back(&key);
        }
    }

    /// The try was never judged (a store was down, say): it does not count.
    pub fn undo(self) {
        let mut memory = self.throttle.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [self.keys.pair, self.keys.subject, self.keys.network] {
            memory.take_back(&key);
        }
    }
}

impl Memory {
    fn take_back(&mut self, key: &Key) {
        if let Some(mut tally) = self.tallies.get_mut(key) {
            tally.tries = tally.tries.saturating_sub(1);
        }
    }
}

impl Keys {
    fn new(purpose: Purpose, subject: &str, client: &Client) -> Self {
        let network = client.network().to_string();
        let purpose = purpose.name();
        Self {
            pair: key(&[purpose, "pair", &network, subject]),
            subject: key(&[purpose, "subject", subject]),
            network: key(&[purpose, "network", &network]),
            usual: key(&[purpose, "usual", &network, subject]),
        }
    }
}

/// The subject stands last in every list and the rest holds no NUL: no two lists meet.
fn key(parts: &[&str]) -> Key {
    let hash = digest::digest(&digest::SHA256, parts.join("\0").as_bytes());
    let mut key = Key::default();
    for (place, byte) in key.iter_mut().zip(hash.as_ref()) {
        *place = *byte;
    }
    key
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Recovery => "recovery",
            Self::Passkey => "passkey",
            Self::CodeSend => "code-send",
            Self::Register => "register",
            Self::Forgot => "forgot",
            Self::Confirm => "confirm",
            Self::Form => "form",
            Self::Number => "number",
        }
    }

    fn bounds(self) -> Bounds {
        match self {
            Self::Password => PASSWORD,
            Self::Code | Self::Recovery => CODE,
            // Nobody guesses a signature: only the work of checking it is bounded.
            Self::Passkey => FORM,
            Self::CodeSend => CODE_SEND,
            Self::Register | Self::Forgot | Self::Confirm => MAIL,
            Self::Form => FORM,
            Self::Number => NUMBER,
        }
    }
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const HOUR: Duration = s(3600);
const PASSWORD: Bounds = Bounds {
    pair: Steps { free: 5, waits: &[s(1), s(5), s(30), s(300)], forget: HOUR },
    subject: Steps { free: 100, waits: &[s(1), s(5), s(30)], forget: HOUR },
    network: Steps { free: 100, waits: &[s(1), s(2), s(5), s(10)], forget: s(900) },
    spares_usual: true,
};
/// Whoever gets here knows the password: the account's own bound is the tight one, wherever the tries come from.
const CODE: Bounds = Bounds {
    pair: Steps { free: 10, waits: &[s(60), s(300), s(900)], forget: HOUR },
    subject: Steps { free: 10, waits: &[s(60), s(300), s(900)], forget: HOUR },
    network: Steps { free: 100, waits: &[s(1), s(5), s(30)], forget: s(900) },
    spares_usual: false,
};
const CODE_SEND: Bounds = Bounds {
    pair: Steps { free: 5, waits: &[s(60), s(300), s(600)], forget: HOUR },
    subject: Steps { free: 8, waits: &[s(60), s(300), s(600)], forget: HOUR },
    network: Steps { free: 60, waits: &[s(5), s(30), s(60)], forget: s(900) },
    spares_usual: false,
};
/// Every try may send a mail to that address.
const MAIL: Bounds = Bounds {
    pair: Steps { free: 5, waits: &[s(60), s(300), s(900)], forget: HOUR },
    subject: Steps { free: 10, waits: &[s(60), s(300), s(900)], forget: HOUR },
    network: Steps { free: 50, waits: &[s(5), s(30), s(60)], forget: s(900) },
    spares_usual: false,
};
/// Mending a form a few times is no abuse; a network may.
const FORM: Bounds = Bounds {
    pair: NEVER,
    subject: NEVER,
    network: Steps { free: 100, waits: &[s(1), s(2), s(5), s(10)], forget: s(900) },
    spares_usual: false,
};
/// Somebody else may own that telephone: many accounts together get it to ring no more often than one.
const NUMBER: Bounds = Bounds {
    pair: NEVER,
    subject: Steps { free: 5, waits: &[s(60), s(300), s(600)], forget: HOUR },
    network: NEVER,
    spares_usual: false,
};
const NEVER: Steps = Steps { free: u32::MAX, waits: &[], forget: HOUR };
/// About 64 bytes each.
const TALLIES: usize = 200_000;
const USUAL: usize = 50_000;

#[cfg(test)]
mod tests;
