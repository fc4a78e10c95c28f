//! Requests: per site, outcome and class of status, with how long they took. Kept per data thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::{
    histogram::{Buckets, Reading},
    shards::Shards,
};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream answered.
    Forwarded,
    /// A page of the portal.
    Page,
    /// Sign in, or show a second factor, first.
    SignInFirst,
    /// Signed in, and not allowed.
    Denied,
    /// Malformed, ambiguous, misdirected, too large: the client's affair.
    Refused,
    /// The upstream, a store or we ourselves failed.
    Failed,
    /// The client did not wait.
    Abandoned,
}

/// Where a request belonged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A site, by its number in the configuration.
    Site(usize),
    /// The portal's pages.
    Portal,
    /// It never came so far.
    Nowhere,
}

/// The requests of all data threads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Requests(Arc<All>);

#[derive(Debug)]
struct All {
    /// What each line is called: the sites, the portal, nowhere.
    names: Vec<String>,
    threads: Shards<Vec<[Cell; OUTCOMES.len()]>>,
}

/// One data thread's requests.
#[derive(Clone, Debug)]
pub struct Board(Arc<Vec<[Cell; OUTCOMES.len()]>>);

/// The requests of one site and outcome.
#[derive(Debug, Default)]
struct Cell {
    /// By class; the last is "no answer".
    statuses: [AtomicU64; STATUSES.len()],
    took: Buckets,
}

impl Requests {
    /// `sites`: their labels, in configuration order.
    #[must_use]
    pub fn new(sites: Vec<String>) -> Self {
        let names = sites.into_iter().chain(["portal".to_owned(), "-".to_owned()]).collect();
        Self(Arc::new(All { names, threads: Shards::default() }))
    }

    /// A board for one more data thread.
    #[must_use]
    pub fn thread(&self) -> Board {
        Board(self.0.threads.add(self.0.names.iter().map(|_| Default::default()).collect()))
    }

    pub(super) fn counts(&self) -> impl EncodeMetric + std::fmt::Debug + use<> {
        Counts(self.clone())
    }

    pub(super) fn times(&self) -> impl EncodeMetric + std::fmt::Debug + use<> {
        Times(self.clone())
    }
}

impl Board {
    /// One request is over: three relaxed adds. `status`: `None` when the client did not wait for one.
    pub fn answered(&self, place: Place, outcome: Outcome, status: Option<u16>, took: Duration) {
        let sites = self.0.len().saturating_sub(2);
        let line = match place {
            Place::Site(index) if index < sites => index,
            Place::Portal => sites,
            Place::Site(_) | Place::Nowhere => sites + 1,
        };
        let Some(cell) = self.0.get(line).and_then(|line| line.get(outcome as usize)) else { return };
        let class = status.map_or(usize::MAX, |status| usize::from(status / 100).wrapping_sub(1));
        if let Some(count) = cell.statuses.get(class.min(STATUSES.len() - 1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        cell.took.observe(took);
    }
}

#[derive(Debug)]
struct Counts(Requests);

#[derive(Debug)]
struct Times(Requests);

impl EncodeMetric for Counts {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let threads = self.0.0.threads.all();
        let cells = |line, outcome| threads.iter().filter_map(move |thread| cell(thread, line, outcome));
        for (line, site) in self.0.0.names.iter().enumerate() {
            for (outcome, name) in OUTCOMES.iter().enumerate() {
                for (class, status) in STATUSES.iter().enumerate() {
                    let count = |cell: &Cell| cell.statuses.get(class).map_or(0, |count| count.load(Ordering::Relaxed));
                    let sum: u64 = cells(line, outcome).map(count).sum();
                    // Most never happen: the list stays short.
                    if sum > 0 {
                        let labels = [("site", site.as_str()), ("outcome", name), ("status", status)];
                        encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&sum, None)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

impl EncodeMetric for Times {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let threads = self.0.0.threads.all();
        for (line, site) in self.0.0.names.iter().enumerate() {
            for (outcome, name) in OUTCOMES.iter().enumerate() {
                let mut reading = Reading::default();
                threads
                    .iter()
                    .filter_map(|thread| cell(thread, line, outcome))
                    .for_each(|cell| reading.add(&cell.took));
                if !reading.is_empty() {
                    reading.encode(encoder.encode_family(&[("site", site.as_str()), ("outcome", name)])?)?;
                }
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

fn cell(thread: &[[Cell; OUTCOMES.len()]], line: usize, outcome: usize) -> Option<&Cell> {
    thread.get(line)?.get(outcome)
}

/// In the order of [`Outcome`].
const OUTCOMES: [&str; 7] = ["forwarded", "page", "sign-in-first", "denied", "refused", "failed", "abandoned"];
const STATUSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];
