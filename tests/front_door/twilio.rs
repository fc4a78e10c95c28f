//! Twilio Verify, played: a server on a free port that keeps Twilio's rules (VERIFY-API) and fails on command.
//!
//! A code lives ten minutes by a clock that the test moves; five sends and five checks; a code is good once; sending
//! again sends the same one. Every request is held against Twilio's own OpenAPI file; one that Twilio would refuse is
//! answered as Twilio would, and fails the test when the double is dropped (unless [`Twilio::complaints`] took it).
#![allow(dead_code, reason = "each suite uses a part of it")]

#[path = "twilio/openapi.rs"]
mod openapi;
#[path = "twilio/push.rs"]
mod push;
#[path = "twilio/service.rs"]
mod service;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::oneshot};

use self::service::{Answer, Service};

pub const ACCOUNT_SID: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const AUTH_TOKEN: &str = "double-auth-token-000000000000000";
/// Challenges of one factor within an hour (60312).
pub const MOST_PUSHES: usize = 50;
pub const SERVICE_SID: &str = "VAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What the double does to a request instead of serving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Never answers.
    TimeOut,
    /// Reads the request and resets the connection.
    Reset,
    /// Reads the request and closes the connection.
    Hangup,
    /// 200 and a page instead of JSON.
    Garbage,
    /// 201 and JSON that says nothing expected.
    Nonsense,
    /// The beginning of a right answer, then the end of the connection.
    Truncated,
    /// More than anybody should read.
    Oversized,
    /// 302 to the same path elsewhere.
    Redirect,
    /// 200 and an approved challenge: somebody else's.
    Approves,
    /// 200 and a judgement of that status, with the old field `valid` saying true.
    Judges(&'static str),
    /// A status with Twilio's error body.
    Error { status: u16, code: u32 },
    /// A status alone, as a proxy in between would send.
    Bare(u16),
}

impl Fault {
    pub const UNAUTHORIZED: Self = Self::Error { status: 401, code: 20003 };
    pub const TOO_MANY_REQUESTS: Self = Self::Error { status: 429, code: 20429 };
    pub const MAX_CHECKS: Self = Self::Error { status: 429, code: 60202 };
    pub const MAX_SENDS: Self = Self::Error { status: 429, code: 60203 };
    pub const TOO_MANY_CONCURRENT: Self = Self::Error { status: 429, code: 60212 };
    pub const LANDLINE: Self = Self::Error { status: 403, code: 60205 };
    pub const CHANNEL_DISABLED: Self = Self::Error { status: 400, code: 60223 };
    pub const FRAUD: Self = Self::Error { status: 403, code: 60410 };
    pub const GEO_PERMISSION: Self = Self::Error { status: 403, code: 60605 };
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub form: Vec<(String, String)>,
}

impl Seen {
    /// The form's value of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The running double. It ends when dropped.
pub struct Twilio {
    address: SocketAddr,
    service: Arc<Mutex<Service>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Twilio {
    /// Starts on a free port, on a thread of its own: a test that blocks does not stop it.
    pub async fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let service = Arc::new(Mutex::new(Service::new()));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&service);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(TcpListener::from_std(listener).unwrap(), served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, service, stop: Some(stop) }
    }

