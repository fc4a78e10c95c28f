//! How long something took, in fixed buckets. prometheus-client's own histogram locks a mutex for each observation.

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

/// Durations seen so far. Cheap to clone; all clones are one histogram.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Buckets>);

/// The counts themselves.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

/// The counts at a moment.
#[derive(Debug, Default)]
pub(super) struct Reading {
    counts: [u64; BOUNDS.len() + 1],
    microseconds: u64,
}

impl Histogram {
    /// It took that long.
    pub fn observe(&self, took: Duration) {
        self.0.observe(took);
    }
}

impl Buckets {
    /// Two relaxed adds.
    pub fn observe(&self, took: Duration) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.iter().position(|(bound, _)| microseconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }
}

impl Reading {
    /// Adds what another thread saw.
    pub fn add(&mut self, buckets: &Buckets) {
        for (sum, count) in self.counts.iter_mut().zip(&buckets.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
        self.microseconds = self.microseconds.wrapping_add(buckets.microseconds.load(Ordering::Relaxed));
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    pub fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.counts).collect();
        let seconds = Duration::from_micros(self.microseconds).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(seconds, self.counts.iter().sum(), &buckets, None)
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let mut reading = Reading::default();
        reading.add(&self.0);
        reading.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Upper bounds: microseconds, and the same in seconds as shown.
const BOUNDS: [(u64, f64); 12] = [
    (500, 0.0005),
    (1_000, 0.001),
    (2_500, 0.0025),
    (5_000, 0.005),
    (10_000, 0.01),
    (25_000, 0.025),
    (50_000, 0.05),
    (100_000, 0.1),
    (250_000, 0.25),
    (1_000_000, 1.0),
    (5_000_000, 5.0),
    (30_000_000, 30.0),
];
