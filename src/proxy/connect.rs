//! A new connection to an upstream: TCP, TLS where asked, HTTP/1.1.
//!
//! Certificates are always verified, against the name in `site.upstream` (RFC 9525).

use std::{io, sync::Arc, time::Duration};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::{ProxyError, body::ClientBody};
use crate::{
    config::{limits::Limits, site::Upstream},
    world::roots,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How to reach one upstream.
pub(super) struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

/// One TLS configuration for all sites, made when the first needs it.
#[derive(Default)]
pub(super) struct Tls(Option<TlsConnector>);

impl Connector {
    /// `None` for the demo, which is in this process.
    pub fn new(upstream: &Upstream, limits: &Limits, tls: &mut Tls) -> Result<Option<Self>, BoxError> {
        let Upstream::Http { secure, host, port } = upstream else { return Ok(None) };
        let tls = if *secure { Some((tls.get()?, ServerName::try_from(host.clone())?)) } else { None };
        Ok(Some(Self { host: host.clone(), port: *port, tls, patience: limits.upstream_connect }))
    }

    /// A sender of requests; its connection runs in a task of its own and ends when the sender is dropped.
    pub async fn connect(&self) -> Result<SendRequest<ClientBody>, ProxyError> {
        match timeout(self.patience, self.open()).await {
            Ok(opened) => opened.map_err(ProxyError::Unreachable),
            Err(late) => Err(ProxyError::Unreachable(late.into())),
        }
    }

    async fn open(&self) -> Result<SendRequest<ClientBody>, BoxError> {
        let stream = self.tcp().await?;
        stream.set_nodelay(true)?;
        // An idle tunnel must find out that the other end vanished.
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER))?;
        match &self.tls {
            None => speak(stream).await,
            Some((tls, name)) => speak(tls.connect(name.clone(), stream).await?).await,
        }
    }

    /// The first address that answers; none may use up the time of the others.
    async fn tcp(&self) -> Result<TcpStream, BoxError> {
        let addresses: Vec<_> = lookup_host((self.host.as_str(), self.port)).await?.collect();
        let share = self.patience / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the upstream's name has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(late) => last = late.into(),
            }
        }
        Err(last.into())
    }
}

async fn speak<T>(stream: T) -> Result<SendRequest<ClientBody>, BoxError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // Whoever waits for an answer is told; this is for the others.
        if let Err(error) = connection.with_upgrades().await {
            debug!(%error, "an upstream connection ended");
        }
    });
    Ok(sender)
}

impl Tls {
    fn get(&mut self) -> Result<TlsConnector, BoxError> {
        if let Some(made) = &self.0 {
            return Ok(made.clone());
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots::store()?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(self.0.insert(TlsConnector::from(Arc::new(config))).clone())
    }
}

const PROBE_AFTER: Duration = Duration::from_secs(60);
