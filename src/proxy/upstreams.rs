//! What stands behind each site, shared by all data threads: addresses, TLS settings, and who is well.
//!
//! Made once at the start, which is when files are read and found wrong; `vestibule check` makes it to reach every address.
//! Connections belong to the threads ([`super::endpoint`]).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use futures_util::future::join_all;
use http::{HeaderName, HeaderValue};

use super::{
    connect::{Connector, Speak},
    probe, tls,
    via::Pseudonym,
};
use crate::{
    config::{
        limits::Limits,
        site::{Check, Site, Upstream},
    },
    world::Entropy,
};

/// Every site's upstreams, in configuration order. A cheap clone.
#[derive(Clone)]
pub struct Upstreams {
    sites: Arc<[Behind]>,
    /// Each site's `set_fields`.
    set: Arc<[Vec<(HeaderName, HeaderValue)>]>,
    pub(super) pseudonym: Pseudonym,
    pub(super) entropy: Entropy,
}

/// What stands behind one site.
pub(super) enum Behind {
    /// The demo, in this process.
    Demo,
    /// Servers that answer alike.
    Servers(Vec<Arc<Target>>, Option<Check>),
}

/// One address of a site.
pub(super) struct Target {
    pub connector: Connector,
    /// Its own authority, as it stands in `Host`.
    pub authority: HeaderValue,
    /// As it is written in the configuration.
    pub written: String,
    /// What the last active check found; true without one.
    well: AtomicBool,
}

/// What came of reaching one address: how it is written, and why it does not answer.
pub type Reached = (String, Result<(), Box<dyn std::error::Error + Send + Sync>>);

impl Upstreams {
    /// # Errors
    /// A sentence that names the key: a file of `[site.tls]`, or `SSL_CERT_FILE`, cannot be used.
    pub fn new(sites: &[Site], limits: &Limits, entropy: &Entropy) -> Result<Self, String> {
        let pseudonym = Pseudonym::new(entropy).map_err(|error| error.to_string())?;
        let set = sites.iter().map(|site| site.set_fields.clone()).collect();
        let sites =
            sites.iter().enumerate().map(|(index, site)| behind(index, site, limits)).collect::<Result<_, _>>()?;
        Ok(Self { sites, set, pseudonym, entropy: entropy.clone() })
    }

    /// Asks the upstreams of sites with `site.check` for their health, until dropped. On the service runtime.
    pub async fn check(self) {
        let mut probes = Vec::new();
        for behind in &*self.sites {
            if let Behind::Servers(targets, Some(check)) = behind {
                probes.extend(targets.iter().map(|target| probe::watch(target, check)));
            }
        }
        join_all(probes).await;
    }

    /// Reaches every address of a site once (`vestibule check`); none for the demo.
    pub async fn reach(&self, site: usize) -> Vec<Reached> {
        let Some(Behind::Servers(targets, _)) = self.sites.get(site) else { return Vec::new() };
        join_all(targets.iter().map(|target| async {
            let reached = target.connector.connect(Speak::Any).await;
            (target.written.clone(), reached.map(drop).map_err(super::ProxyError::into_source))
        }))
        .await
    }

    /// What stands behind each site, with its `set_fields`.
    pub(super) fn sites(&self) -> impl Iterator<Item = (&Behind, &[(HeaderName, HeaderValue)])> {
        self.sites.iter().zip(self.set.iter().map(Vec::as_slice))
    }
}

fn behind(index: usize, site: &Site, limits: &Limits) -> Result<Behind, String> {
    let Upstream::Servers { wire, addresses } = &site.upstream else { return Ok(Behind::Demo) };
    let settings = tls::Settings::new(index, *wire, &site.tls)?;
    let targets = addresses.iter().map(|address| {
        let authority = address.authority(*wire);
        let unusable = |why: &dyn fmt::Display| format!("site.{index}.upstream: `{authority}` cannot be used: {why}");
        Ok(Arc::new(Target {
            connector: Connector::new(address, *wire, settings.as_ref(), limits).map_err(|why| unusable(&why))?,
            authority: HeaderValue::try_from(&authority).map_err(|why| unusable(&why))?,
            written: address.written(*wire),
            well: AtomicBool::new(true),
        }))
    });
    Ok(Behind::Servers(targets.collect::<Result<_, String>>()?, site.check.clone()))
}

impl Target {
    /// Whether it may be asked, as far as active checks know.
    pub fn well(&self) -> bool {
        self.well.load(Relaxed)
    }

    /// Whether that is news.
    pub fn found(&self, well: bool) -> bool {
        self.well.swap(well, Relaxed) != well
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").field("sites", &self.sites.len()).finish_non_exhaustive()
    }
}
