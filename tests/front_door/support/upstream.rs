//! An upstream that records exactly what reached it, byte for byte, and answers as its path says.
//!
//! It reads sockets itself: what a library would tidy away is what the tests look for.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`
    pub method: String,
    /// The request target, as sent.
    pub target: String,
    /// Fields in order: name as sent, value.
    pub fields: Vec<(String, String)>,
    /// The body, unframed.
    pub body: Vec<u8>,
    /// Trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Its body came to its end.
    pub whole: bool,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl Seen {
    /// All values under a name, any case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// The one value under a name.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} came {} times: {all:?}", all.len());
        all.first().copied()
    }
}

/// The upstream.
///
/// Paths with a meaning (the first segment; anything else is 200 with a small body):
/// `/status/503`, `/sse` (an event every 50 ms), `/slow/MS` (head after that long), `/stall` (head and half a body, then silence),
/// `/drip/COUNT` (a byte every 200 ms, their number known beforehand), `/cut` (head and half a body, then the connection closes), `/big/BYTES`, `/ws` (101, then echoes bytes), `/nows` (200 to an upgrade),
/// `/cookies/NAME/NAME` (sets `a`, those names, `b`), `/cache` (`Cache-Control: public, s-maxage=60`), `/hints` (103, then 200), `/trailers`,
/// `/health` (200, or as `answer_health_with` says), `/redirect/TARGET` (302 to the percent-encoded target),
/// `/stale` (answers as if the connection stayed open, then closes it), `/close` (answers, then closes), `/drop` (closes without
/// an answer), `/echo` (the body comes back).
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    health: Arc<AtomicU16>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let health = Arc::new(AtomicU16::new(200));
        let (record, now) = (seen.clone(), health.clone());
        let task = tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, connection, record.clone(), now.clone()));
                connection += 1;
            }
        });
        Self { address, seen, health, task }
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests whose target is that.
    pub fn seen_at(&self, target: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|one| one.target == target).collect()
    }

    /// The newest request.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("a request at the upstream")
    }

    /// What `/health` says from now on.
    pub fn answer_health_with(&self, status: u16) {
        self.health.store(status, Ordering::SeqCst);
    }

    /// Forgets what arrived.
    pub fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: TcpStream, connection: usize, record: Arc<Mutex<Vec<Seen>>>, health: Arc<AtomicU16>) {
    let _ = socket.set_nodelay(true);
    let mut socket = BufReader::new(socket);
    while let Some(mut seen) = head(&mut socket).await {
        seen.connection = connection;
        let upgrade = !seen.all("upgrade").is_empty();
        let expects = seen.all("expect").iter().any(|value| value.eq_ignore_ascii_case("100-continue"));
        if expects && socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
            return;
        }
        let whole = body(&mut socket, &mut seen).await;
        seen.whole = whole;
        let target = match seen.target.as_str() {
            "/health" => format!("/status/{}", health.load(Ordering::SeqCst)),
            other => other.to_owned(),
        };
        let echo = seen.body.clone();
        record.lock().unwrap().push(seen);
        if !whole || !answer(&mut socket, &target, upgrade, &echo).await {
            return;
        }
    }
}

