//! HTTP/1.1 towards an upstream (RFC 9112): one connection, one exchange at a time.
//!
//! The exchange runs in the task of its request, so neither a task nor a channel stands between the two, and a request that is
//! dropped takes its connection with it. What the upstream says is bounded and can be read in one way only; a connection
//! about which there is any doubt is not used again.

mod chunks;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod head;
mod upload;

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, StatusCode, response::Parts};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};
use tokio_util::io::poll_read_buf;

use self::{
    chunks::{Chunks, Piece},
    upload::Out,
};
use super::{
    body::{ClientBody, Fault},
    fields::Sink,
};
use crate::inbound::Written;

/// A socket, or TLS on one.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One connection.
pub(super) struct Http1 {
    io: Box<dyn Io + Sync>,
    /// Came, and is not understood yet.
    input: BytesMut,
    /// How much to read at once: more for bodies that keep coming.
    want: usize,
    out: Out,
    asked: Asked,
    /// The answer let the connection live.
    persists: bool,
    /// Of whoever waits for the answer; set anew only when it would ring too late, for most answers come long before.
    pub timer: Option<Pin<Box<Sleep>>>,
}

/// What of the request the answer's meaning hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// `HEAD`: the answer has no body, whatever its head says.
    pub head: bool,
    /// A 101 is welcome.
    pub upgrade: bool,
}

/// How an answer's body ends, and what of it is still to come.
#[derive(Debug)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunks),
    /// With the connection.
    Close,
}

/// Why there is no answer.
#[derive(thiserror::Error)]
pub(super) enum Failed {
    /// Nothing of the request was sent, and nothing of its body was taken.
    #[error("{1}")]
    Unsent(ClientBody, io::Error),
    /// Something of it may have been.
    #[error("{0}")]
    Broken(Unreadable),
    /// The client's body broke off.
    #[error("{0}")]
    Client(Fault),
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The upstream's answer is none, or not all of one.
pub(super) type Unreadable = Box<dyn Error + Send + Sync>;

impl Http1 {
    pub fn new(io: impl Io + Sync + 'static) -> Self {
        Self {
            io: Box::new(io),
            input: BytesMut::new(),
            want: READ,
            out: Out::default(),
            asked: Asked { head: false, upgrade: false },
            persists: false,
            timer: None,
        }
    }

    /// Where the next request's head goes: see [`Wire`].
    pub fn begin(&mut self, method: &Method, target: &str) -> Wire<'_> {
        Wire::begin(self.out.begin(), method, target)
    }

    /// Sends what was begun, and waits for the head of the answer: not for one of 100 to 199 that only announces it.
    pub async fn exchange(&mut self, body: ClientBody, asked: Asked) -> Result<(Parts, Framing), Failed> {
        self.asked = asked;
        self.persists = false;
        self.out.send(body);
        let mut announced = 0;
        loop {
            let head = poll_fn(|cx| self.poll_head(cx)).await?;
            let switches = head.parts.status == StatusCode::SWITCHING_PROTOCOLS;
            if head.parts.status.is_informational() && !switches {
                announced += 1;
                if announced > ANNOUNCED {
                    return Err(Failed::Broken("it goes on announcing an answer".into()));
                }
                continue;
            }
            if switches && !asked.upgrade {
                return Err(Failed::Broken("a 101 that nobody asked for".into()));
            }
            self.persists = head.persists;
            return Ok((head.parts, head.framing));
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<head::Head, Failed>> {
        if let Err(fault) = self.out.poll_send(cx, &mut *self.io) {
            return Poll::Ready(Err(Failed::Client(fault)));
        }
        loop {
            match head::take(&mut self.input, self.asked) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(unreadable) => return Poll::Ready(Err(Failed::Broken(unreadable))),
            }
            let came = match ready!(self.poll_fill(cx)) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                other => other,
            };
            if let Err(error) = came {
                // A socket that takes nothing mostly tells why when it is read.
                let (error, unsent) = self.out.give_up(error);
                return Poll::Ready(Err(match unsent {
                    Some(body) if self.input.is_empty() => Failed::Unsent(body, error),
                    _ => Failed::Broken(error.into()),
                }));
            }
        }
    }

