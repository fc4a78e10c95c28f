//! Which of a site's addresses a request goes to: of two at random, the one with fewer requests on their way.
//!
//! Addresses that rest or are not well are left out, unless all are: somebody has to be asked.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    ProxyError,
    endpoint::{Endpoint, Lease},
    upstreams::Target,
};
use crate::telemetry::metrics::PoolState;

/// A site's addresses on one data thread.
pub(super) struct Group {
    endpoints: Vec<Arc<Endpoint>>,
    dice: Dice,
}

/// What a connection is wanted for.
#[derive(Clone, Copy)]
pub(super) enum Want {
    /// Any will do.
    Request,
    /// None that was used before.
    Fresh,
    /// One that bytes can flow through both ways.
    Tunnel { web_socket: bool },
}

impl Group {
    /// `pools`: where the connections of each are counted; uncounted when there are too few.
    pub fn new(targets: &[Arc<Target>], pools: &mut impl Iterator<Item = PoolState>) -> Self {
        let endpoint = |target: &Arc<Target>| Endpoint::new(target, pools.next().unwrap_or_default());
        Self { endpoints: targets.iter().map(endpoint).collect(), dice: Dice(AtomicU64::new(0)) }
    }

    /// A connection to the better of two; when it cannot be reached, to another one, until all were tried. Nothing was sent by
    /// then.
    pub async fn lease(&self, want: Want, avoid: Option<&Arc<Endpoint>>) -> Result<Lease, ProxyError> {
        let first = avoid.and_then(|avoid| self.other_than(&[avoid])).or_else(|| self.choose());
        let first = first.ok_or_else(|| ProxyError::Broken("a site without an address".into()))?;
        match want.of(first).await {
            Err(ProxyError::Unreachable(why)) if self.endpoints.len() > 1 => {
                // Boxed: seldom, and every request would carry the room for it.
                Box::pin(self.lease_elsewhere(want, first, ProxyError::Unreachable(why))).await
            }
            leased => leased,
        }
    }

    async fn lease_elsewhere<'a>(
        &'a self,
        want: Want,
        first: &'a Arc<Endpoint>,
        mut last: ProxyError,
    ) -> Result<Lease, ProxyError> {
        let mut tried = vec![first];
        while let Some(next) = self.other_than(&tried) {
            match want.of(next).await {
                Err(unreachable @ ProxyError::Unreachable(_)) => last = unreachable,
                leased => return leased,
            }
            tried.push(next);
        }
        Err(last)
    }

    fn choose(&self) -> Option<&Arc<Endpoint>> {
        match &*self.endpoints {
            [only] => Some(only),
            several => self.better(several, |endpoint| endpoint.well()).or_else(|| self.better(several, |_| true)),
        }
    }

    /// `None` when all were tried.
    pub fn other_than(&self, tried: &[&Arc<Endpoint>]) -> Option<&Arc<Endpoint>> {
        if self.endpoints.len() < 2 {
            return None;
        }
        let other = |endpoint: &Endpoint| !tried.iter().any(|tried| std::ptr::eq(endpoint, &***tried));
        let well = |endpoint: &Endpoint| other(endpoint) && endpoint.well();
        self.better(&self.endpoints, well).or_else(|| self.better(&self.endpoints, other))
    }

    /// Power of two choices among those that `fit`.
    fn better<'a>(&self, endpoints: &'a [Arc<Endpoint>], fit: impl Fn(&Endpoint) -> bool) -> Option<&'a Arc<Endpoint>> {
        let fitting = || endpoints.iter().filter(|endpoint| fit(endpoint));
        let count = fitting().count();
        let one = self.dice.below(count)?;
        // Another one: the rest of the circle, from the next on.
        let two = self.dice.below(count - 1).map_or(one, |step| (one + 1 + step) % count);
        let (one, two) = (fitting().nth(one)?, fitting().nth(two)?);
        Some(if two.load() < one.load() { two } else { one })
    }
}

impl Want {
    async fn of(self, endpoint: &Arc<Endpoint>) -> Result<Lease, ProxyError> {
        match self {
            Self::Request => endpoint.lease().await,
            Self::Fresh => Box::pin(endpoint.connect()).await,
            Self::Tunnel { web_socket } => Box::pin(endpoint.tunnel(web_socket)).await,
        }
    }
}

/// Spreads load; nothing secret hangs on it (splitmix64 of a counter).
struct Dice(AtomicU64);

impl Dice {
    fn below(&self, count: usize) -> Option<usize> {
        let mut x = self.0.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
        usize::try_from((x ^ (x >> 31)) % count).ok()
    }
}