async fn line(socket: &mut BufReader<TcpStream>) -> Option<String> {
    let mut bytes = Vec::new();
    socket.read_until(b'\n', &mut bytes).await.ok().filter(|count| *count > 0)?;
    while bytes.ends_with(b"\n") || bytes.ends_with(b"\r") {
        bytes.pop();
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

async fn fields(socket: &mut BufReader<TcpStream>) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(socket).await?;
        if line.is_empty() {
            return Some(fields);
        }
        let (name, value) = line.split_once(':')?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

async fn head(socket: &mut BufReader<TcpStream>) -> Option<Seen> {
    let start = line(socket).await?;
    let mut words = start.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let fields = fields(socket).await?;
    Some(Seen { method, target, fields, body: Vec::new(), trailers: Vec::new(), whole: false, connection: 0 })
}

/// Reads the body into `seen`; false when the peer broke off.
async fn body(socket: &mut BufReader<TcpStream>, seen: &mut Seen) -> bool {
    if seen.all("transfer-encoding").iter().any(|value| value.eq_ignore_ascii_case("chunked")) {
        return chunks(socket, seen).await.is_some();
    }
    let length = seen.all("content-length").first().and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut left: usize = length;
    let mut part = vec![0; 64 * 1024];
    while left > 0 {
        let want = left.min(part.len());
        match socket.read(&mut part[..want]).await {
            Ok(count) if count > 0 => {
                left -= count;
                // Bodies of a gigabyte are counted, not kept.
                if seen.body.len() < 4 << 20 {
                    seen.body.extend_from_slice(&part[..count]);
                }
            }
            _ => return false,
        }
    }
    true
}

async fn chunks(socket: &mut BufReader<TcpStream>, seen: &mut Seen) -> Option<()> {
    loop {
        let size = usize::from_str_radix(line(socket).await?.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            seen.trailers = fields(socket).await?;
            return Some(());
        }
        let mut part = vec![0; size];
        socket.read_exact(&mut part).await.ok()?;
        if seen.body.len() < 4 << 20 {
            seen.body.extend_from_slice(&part);
        }
        line(socket).await?;
    }
}

/// Answers; false when the connection is over.
async fn answer(socket: &mut BufReader<TcpStream>, target: &str, upgrade: bool, body: &[u8]) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let mut segments = path.trim_start_matches('/').split('/');
    let (first, second) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let number: u64 = second.parse().unwrap_or(0);
    let (bytes, goes_on): (Vec<u8>, bool) = match first {
        "status" => (format!("HTTP/1.1 {number} Status\r\nContent-Length: 0\r\n\r\n").into(), true),
        "redirect" => {
            let to = percent_encoding::percent_decode_str(second).decode_utf8_lossy();
            (format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into(), true)
        }
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number)).await;
            (ok(&[], b"slow"), true)
        }
        "stall" => {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
            return false;
        }
        "cut" => (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec(), false),
        "sse" => return events(socket).await,
        "big" => return big(socket, number).await,
        "drip" => return drip(socket, number).await,
        "ws" if upgrade => return echo(socket).await,
        "cookies" => {
            let wished = path.split('/').skip(2).map(|name| format!("{name}=x"));
            let pairs: Vec<_> = std::iter::once("a=1".into()).chain(wished).chain(["b=2".into()]).collect();
            let lines: Vec<_> = pairs.iter().map(|pair: &String| ("Set-Cookie", pair.as_str())).collect();
            (ok(&lines, b"cookies"), true)
        }
        "cache" => (ok(&[("Cache-Control", "public, s-maxage=60, max-age=30")], b"cache"), true),
        "hints" => {
            let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n".to_vec();
            ([hints, ok(&[], b"after hints")].concat(), true)
        }
        "trailers" => {
            let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n4\r\nbody\r\n0\r\ngrpc-status: 0\r\n\r\n";
            (chunked.into(), true)
        }
        "close" => (ok(&[("Connection", "close")], b"close"), false),
        "stale" => (ok(&[], b"stale"), false),
        "drop" => (Vec::new(), false),
        "echo" => (ok(&[], body), true),
        _ => (ok(&[("Content-Type", "text/plain")], b"the site behind"), true),
    };
    socket.write_all(&bytes).await.is_ok() && goes_on
}

fn ok(fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

async fn events(socket: &mut BufReader<TcpStream>) -> bool {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut open = socket.write_all(head.as_bytes()).await.is_ok();
    for number in 0.. {
        if !open {
            break;
        }
        let event = format!("data: {number}\n\n");
        open = socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await.is_ok();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

async fn big(socket: &mut BufReader<TcpStream>, mut left: u64) -> bool {
    if socket.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n").as_bytes()).await.is_err() {
        return false;
    }
    let part = vec![b'x'; 64 * 1024];
    while left > 0 {
        let count = left.min(part.len() as u64);
        if socket.write_all(&part[..usize::try_from(count).unwrap()]).await.is_err() {
            return false;
        }
        left -= count;
    }
    true
}

async fn drip(socket: &mut BufReader<TcpStream>, count: u64) -> bool {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n");
    let mut open = socket.write_all(head.as_bytes()).await.is_ok();
    for _ in 0..count {
        tokio::time::sleep(Duration::from_millis(200)).await;
        open = open && socket.write_all(b"x").await.is_ok();
    }
    open
}

async fn echo(socket: &mut BufReader<TcpStream>) -> bool {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    if socket.write_all(head.as_bytes()).await.is_err() {
        return false;
    }
    let mut part = [0; 4096];
    while let Ok(count) = socket.read(&mut part).await {
        if count == 0 || socket.write_all(&part[..count]).await.is_err() {
            break;
        }
    }
    false
}
