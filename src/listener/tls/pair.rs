//! A certificate chain and its key, read from their two files; only a pair that belongs together comes out.

use std::{fs, path::Path, sync::Arc};

use aws_lc_rs::digest::{self, SHA256};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use webpki::EndEntityCert;
use zeroize::Zeroizing;

use super::expiry;
use crate::config::listen::Certificate;

/// A chain and its key, ready to sign.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub key: Arc<CertifiedKey>,
    /// The DNS names the leaf is for, lower case; wildcards with their `*`.
    pub names: Vec<String>,
    /// When the leaf expires, as its log line says it.
    pub expires: String,
}

/// What both files held at one moment.
pub(super) struct Contents {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// Tells contents apart without keeping a private key.
pub(super) type Print = [u8; 32];

impl Contents {
    /// Reads both files; `index` is the pair's place in `listen.certificates`.
    ///
    /// # Errors
    /// A sentence that names the key and the file.
    pub fn read(index: usize, files: &Certificate) -> Result<Self, String> {
        let read = |field, path: &Path| {
            fs::read(path).map_err(|error| format!("{} cannot be read: {error}", place(index, field, path)))
        };
        Ok(Self { cert: read("cert", &files.cert)?, key: Zeroizing::new(read("key", &files.key)?) })
    }

    pub fn print(&self) -> Print {
        let mut both = digest::Context::new(&SHA256);
        both.update(&self.cert.len().to_be_bytes());
        both.update(&self.cert);
        both.update(&self.key);
        let mut print = Print::default();
        print.copy_from_slice(both.finish().as_ref());
        print
    }

    /// # Errors
    /// A sentence that names the key, the file and what is wrong with it.
    pub fn pair(&self, index: usize, files: &Certificate, provider: &CryptoProvider) -> Result<Pair, String> {
        let (cert, key) = (place(index, "cert", &files.cert), place(index, "key", &files.key));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{cert} cannot be read as PEM: {error}"))?;
        let leaf = chain.first().ok_or_else(|| format!("{cert} holds no certificate"))?;
        let (names, expires) =
            read_leaf(leaf).map_err(|error| format!("{cert} is not a usable certificate: {error}"))?;
        let private = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("{key} cannot be read as a PEM key: {error}"))?;
        let certified = CertifiedKey::from_der(chain, private, provider)
            .map_err(|error| format!("{key} does not belong to {cert} or cannot be used: {error}"))?;
        Ok(Pair { key: Arc::new(certified), names, expires })
    }
}

fn read_leaf(leaf: &CertificateDer<'_>) -> Result<(Vec<String>, String), webpki::Error> {
    let parsed = EndEntityCert::try_from(leaf)?;
    let names = parsed.valid_dns_names().map(str::to_ascii_lowercase).collect();
    let expires = expiry::of(leaf).map_or_else(|| "unknown".into(), |at| at.to_string());
    Ok((names, expires))
}

fn place(index: usize, field: &str, path: &Path) -> String {
    format!("`listen.certificates[{index}].{field}` ({})", path.display())
}
