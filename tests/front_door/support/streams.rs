//! An upstream that speaks HTTP/2 (h2c, or what ALPN chooses), or HTTP/1.1 on a socket in the file system; it records what
//! reached it.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy, split},
    net::{TcpListener, UnixListener},
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::upstream::Seen;

/// How it behaves.
#[derive(Clone, Default)]
pub struct Manner {
    /// TLS with this; ALPN as it says.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// HTTP/2 without ALPN.
    pub http2: bool,
    /// Whether it takes WebSockets by extended CONNECT.
    pub web_sockets: bool,
}

/// The upstream.
///
/// Paths with a meaning: `/echo` (the body comes back, its trailers as well), `/grpc` (frames come back as they come, then
/// `grpc-status: 0` in the trailers), `/sse` (an event every 50 ms), `/cut` (half a body, then reset), `/refused` (the first stream
/// is refused unprocessed), `/silent` (never an answer), `/last` (an answer, and the connection takes no more), `/big/BYTES`, `/ws`.
pub struct Streams {
    /// `h2c://127.0.0.1:port`, `https://localhost:port`, `unix:/…`
    pub url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    refused: AtomicUsize,
    given_up: AtomicUsize,
}

impl Streams {
    /// Listens on a free port.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match (&manner.tls, manner.http2) {
            (Some(_), _) => format!("https://localhost:{port}"),
            (None, true) => format!("h2c://127.0.0.1:{port}"),
            (None, false) => format!("http://127.0.0.1:{port}"),
        };
        let state = Arc::<State>::default();
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (manner, state) = (manner.clone(), shared.clone());
                tokio::spawn(async move {
                    let _ = socket.set_nodelay(true);
                    let Some(tls) = &manner.tls else { return serve(socket, manner.http2, &manner, state).await };
                    let Ok(socket) = TlsAcceptor::from(tls.clone()).accept(socket).await else { return };
                    let http2 = socket.get_ref().1.alpn_protocol() == Some(b"h2");
                    serve(socket, http2, &manner, state).await;
                });
            }
        });
        Self { url, state, task }
    }

    /// Listens on a socket in the file system.
    pub fn on_file(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let state = Arc::<State>::default();
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { serve(socket, false, &Manner::default(), state).await });
            }
        });
        Self { url: format!("unix:{}", path.display()), state, task }
    }

    /// The newest request.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.state.seen.lock().unwrap().last().cloned().expect("a request at the upstream")
    }

    /// How many arrived for a target.
    pub fn count(&self, target: &str) -> usize {
        self.state.seen.lock().unwrap().iter().filter(|seen| seen.target == target).count()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Requests that were reset before their answer.
    pub fn given_up(&self) -> usize {
        self.state.given_up.load(Ordering::SeqCst)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<T>(socket: T, http2: bool, manner: &Manner, state: Arc<State>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = state.connections.fetch_add(1, Ordering::SeqCst);
    let last = Arc::new(Notify::new());
    let closing = last.clone();
    let service = service_fn(move |request| answer(request, connection, state.clone(), last.clone()));
    let io = TokioIo::new(socket);
    if !http2 {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).with_upgrades().await;
        return;
    }
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    if manner.web_sockets {
        builder.enable_connect_protocol();
    }
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = closing.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

type Body = UnsyncBoxBody<Bytes, h2::Error>;

async fn answer(
    mut request: Request<Incoming>,
    connection: usize,
    state: Arc<State>,
    last: Arc<Notify>,
) -> Result<Response<Body>, h2::Error> {
    let path = request.uri().path().to_owned();
    let mut seen = head(&request, connection);
    let tunnel = request.method() == Method::CONNECT || request.headers().contains_key("upgrade");
    if path != "/echo" {
        state.seen.lock().unwrap().push(seen.clone());
    }
    let mut segments = path.trim_start_matches('/').split('/');
    match segments.next().unwrap_or_default() {
        "ws" if tunnel => Ok(web_socket(&mut request)),
        "echo" => {
            let whole = request.into_body().collect().await.map_err(|_| h2::Error::from(h2::Reason::CANCEL))?;
            let trailers = whole.trailers().cloned();
            let body = whole.to_bytes();
            seen.body = body.to_vec();
            seen.trailers = trailers.iter().flat_map(pairs).collect();
            state.seen.lock().unwrap().push(seen);
            let (send, answer) = channel("text/plain");
            let _ = send.send(Ok(Frame::data(body)));
            if let Some(trailers) = trailers {
                let _ = send.send(Ok(Frame::trailers(trailers)));
            }
            Ok(answer)
        }
        "grpc" => Ok(call(request.into_body())),
        "sse" => Ok(events()),
        "cut" => {
            let (send, answer) = channel("text/plain");
            let _ = send.send(Ok(Frame::data("half".into())));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let _ = send.send(Err(h2::Reason::INTERNAL_ERROR.into()));
            });
            Ok(answer)
        }
        "refused" if state.refused.fetch_add(1, Ordering::SeqCst) == 0 => Err(h2::Reason::REFUSED_STREAM.into()),
        "silent" => {
            let _given_up = GivenUp(state);
            std::future::pending().await
        }
        "last" => {
            last.notify_one();
            Ok(plain(StatusCode::OK, "no more"))
        }
        "missing" => Ok(plain(StatusCode::NOT_FOUND, "no such page")),
        "big" => Ok(big(segments.next().and_then(|count| count.parse().ok()).unwrap_or(0))),
        _ => Ok(plain(StatusCode::OK, "the site behind")),
    }
}

