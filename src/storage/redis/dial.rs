//! Opens connections: finds the server that holds the sessions, TCP or TLS, greets.
//!
//! TLS believes `world::roots`, never the system's store (the image has none), so sockets are opened here and handed to
//! the `redis` crate. All keys of one Vestibule lie in one slot of a Cluster: what guards an account is changed in one
//! step, which Redis offers within a slot only. So a Cluster is, like a set-up with Sentinels, a way to find *the*
//! primary; whoever has been demoted says so ([`Wire::confirm`]).

use std::{io, sync::Arc, time::Duration};

use ::redis::{
    AsyncConnectionConfig, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
};
use futures_util::future::select_ok;
use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use secrecy::ExposeSecret as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::NotOpened;
use crate::{
    config::session::redis::{Host, Login, Redis as Servers, Shape},
    world::roots,
};

/// Where to look, and how to speak there.
pub(crate) struct Dialer {
    servers: Servers,
    tls: Option<TlsConnector>,
    /// A name in our slot: whoever answers for it holds our keys.
    probe: String,
}

/// A server process, as it names itself (`run_id`): a name in DNS, or a balancer's address, may lead to another one each time.
/// `Err`: it may not be asked (an ACL without `+info`), or has no name.
pub(crate) type Server = Result<Arc<str>, RedisError>;

/// An open connection and its driver, which ends with it.
#[derive(Clone)]
pub(crate) struct Wire {
    pub connection: MultiplexedConnection,
    _driver: Arc<AbortOnDropHandle<()>>,
}

impl Dialer {
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be used.
    pub fn new(servers: Servers, probe: String) -> Result<Self, NotOpened> {
        let tls = servers.tls.then(connector).transpose()?;
        Ok(Self { servers, tls, probe })
    }

    /// The server that holds the sessions now. The first answer of anybody who knows.
    pub async fn find(&self) -> RedisResult<Host> {
        let asked: &[Host] = &self.servers.hosts;
        match (&self.servers.shape, asked) {
            (Shape::One, [host, ..]) => Ok(host.clone()),
            (_, []) => Err(io::Error::from(io::ErrorKind::InvalidInput).into()),
            (Shape::Sentinel(primary), hosts) => first(hosts.iter().map(|host| self.ask_sentinel(host, primary))).await,
            (_, hosts) => first(hosts.iter().map(|host| self.ask_node(host))).await,
        }
    }

    /// Connects to a server that holds sessions and makes sure that it still does; says who it is.
    pub async fn open(&self, host: &Host, config: AsyncConnectionConfig) -> RedisResult<(Wire, Server)> {
        let greeting = greeting(&self.servers.login).set_protocol(ProtocolVersion::RESP3).set_db(self.servers.database);
        let mut wire = self.wire(host, &greeting, config).await?;
        self.confirm(&mut wire).await?;
        let server = match named(&mut wire).await {
            Err(error) if !refused(&error) => return Err(error),
            server => server,
        };
        Ok((wire, server))
    }

    /// Whether the server at the other end is there and still the one that holds the sessions.
    pub async fn confirm(&self, wire: &mut Wire) -> RedisResult<()> {
        let link = &mut wire.connection;
        match self.servers.shape {
            Shape::One => ::redis::cmd("PING").query_async(link).await,
            // `MOVED` from whoever does not hold our slot, replicas included.
            Shape::Cluster => ::redis::cmd("EXISTS").arg(&self.probe).query_async(link).await,
            Shape::Sentinel(_) => {
                let role: Vec<Value> = ::redis::cmd("ROLE").query_async(link).await?;
                let primary = matches!(role.first(), Some(Value::BulkString(name)) if name == b"master");
                if primary {
                    Ok(())
                } else {
                    Err((ErrorKind::Client, "this server is not the primary (any more)").into())
                }
            }
        }
    }

