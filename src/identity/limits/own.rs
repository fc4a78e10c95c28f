//! This process's own memory, bounded: the least used entries go first, except that what waits is never forgotten.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quick_cache::unsync::Cache;
use tokio::time::{Instant, sleep};

pub use super::file::NotOpened;
use super::{
    Admission, Correction, Key, TALLIES, USUAL, USUALS, WAITS, WINDOWS,
    file::{File, Row},
};
use crate::{
    identity::{
        account::AccountId,
        second_factor::{Claim, LIFE, Wait, Window},
        throttle::{Steps, Tally},
    },
    verify::Started,
    world::{Clock, UnixMillis},
};

/// What this process keeps, and the file behind it.
#[derive(Debug, Default)]
pub struct Own {
    memory: Mutex<Memory>,
    file: Option<File>,
}

#[derive(Debug)]
struct Memory {
    /// With the moment when nothing is left of each.
    tallies: Cache<Key, (Tally, UnixMillis)>,
    /// The last success.
    usual: Cache<Key, UnixMillis>,
    windows: Cache<Key, Window>,
    waits: HashMap<Key, Wait>,
    /// What the file does not know yet.
    changed: Changed,
}

#[derive(Debug)]
enum Changed {
    /// There is no file.
    Nobody,
    These(HashSet<(Kind, Key)>),
    /// Too many to tell apart: the file begins anew.
    All,
}

/// A kind of entry. Its number is written to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Tally = 0,
    Usual = 1,
    Window = 2,
    Wait = 3,
}

/// What is to be written.
pub(super) struct Batch {
    /// Whether all the file holds goes first.
    pub anew: bool,
    pub rows: Vec<Row>,
    pub gone: Vec<(Kind, Key)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            tallies: Cache::new(TALLIES),
            usual: Cache::new(USUALS),
            windows: Cache::new(WINDOWS),
            waits: HashMap::new(),
            changed: Changed::Nobody,
        }
    }
}

impl Own {
    pub(super) async fn open(data_dir: &Path) -> Result<Self, NotOpened> {
        let file = File::open(data_dir).await?;
        let mut memory = Memory { changed: Changed::These(HashSet::new()), ..Memory::default() };
        for row in file.rows().await? {
            memory.take_in(&row);
        }
        Ok(Self { memory: Mutex::new(memory), file: Some(file) })
    }

