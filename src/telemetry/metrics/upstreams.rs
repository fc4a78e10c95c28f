//! Connections towards upstreams: how many are open, idle, were made. Kept per data thread, as the pools are.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::{
    counter::Counter,
    gauge::{Gauge, Held},
    shards::Shards,
};

/// The pools of all data threads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Upstreams(Arc<All>);

#[derive(Debug)]
struct All {
    /// Site and upstream, as configured.
    names: Vec<(String, String)>,
    threads: Shards<Vec<PoolState>>,
}

/// One pool's connections. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PoolState {
    open: Gauge,
    idle: Gauge,
    connects: Counter,
    failures: Counter,
}

impl PoolState {
    /// A connection was made; it is open until what is given back is dropped.
    pub fn connected(&self) -> Held {
        self.connects.add();
        self.open.hold()
    }

    /// A connection could not be made.
    pub fn failed(&self) {
        self.failures.add();
    }

    /// So many are idle now: one relaxed store.
    pub fn idle(&self, count: usize) {
        self.idle.set(count);
    }
}

impl Upstreams {
    /// Site and upstream of each pool, in the order in which pools ask for theirs.
    #[must_use]
    pub fn new(names: Vec<(String, String)>) -> Self {
        Self(Arc::new(All { names, threads: Shards::default() }))
    }

    /// The states of one more data thread's pools, in that order.
    #[must_use]
    pub fn thread(&self) -> Vec<PoolState> {
        self.0.threads.add(self.0.names.iter().map(|_| PoolState::default()).collect()).to_vec()
    }

    /// Open connections, connects, failures.
    pub(super) fn views(&self) -> (Open, Total, Total) {
        let total = |what| Total { of: self.clone(), what };
        (Open(self.clone()), total(|pool| &pool.connects), total(|pool| &pool.failures))
    }

    fn sum<T: std::iter::Sum>(&self, pool: usize, of: impl Fn(&PoolState) -> T) -> T {
        self.0.threads.all().iter().filter_map(|thread| thread.get(pool).map(&of)).sum()
    }

    fn names(&self) -> impl Iterator<Item = (usize, [(&'static str, &str); 2])> {
        self.0
            .names
            .iter()
            .enumerate()
            .map(|(pool, (site, upstream))| (pool, [("site", site.as_str()), ("upstream", upstream.as_str())]))
    }
}

#[derive(Debug)]
pub(super) struct Open(Upstreams);

#[derive(Debug)]
pub(super) struct Total {
    of: Upstreams,
    what: fn(&PoolState) -> &Counter,
}

impl EncodeMetric for Open {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        for (pool, [site, upstream]) in self.0.names() {
            let idle = self.0.sum(pool, |pool| pool.idle.get());
            // The two numbers are read one after the other.
            let used = (self.0.sum(pool, |pool| pool.open.get()) - idle).max(0);
            for (state, count) in [("idle", idle), ("in-use", used)] {
                encoder.encode_family(&[site, upstream, ("state", state)])?.encode_gauge(&count)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        for (pool, labels) in self.of.names() {
            let sum = self.of.sum(pool, |pool| (self.what)(pool).get());
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&sum, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