struct GivenUp(Arc<State>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.given_up.fetch_add(1, Ordering::SeqCst);
    }
}

fn head(request: &Request<Incoming>, connection: usize) -> Seen {
    let mut fields = pairs(request.headers());
    if let Some(authority) = request.uri().authority() {
        fields.push((":authority".into(), authority.to_string()));
    }
    if let Some(protocol) = request.extensions().get::<hyper::ext::Protocol>() {
        fields.push((":protocol".into(), protocol.as_str().into()));
    }
    Seen {
        method: request.method().to_string(),
        target: request.uri().path_and_query().unwrap().to_string(),
        fields,
        body: Vec::new(),
        trailers: Vec::new(),
        whole: false,
        connection,
    }
}

fn pairs(fields: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    fields.iter().map(pair).collect()
}

type Sender = mpsc::UnboundedSender<Result<Frame<Bytes>, h2::Error>>;

fn channel(kind: &str) -> (Sender, Response<Body>) {
    let (send, mut receive) = mpsc::unbounded_channel();
    let frames = futures_util::stream::poll_fn(move |cx| receive.poll_recv(cx));
    let answer = Response::builder().header("content-type", kind).body(StreamBody::new(frames).boxed_unsync());
    (send, answer.unwrap())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let body = http_body_util::Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {});
    Response::builder().status(status).body(body.boxed_unsync()).unwrap()
}

fn call(mut body: Incoming) -> Response<Body> {
    let (send, answer) = channel("application/grpc");
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                let _ = send.send(Ok(Frame::data(data)));
            }
        }
        let status = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
        let _ = send.send(Ok(Frame::trailers(status.into_iter().collect())));
    });
    answer
}

fn events() -> Response<Body> {
    let (send, answer) = channel("text/event-stream");
    tokio::spawn(async move {
        for number in 0.. {
            if send.send(Ok(Frame::data(format!("data: {number}\n\n").into()))).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    answer
}

fn big(count: usize) -> Response<Body> {
    let part = Bytes::from(vec![b'x'; 64 << 10]);
    let mut left = count;
    let frames = futures_util::stream::poll_fn(move |_| {
        let now = left.min(part.len());
        left -= now;
        std::task::Poll::Ready((now > 0).then(|| Ok(Frame::data(part.slice(..now)))))
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

/// Echoes bytes after the handshake, by whichever it was asked.
fn web_socket(request: &mut Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut *request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (mut reader, mut writer) = split(TokioIo::new(upgraded));
        let _ = copy(&mut reader, &mut writer).await;
    });
    if request.method() == Method::CONNECT {
        return plain(StatusCode::OK, "");
    }
    let key = request.headers()["sec-websocket-key"].as_bytes();
    let mut answer = plain(StatusCode::SWITCHING_PROTOCOLS, "");
    for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &accept(key))] {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}

/// RFC 6455 §4.2.2
pub fn accept(key: &[u8]) -> String {
    use base64::Engine;
    let salted = [key, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &salted);
    base64::engine::general_purpose::STANDARD.encode(digest)
}