    /// The next piece of the answer's body. After the last one and after an error, `None`.
    pub fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        framing: &mut Framing,
    ) -> Poll<Option<Result<Frame<Bytes>, Unreadable>>> {
        // An upload may go on while it is answered.
        if let Err(fault) = self.out.poll_send(cx, &mut *self.io) {
            return self.broken(framing, fault);
        }
        loop {
            match framing {
                Framing::Length(0) => return Poll::Ready(None),
                Framing::Length(left) if !self.input.is_empty() => {
                    let take = usize::try_from(*left).map_or(self.input.len(), |left| left.min(self.input.len()));
                    *left -= take as u64;
                    return Poll::Ready(Some(Ok(Frame::data(self.input.split_to(take).freeze()))));
                }
                Framing::Close if !self.input.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(self.input.split().freeze()))));
                }
                Framing::Chunked(chunks) => match chunks.take(&mut self.input) {
                    Ok(Some(Piece::Data(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Ok(Some(Piece::Trailers(trailers))) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                    Ok(Some(Piece::End)) => return Poll::Ready(None),
                    Ok(None) => {}
                    Err(unreadable) => return self.broken(framing, unreadable),
                },
                Framing::Length(_) | Framing::Close => {}
            }
            match (ready!(self.poll_fill(cx)), &*framing) {
                (Ok(0), Framing::Close) => {
                    *framing = Framing::Length(0);
                    return Poll::Ready(None);
                }
                (Ok(0), _) => return self.broken(framing, io::Error::from(io::ErrorKind::UnexpectedEof)),
                (Ok(_), _) => {}
                (Err(error), _) => return self.broken(framing, error),
            }
        }
    }

    /// Whether the request is still being sent.
    pub fn uploads(&self) -> bool {
        self.out.has_more()
    }

    /// Goes on sending the request; ends only when its body breaks off.
    pub async fn upload(&mut self) -> Fault {
        poll_fn(|cx| match self.out.poll_send(cx, &mut *self.io) {
            Ok(()) => Poll::Pending,
            Err(fault) => Poll::Ready(fault),
        })
        .await
    }

    /// All of the body, when it is here already.
    pub fn whole(&mut self, framing: &mut Framing) -> Option<Bytes> {
        let Framing::Length(left) = framing else { return None };
        let length = usize::try_from(*left).ok().filter(|&length| length <= self.input.len())?;
        *left = 0;
        Some(self.input.split_to(length).freeze())
    }

    fn broken<T>(&mut self, framing: &mut Framing, why: impl Into<Unreadable>) -> Poll<Option<Result<T, Unreadable>>> {
        *framing = Framing::Length(0);
        self.persists = false;
        Poll::Ready(Some(Err(why.into())))
    }

    /// Whether another request may use it: its answer was read to the end and said nothing against that, all of its request is
    /// sent, and nothing came that nobody asked for.
    pub fn reusable(&self) -> bool {
        self.persists && self.input.is_empty() && self.out.is_done()
    }

    /// Whether it is open and silent, as one that nobody uses has to be. Asks the system only if something happened.
    pub fn rests(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        Pin::new(&mut *self.io).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_pending()
    }

    /// Lets go of what a large body took.
    pub fn shrink(&mut self) {
        if self.want > READ || self.input.capacity() > READ {
            self.want = READ;
            self.input = BytesMut::new();
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (came, room) = if self.want == READ {
            // Read aside: of thousands of connections that wait for their answers, none holds room for what has not come.
            let mut room = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut room);
            ready!(Pin::new(&mut *self.io).poll_read(cx, &mut buffer))?;
            self.input.extend_from_slice(buffer.filled());
            (buffer.filled().len(), READ)
        } else {
            self.input.reserve(self.want);
            let room = self.input.capacity() - self.input.len();
            (ready!(poll_read_buf(Pin::new(&mut *self.io), cx, &mut self.input))?, room)
        };
        if came == room {
            self.want = (self.want * 4).min(MOST);
        }
        Poll::Ready(Ok(came))
    }
}

impl Framing {
    pub fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_over(),
            Self::Close => false,
        }
    }

    pub fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Chunked(_) | Self::Close => SizeHint::default(),
        }
    }
}

/// After the upstream switched to another protocol: first what came with its answer, then the socket.
impl AsyncRead for Http1 {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Pin::new(&mut *self.io).poll_read(cx, buffer);
        }
        let take = self.input.len().min(buffer.remaining());
        buffer.put_slice(&self.input.split_to(take));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http1 {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }
}

/// A request's head, written where it is sent from.
pub(super) struct Wire<'a>(&'a mut Vec<u8>);

impl<'a> Wire<'a> {
    fn begin(bytes: &'a mut Vec<u8>, method: &Method, target: &str) -> Self {
        bytes.extend_from_slice(method.as_str().as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(target.as_bytes());
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        Self(bytes)
    }

    /// The empty line.
    pub fn end(self) {
        self.0.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, name: &HeaderName, value: &[u8]) {
        self.0.extend_from_slice(name.as_str().as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }
}

impl Sink for Wire<'_> {
    fn put(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.line(name, value.as_bytes());
    }

    fn put_all(&mut self, written: &Written) {
        self.0.extend_from_slice(written.lines());
    }

    fn put_text(&mut self, name: &HeaderName, text: &str) {
        // As a value would be: no text ends the line it stands in.
        if text.bytes().all(|byte| byte >= b' ' && byte != 0x7f) {
            self.line(name, text.as_bytes());
        }
    }
}

/// Each line of `lines`, which stand in `bytes`.
fn fields(
    lines: &[httparse::Header<'_>],
    bytes: &Bytes,
) -> impl Iterator<Item = Result<(HeaderName, HeaderValue), Unreadable>> {
    lines.iter().map(|line| {
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value))?;
        Ok((HeaderName::from_bytes(line.name.as_bytes())?, value))
    })
}

/// Announcements before one answer.
const ANNOUNCED: usize = 32;
/// What is read at once at first, and at most.
const READ: usize = 8 << 10;
const MOST: usize = 128 << 10;

#[cfg(test)]
mod tests;
