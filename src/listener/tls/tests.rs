//! Handshakes with the certificates of files that change.

use std::{
    io::{Read, Write},
    path::Path,
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore, ServerConnection,
    pki_types::CertificateDer,
};

use super::*;

/// A self-signed certificate in files of its own.
pub(super) fn certificate(folder: &Path, names: &[&str]) -> Certificate {
    let stem = format!("{}-{}", names[0].replace('*', "any"), uuid::Uuid::new_v4().simple());
    let files = Certificate { cert: folder.join(format!("{stem}.pem")), key: folder.join(format!("{stem}.key")) };
    renew(&files, names);
    files
}

/// Other contents for the same files.
fn renew(files: &Certificate, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
}

struct Shaken {
    leaf: CertificateDer<'static>,
    kind: HandshakeKind,
    version: ProtocolVersion,
    /// `None` in a resumed TLS 1.2 handshake.
    group: Option<NamedGroup>,
}

/// A client that believes the certificate in `files`, and remembers its sessions.
fn client(files: &Certificate, versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.cert).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// One handshake in memory, and a byte each way, so that tickets arrive.
fn shake(acceptor: &TlsAcceptor, client: &Arc<ClientConfig>, name: &str) -> Result<Shaken, rustls::Error> {
    let mut server = ServerConnection::new(Arc::clone(acceptor.config())).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name.to_owned().try_into().unwrap()).unwrap();
    client.writer().write_all(b"a").unwrap();
    for _ in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut &wire[..]).unwrap();
        client.process_new_packets()?;
    }
    let mut came = [0];
    assert_eq!(server.reader().read(&mut came).unwrap(), 1);
    Ok(Shaken {
        leaf: client.peer_certificates().unwrap()[0].clone().into_owned(),
        kind: client.handshake_kind().unwrap(),
        version: client.protocol_version().unwrap(),
        group: client.negotiated_key_exchange_group().map(rustls::crypto::SupportedKxGroup::name),
    })
}

#[test]
fn the_key_exchange_is_hybrid_post_quantum_where_the_client_can() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), &["a.test"]);
    let (acceptor, _renewal) = acceptor(std::slice::from_ref(&files)).unwrap();
    let shaken = shake(&acceptor, &client(&files, rustls::ALL_VERSIONS), "a.test").unwrap();
    assert_eq!(shaken.group, Some(NamedGroup::X25519MLKEM768));
    assert_eq!(shaken.version, ProtocolVersion::TLSv1_3);
}

#[test]
fn sessions_resume_in_both_versions_and_never_with_early_data() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), &["a.test"]);
    let (acceptor, _renewal) = acceptor(std::slice::from_ref(&files)).unwrap();
    assert_eq!(acceptor.config().max_early_data_size, 0);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = client(&files, &[version]);
        assert_eq!(shake(&acceptor, &client, "a.test").unwrap().kind, HandshakeKind::Full);
        let second = shake(&acceptor, &client, "a.test").unwrap();
        assert_eq!((second.kind, second.version), (HandshakeKind::Resumed, version.version));
    }
}

#[test]
fn a_renewed_pair_replaces_the_old_once_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), &["a.test"]);
    let other = certificate(folder.path(), &["b.test"]);
    let (acceptor, mut renewal) = acceptor(&[files.clone(), other.clone()]).unwrap();
    let first = client(&files, rustls::ALL_VERSIONS);
    renew(&files, &["a.test", "c.test"]);
    renewal.look();
    assert!(shake(&acceptor, &first, "a.test").is_ok(), "seen once, it may still be being written");
    renewal.look();
    assert!(shake(&acceptor, &client(&files, rustls::ALL_VERSIONS), "c.test").is_ok());
    assert!(shake(&acceptor, &client(&other, rustls::ALL_VERSIONS), "b.test").is_ok(), "the other one stays");
}

#[test]
fn what_is_broken_or_does_not_belong_together_keeps_the_last_good() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), &["a.test"]);
    let (acceptor, mut renewal) = acceptor(std::slice::from_ref(&files)).unwrap();
    let good = client(&files, rustls::ALL_VERSIONS);
    let (cert, key) = (std::fs::read(&files.cert).unwrap(), std::fs::read(&files.key).unwrap());
    let stranger = certificate(folder.path(), &["a.test"]);
    let strange = std::fs::read(&stranger.cert).unwrap();
    for (what, bytes) in [("half", &cert[..cert.len() / 2]), ("empty", b""), ("another's", &strange), ("no PEM", b"x")]
    {
        std::fs::write(&files.cert, bytes).unwrap();
        (0..3).for_each(|_| renewal.look());
        assert!(shake(&acceptor, &good, "a.test").is_ok(), "{what}");
    }
    std::fs::remove_file(&files.cert).unwrap();
    (0..3).for_each(|_| renewal.look());
    assert!(shake(&acceptor, &good, "a.test").is_ok(), "gone");
    // Whole again, together with the stranger's key.
    std::fs::write(&files.cert, &strange).unwrap();
    std::fs::copy(&stranger.key, &files.key).unwrap();
    (0..2).for_each(|_| renewal.look());
    let leaf = shake(&acceptor, &client(&stranger, rustls::ALL_VERSIONS), "a.test").unwrap().leaf;
    std::fs::write(&files.cert, &cert).unwrap();
    std::fs::write(&files.key, &key).unwrap();
    (0..2).for_each(|_| renewal.look());
    assert_ne!(shake(&acceptor, &client(&files, rustls::ALL_VERSIONS), "a.test").unwrap().leaf, leaf, "and back");
}

#[test]
fn links_swapped_under_the_files_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str| {
        let made = certificate(folder.path(), &["a.test"]);
        let into = folder.path().join(name);
        std::fs::create_dir(&into).unwrap();
        std::fs::rename(&made.cert, into.join("tls.crt")).unwrap();
        std::fs::rename(&made.key, into.join("tls.key")).unwrap();
    };
    put("one");
    put("two");
    let data = folder.path().join("..data");
    std::os::unix::fs::symlink("one", &data).unwrap();
    let files = Certificate { cert: data.join("tls.crt"), key: data.join("tls.key") };
    let (acceptor, mut renewal) = acceptor(std::slice::from_ref(&files)).unwrap();
    let fresh = folder.path().join("..data_tmp");
    std::os::unix::fs::symlink("two", &fresh).unwrap();
    std::fs::rename(&fresh, &data).unwrap();
    (0..2).for_each(|_| renewal.look());
    assert!(shake(&acceptor, &client(&files, rustls::ALL_VERSIONS), "a.test").is_ok());
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
