//! A new connection to an upstream: TCP or a socket in the file system, TLS where asked, then HTTP.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};

use super::{
    ProxyError,
    http1::{Http1, Io},
    multiplexed::{self, Link},
    tls::{self, Tls},
};
use crate::config::{
    limits::Limits,
    site::{Address, Wire},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How to reach one address.
pub(super) struct Connector {
    place: Place,
    wire: Wire,
    tls: Option<Tls>,
    patience: Duration,
}

enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// What a connection will be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speak {
    /// Whatever the upstream prefers.
    Any,
    /// A tunnel that takes the whole connection.
    Http1,
}

/// A connection that is ready for a request.
pub(super) enum Opened {
    Http1(Box<Http1>),
    Http2(Arc<Link>),
}

impl Connector {
    /// # Errors
    /// A host that no certificate could hold.
    pub fn new(
        address: &Address,
        wire: Wire,
        settings: Option<&tls::Settings>,
        limits: &Limits,
    ) -> Result<Self, BoxError> {
        let (place, host) = match address {
            Address::Tcp { host, port } => (Place::Tcp { host: host.clone(), port: *port }, host.as_str()),
            Address::Unix(path) => (Place::Unix(path.clone()), "localhost"),
        };
        let tls = settings.map(|settings| settings.towards(host)).transpose()?;
        Ok(Self { place, wire, tls, patience: limits.upstream_connect })
    }

    /// How it is spoken to.
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// # Errors
    /// [`ProxyError::Unreachable`]
    pub async fn connect(&self, speak: Speak) -> Result<Opened, ProxyError> {
        match timeout(self.patience, self.open(speak)).await {
            Ok(opened) => opened.map_err(ProxyError::Unreachable),
            Err(late) => Err(ProxyError::Unreachable(late.into())),
        }
    }

    async fn open(&self, speak: Speak) -> Result<Opened, BoxError> {
        let (host, port) = match &self.place {
            Place::Unix(path) => return self.shake_hands(UnixStream::connect(path).await?).await,
            Place::Tcp { host, port } => (host, *port),
        };
        let stream = self.tcp(host, port).await?;
        stream.set_nodelay(true)?;
        // An idle tunnel must find out that the other end vanished.
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER))?;
        let Some(tls) = &self.tls else { return self.shake_hands(stream).await };
        let connector = if speak == Speak::Http1 { &tls.http1 } else { &tls.any };
        let stream = connector.connect(tls.name.clone(), stream).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(tls::HTTP2) => Ok(Opened::Http2(multiplexed::open(stream).await?)),
            _ => Ok(Opened::Http1(Box::new(Http1::new(stream)))),
        }
    }

    async fn shake_hands<T>(&self, stream: T) -> Result<Opened, BoxError>
    where
        T: Io + Sync + 'static,
    {
        Ok(match self.wire {
            Wire::PriorKnowledge => Opened::Http2(multiplexed::open(stream).await?),
            Wire::Plain | Wire::Tls => Opened::Http1(Box::new(Http1::new(stream))),
        })
    }

    /// The first address that answers; none may use up the time of the others.
    async fn tcp(&self, host: &str, port: u16) -> Result<TcpStream, BoxError> {
        let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
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

const PROBE_AFTER: Duration = Duration::from_secs(60);