    pub(super) async fn keep(&self, clock: &Clock) {
        let mut swept: Option<Instant> = None;
        let mut failed = false;
        loop {
            sleep(if failed { RETRY } else { GATHER }).await;
            let mut written = self.write().await;
            if written.is_ok() && swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
                swept = Some(Instant::now());
                if let Some(file) = &self.file {
                    written = file.sweep(clock.now()).await;
                }
                self.lock().waits.retain(|_, wait| wait.runs(clock.now()));
            }
            match &written {
                Ok(()) if failed => tracing::info!("throttle.db is written again"),
                Err(error) if !failed => {
                    tracing::warn!(error = error as &dyn std::error::Error, "throttle.db cannot be written");
                }
                _ => {}
            }
            failed = written.is_err();
        }
    }

    pub(super) async fn close(&self) {
        if let Err(error) = self.write().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "throttle.db misses the last tries");
        }
        if let Some(file) = &self.file {
            file.close().await;
        }
    }

    /// Writes what changed; what could not be written still counts as changed.
    async fn write(&self) -> Result<(), sqlx::Error> {
        let Some(file) = &self.file else { return Ok(()) };
        let batch = self.lock().batch();
        let written = file.write(&batch).await;
        if written.is_err() {
            let mut memory = self.lock();
            if batch.anew {
                memory.changed = Changed::All;
            }
            batch.rows.iter().map(|row| (row.kind, row.key)).chain(batch.gone).for_each(|(kind, key)| {
                memory.changed(kind, key);
            });
        }
        written
    }

    pub(super) fn admit(&self, admission: &Admission, now: UnixMillis) -> Option<UnixMillis> {
        let mut memory = self.lock();
        let spared =
            admission.usual.is_some_and(|usual| memory.usual.get(&usual).is_some_and(|last| now < last.plus(USUAL)));
        let read = |memory: &Memory, bound: Option<(Key, Steps)>| {
            bound.map(|(key, steps)| {
                let tally = memory.tallies.get(&key).map_or_else(Tally::default, |(tally, _)| *tally);
                (key, steps, steps.current(tally, now))
            })
        };
        let pair = read(&memory, admission.pair);
        let known = pair.is_some_and(|(.., tally)| tally.tries > 0);
        let network = admission.network.filter(|_| !(admission.distinct && known));
        let wider = [read(&memory, network), read(&memory, admission.subject)];
        let blocked = |(_, steps, tally): &(Key, Steps, Tally)| steps.blocked(*tally, now);
        // Spared or not, every try is counted by all three: for others the wider bounds hold.
        let judged = pair.iter().chain(wider.iter().flatten().filter(|_| !spared));
        if let Some(until) = judged.filter_map(blocked).max() {
            return Some(until);
        }
        for (key, steps, tally) in pair.into_iter().chain(wider.into_iter().flatten()) {
            let tally = steps.counted(tally, now);
            memory.tallies.insert(key, (tally, steps.gone(tally)));
            memory.changed(Kind::Tally, key);
        }
        None
    }

    pub(super) fn correct(&self, correction: &Correction, now: UnixMillis) {
        let mut memory = self.lock();
        for key in &correction.forgotten {
            memory.tallies.remove(key);
            memory.changed(Kind::Tally, *key);
        }
        for key in &correction.taken_back {
            if let Some(mut tally) = memory.tallies.get_mut(key) {
                tally.0.tries = tally.0.tries.saturating_sub(1);
            }
            memory.changed(Kind::Tally, *key);
        }
        if let Some(key) = correction.usual {
            memory.usual.insert(key, now);
            memory.changed(Kind::Usual, key);
        }
    }

    pub(super) fn count(&self, key: Key, now: UnixMillis) -> Result<Window, Window> {
        let mut memory = self.lock();
        let window = Window::counted(memory.windows.get(&key).copied(), now)?;
        memory.windows.insert(key, window);
        memory.changed(Kind::Window, key);
        Ok(window)
    }

    pub(super) fn take_back(&self, key: Key) {
        let mut memory = self.lock();
        if let Some(mut window) = memory.windows.get_mut(&key) {
            window.tries = window.tries.saturating_sub(1);
        }
        memory.changed(Kind::Window, key);
    }

    pub(super) fn clear(&self, key: Key) {
        let mut memory = self.lock();
        memory.windows.remove(&key);
        memory.changed(Kind::Window, key);
    }

    pub(super) fn window(&self, key: Key, now: UnixMillis) -> Window {
        Window::current(self.lock().windows.get(&key).copied(), now)
    }

    pub(super) fn claim(&self, key: Key, wanted: Wait, now: UnixMillis) -> Result<Claim, UnixMillis> {
        let mut memory = self.lock();
        let (claim, wait) = Wait::claimed(memory.waits.get(&key).cloned(), wanted, now)?;
        if memory.waits.len() >= WAITS {
            memory.waits.retain(|_, wait| wait.runs(now));
            if memory.waits.len() >= WAITS && claim == Claim::Fresh {
                return Err(now.plus(LIFE));
            }
        }
        memory.put_wait(key, Some(wait));
        Ok(claim)
    }

    pub(super) fn restore(&self, key: Key, account: &AccountId, before: Wait) {
        let mut memory = self.lock();
        if memory.waits.get(&key).is_some_and(|wait| wait.account == *account) {
            memory.put_wait(key, Some(before));
        }
    }

    pub(super) fn sent(&self, key: Key, account: &AccountId, started: &Started) {
        let mut memory = self.lock();
        let wait = memory.waits.get(&key).filter(|wait| wait.account == *account).cloned();
        if let Some(wait) = wait {
            memory.put_wait(key, Some(Wait { started: Some(started.clone()), ..wait }));
        }
    }

    pub(super) fn lost(&self, key: Key, account: &AccountId, now: UnixMillis) -> bool {
        self.lock().waits.get(&key).is_some_and(|wait| wait.account != *account && wait.runs(now))
    }

    pub(super) fn release(&self, key: Key, account: &AccountId) {
        let mut memory = self.lock();
        if memory.waits.get(&key).is_some_and(|wait| wait.account == *account) {
            memory.put_wait(key, None);
        }
    }

    /// Tallies in memory, and in the file once it is written and swept.
    #[cfg(test)]
    pub(super) async fn count_all(&self, now: UnixMillis) -> (usize, usize) {
        self.write().await.unwrap();
        let file = self.file.as_ref().unwrap();
        file.sweep(now).await.unwrap();
        let rows = file.rows().await.unwrap().iter().filter(|row| row.kind == Kind::Tally).count();
        (self.lock().tallies.len(), rows)
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn put_wait(&mut self, key: Key, wait: Option<Wait>) {
        match wait {
            Some(wait) => self.waits.insert(key, wait),
            None => self.waits.remove(&key),
        };
        self.changed(Kind::Wait, key);
    }

    fn changed(&mut self, kind: Kind, key: Key) {
        if let Changed::These(keys) = &mut self.changed {
            keys.insert((kind, key));
            if keys.len() > MOST_CHANGED {
                self.changed = Changed::All;
            }
        }
    }

    /// What is to be written; from now on it counts as written.
    fn batch(&mut self) -> Batch {
        let none = Changed::These(HashSet::new());
        match &self.changed {
            Changed::Nobody => Batch { anew: false, rows: Vec::new(), gone: Vec::new() },
            Changed::These(keys) => {
                let (mut rows, mut gone) = (Vec::new(), Vec::new());
                for (kind, key) in keys {
                    match self.row(*kind, *key) {
                        Some(row) => rows.push(row),
                        None => gone.push((*kind, *key)),
                    }
                }
                self.changed = none;
                Batch { anew: false, rows, gone }
            }
            Changed::All => {
                let tallies = self.tallies.iter().map(|(key, _)| (Kind::Tally, *key));
                let usual = self.usual.iter().map(|(key, _)| (Kind::Usual, *key));
                let windows = self.windows.iter().map(|(key, _)| (Kind::Window, *key));
                let waits = self.waits.keys().map(|key| (Kind::Wait, *key));
                let all = tallies.chain(usual).chain(windows).chain(waits);
                let rows = all.filter_map(|(kind, key)| self.row(kind, key)).collect();
                self.changed = none;
                Batch { anew: true, rows, gone: Vec::new() }
            }
        }
    }

    /// An entry as the file keeps it. Looked at without counting as a use.
    fn row(&self, kind: Kind, key: Key) -> Option<Row> {
        let row = |value: serde_json::Result<String>, weight, at, until| {
            Some(Row { kind, key, value: value.ok()?, weight, at, until })
        };
        match kind {
            Kind::Tally => {
                let (tally, gone) = self.tallies.peek(&key)?;
                row(serde_json::to_string(tally), tally.tries, tally.last, *gone)
            }
            Kind::Usual => {
                let last = self.usual.peek(&key)?;
                row(serde_json::to_string(last), 0, *last, last.plus(USUAL))
            }
            Kind::Window => {
                let window = self.windows.peek(&key)?;
                row(serde_json::to_string(window), window.tries, window.began, window.until())
            }
            Kind::Wait => {
                let wait = self.waits.get(&key)?;
                row(serde_json::to_string(wait), 0, wait.until, wait.until)
            }
        }
    }

    /// Remembers a row of the file; one that cannot be read is passed over, and swept away in time.
    fn take_in(&mut self, row: &Row) {
        let value = row.value.as_str();
        match row.kind {
            Kind::Tally => {
                if let Ok(tally) = serde_json::from_str(value) {
                    self.tallies.insert(row.key, (tally, row.until));
                }
            }
            Kind::Usual => {
                if let Ok(last) = serde_json::from_str(value) {
                    self.usual.insert(row.key, last);
                }
            }
            Kind::Window => {
                if let Ok(window) = serde_json::from_str(value) {
                    self.windows.insert(row.key, window);
                }
            }
            Kind::Wait => {
                if let Ok(wait) = serde_json::from_str(value) {
                    self.waits.insert(row.key, wait);
                }
            }
        }
    }
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Tally, Self::Usual, Self::Window, Self::Wait];

    /// Rows kept.
    pub(super) fn most(self) -> usize {
        match self {
            Self::Tally => TALLIES,
            Self::Usual => USUALS,
            Self::Window => WINDOWS,
            Self::Wait => WAITS,
        }
    }
}

/// From a change to its writing, about.
const GATHER: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(10);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// More changes than that between two writings are not told apart.
const MOST_CHANGED: usize = 2 * TALLIES;

#[cfg(test)]
mod tests;