    async fn ask_sentinel(&self, host: &Host, primary: &str) -> RedisResult<Host> {
        // Old Sentinels speak the old protocol only.
        let greeting = greeting(&self.servers.sentinel_login).set_protocol(ProtocolVersion::RESP2);
        let mut wire = self.wire(host, &greeting, AsyncConnectionConfig::new()).await?;
        let mut question = ::redis::cmd("SENTINEL");
        question.arg("get-master-addr-by-name").arg(primary);
        let found: Option<(String, u16)> = question.query_async(&mut wire.connection).await?;
        let (name, port) =
            found.ok_or((ErrorKind::MasterNameNotFoundBySentinel, "Sentinel knows no primary of that name"))?;
        Ok(Host { name, port })
    }

    async fn ask_node(&self, host: &Host) -> RedisResult<Host> {
        let greeting = greeting(&self.servers.login).set_protocol(ProtocolVersion::RESP3);
        let mut wire = self.wire(host, &greeting, AsyncConnectionConfig::new()).await?;
        let Err(error) = self.confirm(&mut wire).await else { return Ok(host.clone()) };
        let Some((moved, _)) = error.redirect_node() else { return Err(error) };
        // Without a name: another port of the node that was asked (as behind a tunnel).
        let moved = if moved.starts_with(':') { format!("{}{moved}", host.name) } else { bracketed(moved) };
        Host::parse(&moved, host.port).map_err(|_| error)
    }

    async fn wire(
        &self,
        host: &Host,
        greeting: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Wire> {
        let connect = async {
            let stream = TcpStream::connect((host.name.as_str(), host.port)).await?;
            stream.set_nodelay(true)?;
            match &self.tls {
                None => greet(stream, greeting, config).await,
                Some(tls) => {
                    let name = ServerName::try_from(host.name.clone()).map_err(io::Error::other)?;
                    greet(tls.connect(name, stream).await?, greeting, config).await
                }
            }
        };
        timeout(CONNECT, connect).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }
}

async fn named(wire: &mut Wire) -> Server {
    let told: String = ::redis::cmd("INFO").arg("server").query_async(&mut wire.connection).await?;
    let name = told.lines().find_map(|line| line.strip_prefix("run_id:")).filter(|name| !name.is_empty());
    name.map(Arc::from).ok_or_else(|| (ErrorKind::Extension, "INFO names no run_id").into())
}

async fn greet<S>(stream: S, greeting: &RedisConnectionInfo, config: AsyncConnectionConfig) -> RedisResult<Wire>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (connection, driver) = MultiplexedConnection::new_with_config(greeting, stream, config).await?;
    Ok(Wire { connection, _driver: Arc::new(AbortOnDropHandle::new(tokio::spawn(driver))) })
}

fn greeting(login: &Login) -> RedisConnectionInfo {
    let mut greeting = RedisConnectionInfo::default();
    if let Some(user) = &login.user {
        greeting = greeting.set_username(user);
    }
    if let Some(password) = &login.password {
        greeting = greeting.set_password(password.expose_secret());
    }
    greeting
}

fn connector() -> Result<TlsConnector, NotOpened> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(NotOpened::Tls)?
        .with_root_certificates(roots::store().map_err(NotOpened::Roots)?)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The first success; else the last failure.
async fn first<T>(asked: impl Iterator<Item = impl Future<Output = RedisResult<T>>>) -> RedisResult<T> {
    select_ok(asked.map(Box::pin)).await.map(|(found, _)| found)
}

/// Cluster nodes write IPv6 addresses bare.
fn bracketed(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((name, port)) if name.contains(':') && !name.starts_with('[') => format!("[{name}]:{port}"),
        _ => address.to_owned(),
    }
}

/// Whether this is the server's own word over a good link (`NOPERM`, `OOM`, `LOADING`).
pub(crate) fn refused(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Whether this answer means that another server holds the sessions now.
pub(crate) fn elsewhere(error: &RedisError) -> bool {
    const CODES: [&str; 5] = ["READONLY", "MOVED", "ASK", "CLUSTERDOWN", "MASTERDOWN"];
    error.code().is_some_and(|code| CODES.contains(&code))
        // Redis 6 wraps what a script met.
        || error.detail().is_some_and(|detail| detail.contains("READONLY"))
}

/// To connect, greeting included.
const CONNECT: Duration = Duration::from_secs(1);
