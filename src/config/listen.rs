//! `[listen]` and `[operations]`: the addresses we accept connections on, and whom we believe.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

/// `[listen]`
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// Plain HTTP/1.1 and HTTP/2 (prior knowledge).
    pub http: Option<SocketAddr>,
    /// TLS with ALPN `h2`, `http/1.1`.
    pub https: Option<SocketAddr>,
    /// PEM files; the first one answers clients that send no SNI.
    pub certificates: Vec<Certificate>,
    /// Networks whose `Forwarded` and `X-Forwarded-*` are believed. None by default.
    pub trusted_proxies: Vec<IpNet>,
}

/// One certificate chain and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// `[operations]`: `/healthz`, `/readyz`. Never on the public listener.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// `None` turns the listener off.
    pub listen: Option<SocketAddr>,
}
