//! Which certificate authorities this program believes when it is the client.
//!
//! Mozilla's list is compiled in (the image is `FROM scratch` and has no system store). The file that
//! `SSL_CERT_FILE` names, a PEM bundle, is believed as well: for mail servers, upstreams and proxies with a private authority.

use std::{env, ffi::OsString, path::PathBuf};

use rustls::{RootCertStore, pki_types::CertificateDer};
use rustls_pki_types::pem::{self, PemObject};

/// `SSL_CERT_FILE` names a file that cannot be used: the set-up's fault, so nothing starts.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// It cannot be opened or is not PEM.
    #[error("SSL_CERT_FILE ({}) cannot be read as PEM certificates", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// It was read, and there was no certificate in it that could be an authority.
    #[error("SSL_CERT_FILE ({}) holds no usable certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Mozilla's authorities and those of `SSL_CERT_FILE`.
///
/// # Errors
/// [`RootsError`] when `SSL_CERT_FILE` is set and cannot be used.
pub fn store() -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    store.add_parsable_certificates(extra()?);
    Ok(store)
}

/// The authorities of `SSL_CERT_FILE` alone, for libraries that bring Mozilla's themselves. Those that rustls
/// cannot parse are left out, as system bundles hold a few.
///
/// # Errors
/// [`RootsError`] when `SSL_CERT_FILE` is set and cannot be used.
pub fn extra() -> Result<Vec<CertificateDer<'static>>, RootsError> {
    from_file(env::var_os("SSL_CERT_FILE"))
}

fn from_file(name: Option<OsString>) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let Some(path) = name.filter(|name| !name.is_empty()).map(PathBuf::from) else { return Ok(Vec::new()) };
    let unreadable = |source| RootsError::Unreadable { path: path.clone(), source };
    let mut usable = Vec::new();
    for certificate in CertificateDer::pem_file_iter(&path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            usable.push(certificate);
        }
    }
    if usable.is_empty() { Err(RootsError::Empty { path }) } else { Ok(usable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unset_variable_adds_nothing() {
        assert!(from_file(None).unwrap().is_empty());
        assert!(from_file(Some(OsString::new())).unwrap().is_empty());
    }

    #[test]
    fn a_missing_bundle_is_an_error_and_not_silence() {
        let missing = Some("/nonexistent/authorities.pem".into());
        assert!(matches!(from_file(missing), Err(RootsError::Unreadable { .. })));
    }

    #[test]
    fn a_file_without_certificates_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.pem");
        std::fs::write(&path, "no certificate here\n").unwrap();
        assert!(matches!(from_file(Some(path.into())), Err(RootsError::Empty { .. })));
    }

    #[test]
    fn a_private_authority_is_read() {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.pem");
        std::fs::write(&path, key.cert.pem()).unwrap();
        assert_eq!(from_file(Some(path.into())).unwrap().len(), 1);
    }
}
