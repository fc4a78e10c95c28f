//! `[listen]` and `[operations]`: the addresses we accept connections on, and whom we believe.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

use super::{reader::Section, units};

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
    /// Networks whose connections begin with a PROXY protocol header (versions 1 and 2), and have to. None by default.
    pub proxy_protocol: Vec<IpNet>,
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

pub(super) fn read(mut section: Section<'_>) -> Listen {
    let http = section.parse("http", units::address).unwrap_or(Some(DEFAULT_HTTP));
    let https = section.parse("https", units::address).flatten();
    let certificates: Vec<_> = section.sections("certificates").into_iter().filter_map(certificate).collect();
    if https.is_some() && certificates.is_empty() && !section.has("certificates") {
        section.refuse("https", "needs a certificate: certificates = [{ cert = \"wiki.pem\", key = \"wiki.key\" }]");
    }
    if http.is_none() && https.is_none() {
        section.refuse("http", "nothing to listen on: with listen.http off, set listen.https");
    }
    if http.is_some_and(|http| http.port() != 0 && https.is_some_and(|https| https == http)) {
        section.refuse("https", "is the address of listen.http: one port cannot speak both");
    }
    let trusted_proxies = section.list("trusted_proxies", units::network).unwrap_or_default();
    let proxy_protocol = section.list("proxy_protocol", units::network).unwrap_or_default();
    section.finish();
    Listen { http, https, certificates, trusted_proxies, proxy_protocol }
}

fn certificate(mut section: Section<'_>) -> Option<Certificate> {
    let mut file = |key| {
        let Some(path) = section.path(key) else {
            if !section.has(key) {
                section.refuse(key, "is missing: a certificate is { cert = \"chain.pem\", key = \"private.key\" }");
            }
            return None;
        };
        if let Err(error) = std::fs::File::open(&path)
            .and_then(|file| file.metadata())
            .and_then(|file| if file.is_dir() { Err(std::io::ErrorKind::IsADirectory.into()) } else { Ok(()) })
        {
            section.refuse(key, format!("{} cannot be read: {error}", path.display()));
        }
        Some(path)
    };
    let (cert, key) = (file("cert"), file("key"));
    section.finish();
    Some(Certificate { cert: cert?, key: key? })
}

pub(super) fn read_operations(mut section: Section<'_>) -> Operations {
    let listen = section.parse("listen", units::address).unwrap_or(Some(DEFAULT_OPERATIONS));
    section.finish();
    Operations { listen }
}

const DEFAULT_HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_OPERATIONS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);
