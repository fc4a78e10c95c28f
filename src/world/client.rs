//! The HTTP client of who asks other servers: our authorities, no redirects, nothing sent twice, a limit of time.

use std::{net::IpAddr, time::Duration};

use reqwest::redirect;
use url::{Host, Url};

use super::roots::{self, RootsError};

/// The client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// The certificate authorities.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// TLS itself.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The HTTP client.
    #[error("the HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
}

/// A client for what is beneath `base`; `whole` is from the start of a request to the end of its answer.
///
/// # Errors
/// [`NoClient`] when the set-up cannot work.
pub fn new(base: &Url, connect: Duration, whole: Duration) -> Result<reqwest::Client, NoClient> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots::store()?)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // A redirect would carry what is asked to an address nobody configured.
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect)
        .timeout(whole)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")));
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

const IDLE: Duration = Duration::from_secs(30);
