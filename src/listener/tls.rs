//! Certificates: read once, chosen by the name the client asks for.
//!
//! TLS 1.2 and 1.3 with aws-lc-rs; ALPN `h2`, then `http/1.1`. The first certificate answers clients that send no name
//! or one that no certificate holds. RFC 6066 §3, RFC 9525.

use std::{path::Path, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use crate::config::listen::Certificate;

/// The TLS side of `listen.https`.
///
/// # Errors
/// A sentence that names the key and the file.
pub(super) fn acceptor(certificates: &[Certificate]) -> Result<TlsAcceptor, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let keys = certificates
        .iter()
        .enumerate()
        .map(|(index, certificate)| read(index, certificate, &provider))
        .collect::<Result<Vec<_>, _>>()?;
    let default = keys.first().map(Arc::clone).ok_or("`listen.https` needs at least one of `listen.certificates`")?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName { keys, default }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| format!("TLS tickets cannot be set up: {error}"))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(index: usize, files: &Certificate, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, String> {
    let place = |field: &str, path: &Path| format!("`listen.certificates[{index}].{field}` ({})", path.display());
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{} cannot be read as PEM: {error}", place("cert", &files.cert)))?;
    let leaf = chain.first().ok_or_else(|| format!("{} holds no certificate", place("cert", &files.cert)))?;
    ParsedCertificate::try_from(leaf)
        .map_err(|error| format!("{} is not a usable certificate: {error}", place("cert", &files.cert)))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| format!("{} cannot be read as a PEM key: {error}", place("key", &files.key)))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let (cert, key) = (place("cert", &files.cert), place("key", &files.key));
        format!("{key} does not belong to {cert} or cannot be used: {error}")
    })?;
    Ok(Arc::new(certified))
}

/// Every certificate, in configuration order.
#[derive(Debug)]
struct ByName {
    keys: Vec<Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ByName {
    fn named(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = ServerName::try_from(name).ok()?;
        self.keys.iter().find(|key| holds(key, &name))
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.named(name));
        Some(Arc::clone(named.unwrap_or(&self.default)))
    }
}

fn holds(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    key.end_entity_cert()
        .and_then(ParsedCertificate::try_from)
        .is_ok_and(|certificate| rustls::client::verify_server_name(&certificate, name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(folder: &Path, names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let stem = names[0].replace('*', "any");
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (cert, key) = (folder.join(format!("{stem}.pem")), folder.join(format!("{stem}.key")));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Certificate { cert, key }
    }

    #[test]
    fn the_certificate_is_chosen_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = [certificate(folder.path(), &["a.example.com"]), certificate(folder.path(), &["*.example.org"])];
        let provider = aws_lc_rs::default_provider();
        let keys: Vec<_> = files.iter().enumerate().map(|(n, file)| read(n, file, &provider).unwrap()).collect();
        let by_name = ByName { default: Arc::clone(&keys[0]), keys };
        let chosen = |name| by_name.named(name).and_then(|key| by_name.keys.iter().position(|k| Arc::ptr_eq(k, key)));
        assert_eq!(chosen("a.example.com"), Some(0));
        assert_eq!(chosen("wiki.example.org"), Some(1));
        assert_eq!(chosen("b.example.com"), None);
    }

    #[test]
    fn a_missing_key_file_is_named_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = certificate(folder.path(), &["a.example.com"]);
        files.key = folder.path().join("gone.key");
        let said = acceptor(&[files]).err().unwrap();
        assert!(said.contains("listen.certificates[0].key") && said.contains("gone.key"), "{said}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (certificate(folder.path(), &["a.test"]), certificate(folder.path(), &["b.test"]));
        let said = acceptor(&[Certificate { cert: a.cert, key: b.key }]).err().unwrap();
        assert!(said.contains("does not belong"), "{said}");
    }
}
