//! SCENARIO 45 for certificates: renewed files are taken up, broken ones are not, and no handshake fails meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;

use crate::support::{
    client::encrypt,
    eventually,
    program::{Program, Setup},
    services,
};

async fn leaf(tls: std::net::SocketAddr) -> CertificateDer<'static> {
    let stream = encrypt(TcpStream::connect(tls).await.unwrap(), "wiki.example.com", b"http/1.1").await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn told(program: &Program, words: &str) {
    program.printed(words, |line| line.contains(words).then_some(())).await;
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (cert, key, _) = services::certificate(folder.path(), &["wiki.example.com"]);
    let mut setup = Setup::demo();
    setup.listen = format!("https = \"127.0.0.1:{{tls}}\"\ncertificates = [{{ cert = {cert:?}, key = {key:?} }}]\n");
    let program = setup.start().await;
    program.ready().await;
    let first = leaf(program.tls).await;
    let done = Arc::new(AtomicBool::new(false));
    let meanwhile = tokio::spawn({
        let (done, tls) = (Arc::clone(&done), program.tls);
        async move {
            while !done.load(Relaxed) {
                // Panics when the handshake fails.
                leaf(tls).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    std::fs::write(&cert, "-----BEGIN CERTIFICATE-----\nhalf").unwrap();
    told(&program, "the last good certificate stays").await;
    assert_eq!(leaf(program.tls).await, first);
    let (other_cert, other_key, _) = services::certificate(fresh.path(), &["wiki.example.com"]);
    std::fs::copy(&other_cert, &cert).unwrap();
    std::fs::copy(&other_key, &key).unwrap();
    eventually("the renewed certificate", Duration::from_secs(20), async || {
        (leaf(program.tls).await != first).then_some(())
    })
    .await;
    told(&program, "a renewed certificate is served").await;
    done.store(true, Relaxed);
    meanwhile.await.expect("no handshake fails meanwhile");
    assert!(!program.output().contains("PRIVATE"), "no key is logged");
}
