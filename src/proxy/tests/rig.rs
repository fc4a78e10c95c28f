//! A small front door: everything but the gateway and its pages, and an upstream that is a script over a socket.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    time::timeout,
};

use crate::{
    assertion::Assertions,
    config::{
        identity::IdentityFields,
        limits::Limits,
        listen::Listen,
        portal::Portal,
        session,
        site::{Allow, PathPattern, Rule, Site, Upstream, Wire},
    },
    identity::{Authenticated, Method, Shown, account::Account},
    inbound::{
        self, Connection, Reader, Received,
        answer::{Answer, Outgoing},
    },
    listener::{Listener, Service},
    policy::{Decision, Policy, Subject},
    proxy::{Proxy, ProxyError, Upstreams},
    session::{Keys, Resumed, Sessions, Store},
    telemetry::metrics::Forwarding,
    world::{Clock, Entropy},
};

pub(super) struct Rig {
    pub address: SocketAddr,
    pub sessions: Sessions,
    /// `name=value` of Ada's session.
    pub cookie: String,
    _folder: tempfile::TempDir,
}

/// What `Rig::new` does not say is as in production.
pub(super) fn quick() -> Limits {
    Limits {
        idle_timeout: Duration::from_millis(400),
        upstream_connect: Duration::from_millis(500),
        upstream_response: Duration::from_millis(400),
        drain: Duration::from_secs(1),
        ..Limits::default()
    }
}

/// A site that is open to anyone, so that requests with and without a session get through.
pub(super) fn open_site(upstream: Upstream) -> Site {
    let path = PathPattern::Prefix("/".into());
    let rule = Rule { path, methods: Vec::new(), networks: Vec::new(), allow: Allow::Anyone, groups: Vec::new() };
    Site { upstream, rules: vec![rule], ..Site::default() }
}

impl Rig {
    pub async fn new(site: Site, limits: Limits) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let portal = Portal::default();
        let store = Store::embedded(folder.path()).await.unwrap();
        let keys = Keys::new(&"0123456789abcdef0123456789abcdef".into(), &[]);
        let sessions = Sessions::new(
            session::Session::default(),
            &portal.url,
            keys,
            store,
            Handle::current(),
            Clock::System,
            Entropy::System,
        );
        let cookie = sign_in(&sessions).await;
        let upstreams = Upstreams::new(std::slice::from_ref(&site), &limits, &Entropy::System).unwrap();
        let policy =
            Arc::new(Policy::new(&portal, &crate::config::accounts::Demanding::Nobody, std::slice::from_ref(&site)));
        let reader = Reader::new(Vec::new(), &Entropy::counting()).unwrap();
        let listen = Listen { http: Some(([127, 0, 0, 1], 0).into()), ..Listen::default() };
        let listener = Listener::bind(&listen, &limits).unwrap();
        let address = listener.addresses().0.unwrap();
        let make = {
            let sessions = sessions.clone();
            move || Door {
                reader: reader.clone(),
                policy: Arc::clone(&policy),
                proxy: Proxy::new(
                    &upstreams,
                    "/.auth",
                    IdentityFields::default(),
                    limits.clone(),
                    (sessions.clone(), Assertions::off()),
                    Forwarding::default(),
                    Clock::System,
                ),
                sessions: sessions.clone(),
            }
        };
        tokio::spawn(listener.run(1, make, std::future::pending()));
        Self { address, sessions, cookie, _folder: folder }
    }

    /// The session behind the cookie, as a request would find it.
    pub async fn end_session(&self) {
        let mut fields = http::HeaderMap::new();
        fields.insert("cookie", self.cookie.parse().unwrap());
        let Resumed::Live(live) = self.sessions.resume(&fields, Clock::System.now()).await else {
            panic!("no session")
        };
        self.sessions.end(&live).await.unwrap();
    }

    pub async fn open(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request and reads to the end of the connection. `{host}` and `{cookie}` are filled in.
    pub async fn ask(&self, request: &str) -> String {
        let mut stream = self.open().await;
        stream.write_all(self.fill(request).as_bytes()).await.unwrap();
        to_end(&mut stream).await
    }

    pub fn fill(&self, request: &str) -> String {
        request
            .replace("{host}", &format!("Host: localhost:{}\r\nConnection: close", self.address.port()))
            .replace("{cookie}", &format!("Cookie: a=1; {}; b=2", self.cookie))
    }
}

