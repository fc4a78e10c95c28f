//! The TLS side of `listen.https`: TLS 1.2 and 1.3 with aws-lc-rs, X25519MLKEM768 first, ALPN `h2`, then `http/1.1`.
//!
//! One configuration serves all threads, so that a ticket of one resumes on every other. Early data stays off: a request in
//! it can be replayed (RFC 8446 §8). Certificates are in [`names`], their files in [`pair`], their renewal in [`renewal`].

mod expiry;
mod names;
mod pair;
mod renewal;

use std::sync::Arc;

use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio_rustls::TlsAcceptor;

use self::names::Served;
pub(super) use self::renewal::Renewal;
use crate::config::listen::Certificate;

/// What accepts handshakes, and what keeps its certificates up to date.
///
/// # Errors
/// A sentence that names the key and the file.
pub(super) fn acceptor(certificates: &[Certificate]) -> Result<(TlsAcceptor, Renewal), String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let served = Arc::new(Served::default());
    let renewal = Renewal::first(certificates, &provider, Arc::clone(&served))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_no_client_auth()
        .with_cert_resolver(served);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Keys that change every six hours and are kept for one change longer. RFC 5077, RFC 8446 §2.2.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| format!("TLS tickets cannot be set up: {error}"))?;
    config.max_early_data_size = 0;
    Ok((TlsAcceptor::from(Arc::new(config)), renewal))
}

#[cfg(test)]
mod tests;