    /// For `verify.base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
    /// The code under way for that number or address.
    pub fn code_for(&self, to: &str) -> Option<String> {
        self.lock().code_for(to)
    }
    /// A code of as many digits that is not the one under way.
    pub fn wrong_code_for(&self, to: &str) -> String {
        let right = self.code_for(to).and_then(|code| code.parse::<u64>().ok()).unwrap_or(0);
        self.lock().written(right + 1)
    }
    /// Everything received so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }
    /// Requests that sent (or asked to send) a code.
    pub fn sends(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.path.ends_with("/Verifications")).collect()
    }
    /// Requests that checked a code.
    pub fn checks(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.path.ends_with("/VerificationCheck")).collect()
    }
    /// The names of all challenges, oldest first.
    pub fn challenges(&self) -> Vec<String> {
        self.lock().pushes.challenges()
    }
    /// Requests that made (or asked to make) a challenge.
    pub fn asked(&self) -> Vec<Seen> {
        let asks = |seen: &Seen| seen.method == "POST" && seen.path.ends_with("/Challenges");
        self.requests().into_iter().filter(asks).collect()
    }
    /// The owner's app takes a token; answers its factor. `finished`: it is verified as well.
    pub fn install(&self, token: &str, name: &str, finished: bool) -> String {
        let mut service = self.lock();
        let now = service.now;
        service.pushes.enrol(token, name, finished, now)
    }
    /// The app verifies what it only began.
    pub fn finish(&self, factor: &str) {
        self.lock().pushes.finish(factor);
    }
    /// Devices that the service knows.
    pub fn devices(&self) -> usize {
        self.lock().pushes.devices()
    }
    /// Yes, on the telephone.
    pub fn approve(&self, challenge: &str) {
        let mut service = self.lock();
        let now = service.now;
        service.pushes.answer(challenge, "approved", now);
    }
    /// No, on the telephone.
    pub fn deny(&self, challenge: &str) {
        let mut service = self.lock();
        let now = service.now;
        service.pushes.answer(challenge, "denied", now);
    }
    /// The next request (after those already commanded) meets this.
    pub fn fail_next(&self, fault: Fault) {
        self.lock().next.push_back(fault);
    }
    /// Every request meets this, until `None`.
    pub fn fail_always(&self, fault: Option<Fault>) {
        self.lock().always = fault;
    }
    /// SMS cannot reach this number (60205); calls can.
    pub fn make_landline(&self, to: &str) {
        self.lock().landlines.insert(to.to_owned());
    }
    /// The operator, or Twilio itself, ends what is under way for that number or address.
    pub fn cancel(&self, to: &str) {
        self.lock().cancel(to);
    }
    /// Codes have so many digits from now on (a setting of the service: 4 to 10).
    pub fn set_code_length(&self, digits: usize) {
        self.lock().digits = digits;
    }
    /// The channel is not set up in the service (60223).
    pub fn disable_channel(&self, channel: &str) {
        self.lock().disabled.insert(channel.to_owned());
    }
    /// Moves the clock.
    pub fn advance(&self, span: Duration) {
        self.lock().now += span;
    }
    /// Takes what Twilio would have refused, so that it does not fail the test.
    pub fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().complaints)
    }

    fn lock(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap()
    }
}

impl Drop for Twilio {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let complaints = self.service.lock().map(|service| service.complaints.clone()).unwrap_or_default();
        if !std::thread::panicking() {
            assert!(complaints.is_empty(), "Twilio would have refused: {complaints:#?}");
        }
    }
}

/// How a connection ends after a fault that closes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Usual,
    Reset,
}

async fn accept(listener: TcpListener, service: Arc<Mutex<Service>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let ending = Mutex::new(Ending::Usual);
            let mut io = TokioIo::new(stream);
            let handler = service_fn(|request| handle(request, &service, &ending));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(&mut io, handler).await;
            if *ending.lock().unwrap() == Ending::Reset {
                let _ = io.inner().set_zero_linger();
            }
        });
    }
}

/// Err closes the connection without an answer.
async fn handle(
    request: Request<Incoming>,
    service: &Mutex<Service>,
    ending: &Mutex<Ending>,
) -> Result<Response<UnsyncBoxBody<Bytes, io::Error>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let answer = service.lock().unwrap().receive(&head, &body);
    match answer {
        Answer::Json(status, json) => Ok(response(status, "application/json", json.to_string())),
        Answer::Text(status, text) => Ok(response(status, "text/html", text)),
        Answer::Redirect(location) => {
            let mut redirect = response(302, "text/html", String::new());
            redirect.headers_mut().insert("location", location.parse().unwrap());
            Ok(redirect)
        }
        Answer::Truncated(json) => Ok(truncated(&json.to_string())),
        Answer::Never => std::future::pending().await,
        Answer::Close => Err(io::Error::other("commanded")),
        Answer::Reset => {
            *ending.lock().unwrap() = Ending::Reset;
            Err(io::Error::other("commanded"))
        }
    }
}

fn response(status: u16, media: &str, text: String) -> Response<UnsyncBoxBody<Bytes, io::Error>> {
    let body = Full::from(text).map_err(|never: Infallible| match never {}).boxed_unsync();
    Response::builder().status(status).header("content-type", media).body(body).unwrap()
}

/// Promises the whole text, sends half of it and breaks off.
fn truncated(text: &str) -> Response<UnsyncBoxBody<Bytes, io::Error>> {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let frames = futures_util::stream::iter([Ok(Frame::data(half))])
        // A moment, so that the half is on its way before the connection ends.
        .chain(futures_util::stream::once(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(io::Error::other("commanded"))
        }));
    let builder = Response::builder().status(201).header("content-type", "application/json");
    builder.header("content-length", text.len()).body(BodyExt::boxed_unsync(StreamBody::new(frames))).unwrap()
}
