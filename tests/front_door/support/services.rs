//! Real services: a Redis server of the test's own, databases in the PostgreSQL cluster that the test command started.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{eventually, free_ports};

const HOW: &str = "run `cargo xtask test`: it starts the services these tests need";

/// Dies with this process, even if that is killed: nothing is left running.
pub fn tied(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// A child that is killed when dropped.
#[derive(Debug)]
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis server with persistence in a folder of its own; it can be stopped and started again on the same port.
#[derive(Debug)]
pub struct Redis {
    /// Its port.
    pub port: u16,
    folder: tempfile::TempDir,
    child: Option<Guarded>,
}

impl Redis {
    /// A fresh server that answers.
    pub async fn start() -> Self {
        let [port] = free_ports();
        let mut redis = Self { port, folder: tempfile::tempdir().unwrap(), child: None };
        redis.resume().await;
        redis
    }

    /// A fresh server that speaks TLS only, as `localhost`.
    pub async fn encrypted(cert: &Path, key: &Path) -> Self {
        let [port] = free_ports();
        let child = tied("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", "0", "--tls-port", &port.to_string()])
            .args(["--tls-auth-clients", "no", "--tls-cert-file"])
            .arg(cert)
            .arg("--tls-key-file")
            .arg(key)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(HOW);
        let redis = Self { port, folder: tempfile::tempdir().unwrap(), child: Some(Guarded(child)) };
        eventually("Redis to answer", Duration::from_secs(20), async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        redis
    }

    /// `redis://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts again after [`Redis::stop`], with what it kept.
    pub async fn resume(&mut self) {
        let child = tied("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(HOW);
        self.child = Some(Guarded(child));
        eventually("Redis to answer", Duration::from_secs(20), async || {
            let mut link = redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.ok()?;
            redis::cmd("PING").query_async::<String>(&mut link).await.ok()
        })
        .await;
    }

    /// Kills it: connections are refused from now on.
    pub fn stop(&mut self) {
        self.child = None;
    }

    /// Sends it a signal: `STOP` makes it silent, `CONT` lets it go on.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().0.id();
        assert!(Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap().success());
    }

    /// One command, its answer as text.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        let mut link = redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut link).await.unwrap()
    }
}

/// A database of the test's own.
pub async fn postgres_database() -> String {
    let server = std::env::var("VESTIBULE_TEST_POSTGRES").expect(HOW);
    let pool = sqlx::PgPool::connect(&server).await.expect(HOW);
    let name = format!("t{}", uuid::Uuid::new_v4().simple());
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
    pool.close().await;
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    url.into()
}

/// Takes such a database away, also from who is connected.
pub async fn drop_postgres_database(url: &str) {
    let server = std::env::var("VESTIBULE_TEST_POSTGRES").expect(HOW);
    let pool = sqlx::PgPool::connect(&server).await.expect(HOW);
    let name = url::Url::parse(url).unwrap().path().trim_start_matches('/').to_owned();
    sqlx::query(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&pool).await.unwrap();
    pool.close().await;
}

/// A self-signed certificate for some names: (certificate file, key file, PEM of the certificate).
pub fn certificate(folder: &Path, names: &[&str]) -> (PathBuf, PathBuf, String) {
    let made =
        rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let stem = names[0].replace('*', "any");
    let (cert, key) = (folder.join(format!("{stem}.pem")), folder.join(format!("{stem}.key")));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key, made.cert.pem())
}

/// TLS with that certificate and key, as [`certificate`] wrote them.
pub fn tls_acceptor(cert: &Path, key: &Path) -> tokio_rustls::TlsAcceptor {
    use rustls_pki_types::pem::PemObject;
    let certificate = rustls_pki_types::CertificateDer::from_pem_file(cert).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    std::sync::Arc::new(config).into()
}

/// TLS in front of a plain server; ends with its task. Answers the port.
pub async fn tls_before(to: std::net::SocketAddr, acceptor: tokio_rustls::TlsAcceptor) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut secure = acceptor.accept(socket).await.ok()?;
                let mut plain = tokio::net::TcpStream::connect(to).await.ok()?;
                tokio::io::copy_bidirectional(&mut secure, &mut plain).await.ok()
            });
        }
    });
    port
}
