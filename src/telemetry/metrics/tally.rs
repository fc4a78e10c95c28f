//! Counts of the kinds an enum names.

use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// What is told apart.
pub trait Kind: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// The label's name.
    const LABEL: &'static str;
    /// The label's values, in the order of [`Kind::place`].
    const NAMES: &'static [&'static str];

    /// Which of [`Kind::NAMES`].
    fn place(self) -> usize;
}

/// How often each kind came. Cheap to clone; all clones are one tally.
#[derive(Debug)]
pub struct Tally<K> {
    counts: Arc<[AtomicU64]>,
    kind: PhantomData<K>,
}

impl<K: Kind> Tally<K> {
    /// One more.
    pub fn count(&self, kind: K) {
        if let Some(count) = self.counts.get(kind.place()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<K: Kind> Default for Tally<K> {
    fn default() -> Self {
        Self { counts: K::NAMES.iter().map(|_| AtomicU64::new(0)).collect(), kind: PhantomData }
    }
}

impl<K> Clone for Tally<K> {
    fn clone(&self) -> Self {
        Self { counts: Arc::clone(&self.counts), kind: PhantomData }
    }
}

impl<K: Kind> EncodeMetric for Tally<K> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        for (name, count) in K::NAMES.iter().zip(&*self.counts) {
            let count = count.load(Ordering::Relaxed);
            encoder.encode_family(&[(K::LABEL, *name)])?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
