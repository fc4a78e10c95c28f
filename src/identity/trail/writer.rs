//! The one task that writes what many pages hand over, and drops what is too old.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::Entry;
use crate::{
    identity::{Identity, Refusal, account::AccountId, devices::Seen},
    world::{Clock, UnixMillis},
};

/// What one task writes.
#[derive(Clone, Debug)]
pub(in crate::identity) enum Item {
    Entry(Entry),
    /// A browser that signed in.
    Device(Seen),
}

/// What waits for the task that writes it. Bounded: what has no place is lost and counted.
#[derive(Debug)]
pub(in crate::identity) struct Waiting {
    queue: Mutex<Queue>,
    came: Notify,
    /// When an account's refusals that cost nobody anything were last kept: the rest of a storm is in the log only.
    told: quick_cache::sync::Cache<AccountId, UnixMillis>,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    lost: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { queue: Mutex::default(), came: Notify::new(), told: quick_cache::sync::Cache::new(ACCOUNTS_TOLD) }
    }
}

impl Waiting {
    pub(super) fn push(&self, item: Item) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.items.len() < MOST_WAITING {
            queue.items.push_back(item);
        } else {
            queue.lost += 1;
        }
        drop(queue);
        self.came.notify_one();
    }

    /// Whether such a refusal of that account was kept a short while ago; if not, this one is.
    pub(super) fn told_just_now(&self, account: &AccountId, now: UnixMillis) -> bool {
        let recent = self.told.get(account).is_some_and(|last| last <= now && now.since(last) < TOLD_EVERY);
        if !recent {
            self.told.insert(account.clone(), now);
        }
        recent
    }

    /// The oldest ones, and how many were lost since the last look. They stay until [`Waiting::written`].
    fn next(&self) -> (Vec<Item>, u64) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = std::mem::take(&mut queue.lost);
        (queue.items.iter().take(BATCH).cloned().collect(), lost)
    }

    fn written(&self, count: usize) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count.min(queue.items.len());
        queue.items.drain(..count);
    }
}

impl Identity {
    /// Writes what waits, and drops what is too old, for ever. `app` spawns it, once the tables are there.
    pub async fn keep_trail(self, clock: Clock) {
        let mut trimmed: Option<Instant> = None;
        let mut failed = false;
        loop {
            if trimmed.is_none_or(|at| at.elapsed() >= TRIM_EVERY) {
                if let Err(error) = self.trim_trail(clock.now()).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old entries of the trail were not dropped"
                    );
                }
                trimmed = Some(Instant::now());
            }
            let _ = timeout(TRIM_EVERY, self.inner.trail.came.notified()).await;
            // Others come meanwhile: one transaction for all of them.
            sleep(if failed { RETRY } else { GATHER }).await;
            let written = self.write_trail().await;
            match &written {
                Ok(()) if failed => tracing::info!("the trail is written again"),
                Err(error) if !failed => {
                    tracing::warn!(error = error as &dyn std::error::Error, "the trail waits for the database");
                }
                _ => {}
            }
            failed = written.is_err();
            if failed {
                self.inner.trail.came.notify_one();
            }
        }
    }

    /// Writes all that waits.
    ///
    /// # Errors
    /// [`Refusal::Store`]: it still waits.
    pub(in crate::identity) async fn write_trail(&self) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        loop {
            let (items, lost) = self.inner.trail.next();
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "too much waited to be written: entries are in the log only, and mails about new devices are not sent"
                );
            }
            if items.is_empty() {
                return Ok(());
            }
            let count = items.len();
            let (mut entries, mut news) = (Vec::new(), Vec::new());
            let mut tx = ledger.db().write().await?;
            for item in items {
                match item {
                    Item::Entry(entry) => entries.push(entry),
                    Item::Device(seen) => news.extend(self.meet(&mut tx, seen).await?),
                }
            }
            ledger.append(&mut tx, &entries).await?;
            tx.commit().await?;
            self.inner.trail.written(count);
            news.iter().for_each(|news| self.tell_news(news));
        }
    }

    /// Drops what is too old.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub(in crate::identity) async fn trim_trail(&self, now: UnixMillis) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.trim_trail(&mut tx, ago(now, KEPT), ago(now, REFUSALS_KEPT), MOST_REFUSALS).await?;
        Ok(tx.commit().await?)
    }
}

fn ago(now: UnixMillis, span: Duration) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}

/// Entries that wait at most: some megabytes.
const MOST_WAITING: usize = 10_000;
const BATCH: usize = 500;
const ACCOUNTS_TOLD: usize = 10_000;
const TOLD_EVERY: Duration = Duration::from_mins(1);
const GATHER: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(5);
const TRIM_EVERY: Duration = Duration::from_hours(24);
const KEPT: Duration = Duration::from_hours(400 * 24);
/// Strangers cause these: a storm of them shall not push out the rest, nor fill the disk.
const REFUSALS_KEPT: Duration = Duration::from_hours(90 * 24);
const MOST_REFUSALS: i64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_place_is_lost_and_counted_and_nobody_waits() {
        let waiting = Waiting::default();
        let seen = |number: i64| {
            let words = String::new();
            Item::Device(Seen {
                account: AccountId("a".into()),
                device: [0; 32],
                network: words.clone(),
                words,
                at: UnixMillis(number),
            })
        };
        let most = i64::try_from(MOST_WAITING).unwrap();
        for number in 0..most + 7 {
            waiting.push(seen(number));
        }
        let (first, lost) = waiting.next();
        assert_eq!((first.len(), lost), (BATCH, 7));
        assert!(matches!(&first[0], Item::Device(seen) if seen.at.0 == 0), "the oldest first");
        assert_eq!(waiting.next().1, 0, "counted once");
        waiting.written(BATCH);
        waiting.push(seen(most));
        assert_eq!(waiting.queue.lock().unwrap().items.len(), MOST_WAITING - BATCH + 1);
        let (next, lost) = waiting.next();
        assert_eq!(lost, 0);
        assert!(matches!(&next[0], Item::Device(seen) if seen.at.0 == i64::try_from(BATCH).unwrap()));
    }
}
