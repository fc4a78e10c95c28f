//! A number that only grows, counted by many threads without getting into each other's way.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// How often something happened. Cheap to clone; all clones are one counter.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<[Lane; LANES]>);

/// A cache line of its own: two threads that count never wait for each other's line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Lane(AtomicU64);

impl Counter {
    /// Once more: one relaxed add.
    pub fn add(&self) {
        if let Some(lane) = self.0.get(OWN.with(|own| *own)) {
            lane.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.iter().map(|lane| lane.0.load(Ordering::Relaxed)).sum()
    }
}

impl EncodeMetric for Counter {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, u64>(&self.get(), None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

thread_local! {
    /// This thread's lane. With more threads than lanes some share one, and still count right.
    static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
}

static NEXT: AtomicUsize = AtomicUsize::new(0);
const LANES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let counter = Counter::default();
        let threads = [(); 20].map(|()| {
            let counter = counter.clone();
            std::thread::spawn(move || (0..100).for_each(|_| counter.add()))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(counter.get(), 2_000);
    }
}