async fn sign_in(sessions: &Sessions) -> String {
    let now = Clock::System.now();
    let proof = Authenticated::for_testing(Account::for_testing("ada"), vec![Shown { method: Method::Pwd, at: now }]);
    let set = sessions.start(proof, false, crate::session::Place::default(), None, now).await.unwrap();
    set.to_str().unwrap().split(';').next().unwrap().to_owned()
}

pub(super) async fn to_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut all)).await;
    assert!(read.is_ok(), "still open after five seconds: {}", String::from_utf8_lossy(&all));
    String::from_utf8_lossy(&all).into_owned()
}

struct Door {
    reader: Reader,
    policy: Arc<Policy>,
    proxy: Proxy,
    sessions: Sessions,
}

impl Door {
    async fn answer(&self, received: Received, connection: &Connection) -> Result<Answer, u16> {
        let Received { parts, body } = received;
        let view = self.reader.read(&parts, connection).map_err(|_| 400_u16)?;
        let place = self.policy.route(&view, connection).map_err(|_| 421_u16)?;
        let now = Clock::System.now();
        let subject = match self.sessions.resume(&parts.headers, now).await {
            Resumed::Live(live) => Subject::Session(live),
            _ => Subject::Anonymous { ended: false },
        };
        let request = inbound::Request { view: Arc::new(view), parts, body };
        let Decision::Allow(grant) = self.policy.decide(request, place, subject, now) else { return Err(401) };
        self.proxy.forward(grant).await.map_err(|error| match error {
            ProxyError::Unreachable(_) | ProxyError::Broken(_) | ProxyError::Loop => 502,
            ProxyError::Silent => 504,
            ProxyError::Outside => 404,
            ProxyError::TooLarge => 413,
            ProxyError::Stalled => 408,
            ProxyError::ForeignOrigin => 403,
            ProxyError::Client(_) => 400,
            ProxyError::Ended => 403,
        })
    }
}

impl Service for Door {
    async fn serve(&self, received: Received, connection: &Connection) -> Answer {
        self.answer(received, connection).await.unwrap_or_else(|status| {
            let mut answer = Response::new(Outgoing::Empty);
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            answer
        })
    }
}

/// Runs `script` for every connection, with its number (from 0).
pub(super) struct Script {
    pub upstream: Upstream,
    port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Script {
    pub async fn run<F>(script: impl Fn(Upstreamed, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(script(Upstreamed { stream, unread: Vec::new() }, count.fetch_add(1, Ordering::SeqCst)));
            }
        });
        let upstream = Upstream::one(Wire::Plain, "127.0.0.1", port);
        Self { upstream, port, accepted }
    }

    /// Of its address.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// The upstream's end of a connection.
pub(super) struct Upstreamed {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Upstreamed {
    /// The next head, lower case names and all; `None` at the end.
    pub async fn head(&mut self) -> Option<String> {
        self.until("\r\n\r\n").await
    }

    /// Everything up to and with `mark`.
    pub async fn until(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some(at) = self.unread.windows(mark.len()).position(|part| part == mark.as_bytes()) {
                let rest = self.unread.split_off(at + mark.len());
                let text = std::mem::replace(&mut self.unread, rest);
                return Some(String::from_utf8_lossy(&text).into_owned());
            }
            if self.stream.read_buf(&mut self.unread).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// How much came and was not looked at.
    pub fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Waits for more.
    pub async fn more(&mut self) {
        assert!(self.stream.read_buf(&mut self.unread).await.unwrap() > 0, "the client broke off");
    }

    /// What came in one piece with the last thing read.
    pub fn early(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    /// Sends; a client that is gone is fine.
    pub async fn say(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Answers with what was received.
    pub async fn echo(&mut self, text: &str) {
        self.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())).await;
    }
}
