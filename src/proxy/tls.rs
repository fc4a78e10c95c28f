//! TLS towards an https upstream: whom we believe, which name its certificate must hold, and who we are.
//!
//! Certificates are always verified, against the host of `site.upstream` or `site.tls.server_name` (RFC 9525). ALPN offers
//! HTTP/2 and HTTP/1.1; a tunnel that HTTP/2 cannot carry asks for HTTP/1.1 alone.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use crate::{
    config::site::{UpstreamTls, Wire},
    world::roots,
};

/// One site's TLS, for all its addresses.
pub(super) struct Settings {
    any: TlsConnector,
    http1: TlsConnector,
    name: Option<ServerName<'static>>,
}

/// The same for one address.
pub(super) struct Tls {
    /// Offers HTTP/2, then HTTP/1.1.
    pub any: TlsConnector,
    /// Offers HTTP/1.1.
    pub http1: TlsConnector,
    pub name: ServerName<'static>,
}

impl Settings {
    /// `None` where nothing is spoken to over TLS.
    ///
    /// # Errors
    /// A sentence that names the key and the file.
    pub fn new(site: usize, wire: Wire, tls: &UpstreamTls) -> Result<Option<Self>, String> {
        if wire != Wire::Tls {
            return Ok(None);
        }
        let roots = match &tls.ca {
            Some(path) => authorities(path).map_err(|why| format!("{} {why}", key(site, "ca", path)))?,
            None => roots::store().map_err(|error| error.to_string())?,
        };
        let mut config = config(site, roots, tls.client.as_ref())?;
        config.alpn_protocols = vec![HTTP1.to_vec()];
        let http1 = TlsConnector::from(Arc::new(config.clone()));
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        let name = tls.server_name.clone().map(ServerName::try_from).transpose();
        let name = name.map_err(|error| format!("site.{site}.tls.server_name: {error}"))?;
        Ok(Some(Self { any: TlsConnector::from(Arc::new(config)), http1, name }))
    }

    /// `host`: of the address; needed where no name is configured.
    ///
    /// # Errors
    /// A host that no certificate could hold.
    pub fn towards(&self, host: &str) -> Result<Tls, rustls::pki_types::InvalidDnsNameError> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())?,
        };
        Ok(Tls { any: self.any.clone(), http1: self.http1.clone(), name })
    }
}

fn config(site: usize, roots: RootCertStore, client: Option<&(PathBuf, PathBuf)>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots);
    let Some((cert, private)) = client else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(cert).map_err(|why| format!("{} {why}", key(site, "cert", cert)))?;
    let unusable =
        |why: &dyn fmt::Display| format!("{} cannot be used with {}: {why}", key(site, "key", private), cert.display());
    let private = PrivateKeyDer::from_pem_file(private).map_err(|error| unusable(&error))?;
    builder.with_client_auth_cert(chain, private).map_err(|error| unusable(&error))
}

fn key(site: usize, field: &str, path: &Path) -> String {
    format!("site.{site}.tls.{field} ({})", path.display())
}

/// All of a bundle that is meant for one site must be usable: a silent omission would be found out at the first request.
fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| format!("holds a certificate that cannot be an authority: {error}"))?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|error| format!("cannot be read as PEM: {error}"))?;
    if all.is_empty() { Err("holds no certificate".into()) } else { Ok(all) }
}

/// What ALPN calls HTTP/2.
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
