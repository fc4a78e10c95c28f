//! How often somebody may try: per account and client network together, per account, per network. Progressive.
//!
//! A try is counted before its outcome is known ([`Throttle::admit`]), so that a volley sent at once is no cheaper than
//! one after the other; [`Ticket::succeeded`] takes it back. Unknown names count like known ones. The account-wide bound
//! slows guessing from many networks, the network's bound slows one network guessing at many accounts. Both spare an
//! account at networks from which it signed in before: there the pair alone decides, so that neither strangers elsewhere
//! nor a neighbour behind the same address can lock an owner out. What that costs is bounded by the pair's own steps.
//!
//! The rule ([`Steps::blocked`]) is pure. What was counted lies where `limits` keeps it: shared by all nodes, or lasting.
//! While that is away nothing is admitted.

mod bounds;
mod rule;

pub use self::{
    bounds::Purpose,
    rule::{SKEW, Steps, Tally},
};
use super::{
    Refusal,
    limits::{Admission, Correction, Key, Limits, key},
};
use crate::{inbound::Client, world::UnixMillis};

/// Counts tries. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    limits: Limits,
}

/// A counted try. Dropped, it stays counted.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    limits: Limits,
    keys: Keys,
}

#[derive(Clone, Copy, Debug)]
struct Keys {
    pair: Key,
    subject: Key,
    network: Key,
    usual: Key,
}

impl Throttle {
    /// Over what `limits` keeps.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Counts a try of `subject` (an account's id, or the canonical form of what was typed) by `client`.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] with the moment the next try counts; this one did not. [`Refusal::Store`] when nobody can
    /// tell: it may have been counted.
    pub async fn admit(
        &self,
        purpose: Purpose,
        subject: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Ticket, Refusal> {
        let keys = Keys::new(purpose, subject, client);
        match self.limits.admit(&keys.admission(purpose), now).await? {
            Some(until) => Err(Refusal::Throttled { until }),
            None => Ok(Ticket { limits: self.limits.clone(), keys }),
        }
    }

    /// What was counted turned out to be wanted (the codes sent were read): the subject starts anew, and a bound that
    /// many share loses one try. A network's bound on tries keeps what it has.
    pub async fn forgive(&self, purpose: Purpose, subject: &str, client: &Client, now: UnixMillis) {
        let keys = Keys::new(purpose, subject, client);
        let (forgotten, taken_back) = match purpose {
            Purpose::Prefix => (vec![], vec![keys.subject]),
            Purpose::Number => (vec![keys.pair, keys.subject], vec![keys.network]),
            _ => (vec![keys.pair, keys.subject], vec![]),
        };
        correct(&self.limits, Correction { forgotten, taken_back, usual: None }, now).await;
    }
}

impl Ticket {
    /// The try succeeded: the pair starts anew, the wider bounds lose this try, and the network is a usual one now.
    pub async fn succeeded(self, now: UnixMillis) {
        let Keys { pair, subject, network, usual } = self.keys;
        let correction = Correction { forgotten: vec![pair], taken_back: vec![subject, network], usual: Some(usual) };
        correct(&self.limits, correction, now).await;
    }

    /// The try was never judged (a store was down, say): it does not count.
    pub async fn undo(self, now: UnixMillis) {
        let Keys { pair, subject, network, .. } = self.keys;
        let correction = Correction { forgotten: vec![], taken_back: vec![pair, subject, network], usual: None };
        correct(&self.limits, correction, now).await;
    }
}

/// Nobody shall fail because too much stays counted: that decays.
async fn correct(limits: &Limits, correction: Correction, now: UnixMillis) {
    if let Err(error) = limits.correct(&correction, now).await {
        tracing::debug!(error = %error.0, "a try that should not count stays counted");
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

    fn admission(&self, purpose: Purpose) -> Admission {
        let bounds = purpose.bounds();
        Admission {
            pair: bounds.pair.map(|steps| (self.pair, steps)),
            network: bounds.network.map(|steps| (self.network, steps)),
            subject: bounds.subject.map(|steps| (self.subject, steps)),
            usual: bounds.spares_usual.then_some(self.usual),
            distinct: bounds.distinct,
        }
    }
}

#[cfg(test)]
mod tests;
