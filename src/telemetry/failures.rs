//! What the operator is mailed: events of our own at `ERROR`, counted by their words. Fields are left out, so that nothing of
//! a person or a request gets in; the log has them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::world::{Clock, UnixMillis};

/// Counts them. Cheap to clone: the subscriber has one, who mails has another.
#[derive(Clone, Debug)]
pub struct Failures {
    tally: Arc<Mutex<Tally>>,
    clock: Clock,
}

/// What failed since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By their words, in the order they came first; at most [`Tally::KINDS`].
    pub kinds: Vec<Failure>,
    /// How often anything else failed.
    pub others: u64,
}

/// One kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// "a mail did not leave and is dropped"; one line, at most [`Failure::LONGEST`] characters.
    pub words: String,
    /// How often.
    pub times: u64,
    /// The first time.
    pub first: UnixMillis,
    /// The last time.
    pub last: UnixMillis,
}

impl Tally {
    /// Of [`Tally::kinds`].
    pub const KINDS: usize = 50;

    /// Whether nothing failed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.others == 0
    }

    /// Counts one.
    fn count(&mut self, words: String, now: UnixMillis) {
        if let Some(known) = self.kinds.iter_mut().find(|known| known.words == words) {
            known.times += 1;
            known.last = now;
        } else if self.kinds.len() < Self::KINDS {
            self.kinds.push(Failure { words, times: 1, first: now, last: now });
        } else {
            self.others += 1;
        }
    }
}

impl Failure {
    /// Of [`Failure::words`].
    pub const LONGEST: usize = 200;
}

impl Failures {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { tally: Arc::default(), clock }
    }

    /// What failed since the last call.
    #[must_use]
    pub fn take(&self) -> Tally {
        std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Failures {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR || !super::is_ours(event.metadata()) {
            return;
        }
        let mut words = Words(String::new());
        event.record(&mut words);
        // Before the lock: reading the clock is none of its business.
        let now = self.clock.now();
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(words.0, now);
    }
}

/// The message of an event.
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let plain = |c: char| if c.is_control() { ' ' } else { c };
            self.0 = format!("{value:?}").chars().take(Failure::LONGEST).map(plain).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn counted(clock: Clock, act: impl FnOnce()) -> Tally {
        let failures = Failures::new(clock);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(failures.clone()), act);
        let tally = failures.take();
        assert!(failures.take().is_empty(), "taken once");
        tally
    }

    #[test]
    fn errors_of_our_own_are_counted_by_their_words_and_nothing_else_is() {
        let clock = Clock::manual(UnixMillis(1000));
        let tally = counted(clock.clone(), || {
            tracing::error!(reason = "a secret", "it broke");
            clock.advance(Duration::from_secs(5));
            tracing::error!(reason = "another secret", "it broke");
            tracing::error!("it bent");
            tracing::warn!("it creaked");
            tracing::error!(target: "sqlx", "a library's words");
            tracing::error!(target: "vestibule_lookalike", "a look-alike's words");
        });
        let failure = |words: &str, times, first, last| Failure {
            words: words.into(),
            times,
            first: UnixMillis(first),
            last: UnixMillis(last),
        };
        assert_eq!(
            tally,
            Tally { kinds: vec![failure("it broke", 2, 1000, 6000), failure("it bent", 1, 6000, 6000)], others: 0 }
        );
    }

    #[test]
    fn many_kinds_and_long_words_are_bounded() {
        let tally = counted(Clock::manual(UnixMillis(0)), || {
            for number in 0..200 {
                tracing::error!("{number} broke\n{}", "x".repeat(1000));
            }
        });
        assert_eq!((tally.kinds.len(), tally.others), (Tally::KINDS, 150));
        assert!(tally.kinds.iter().all(|kind| kind.words.chars().count() == 200 && !kind.words.contains('\n')));
    }
}
