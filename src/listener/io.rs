//! The socket under hyper: tells the connection's [`Progress`] what moved.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{flood::FrameMeter, watch::Progress};

/// A socket whose reads and writes are noted.
pub(super) struct Watched<T> {
    io: T,
    /// What was read before and is to be read again.
    replay: Bytes,
    progress: Arc<Progress>,
    frames: Option<FrameMeter>,
    blocked: Blocked,
    closing: Closing,
}

/// How far the end of the connection has come.
enum Closing {
    /// Requests come.
    No,
    /// Our side is being closed.
    Ours,
    /// What the client still sends is dropped until then, so many bytes at most.
    Theirs(Pin<Box<Sleep>>, usize),
    Done,
}

/// What waits for the client to read on. A flush that is done says nothing about a write that is not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blocked {
    No,
    Write,
    Flush,
}

impl<T> Watched<T> {
    /// `frames` on HTTP/2.
    pub fn new(io: T, progress: Arc<Progress>, frames: Option<FrameMeter>) -> Self {
        Self { io, replay: Bytes::new(), progress, frames, blocked: Blocked::No, closing: Closing::No }
    }

    /// Gives `bytes` once more before what the socket has.
    pub fn replaying(mut self, bytes: Bytes) -> Self {
        self.replay = bytes;
        self
    }

    /// The socket alone.
    pub fn into_socket(self) -> T {
        self.io
    }

    fn give_again(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.replay.len().min(buf.remaining());
        buf.put_slice(&self.replay.split_to(count));
        if self.replay.is_empty() {
            // Its room with it.
            self.replay = Bytes::new();
        }
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        if let (Some(meter), Poll::Ready(Ok(count))) = (&mut self.frames, written) {
            meter.wrote(*count);
        }
        self.note(Blocked::Write, written);
    }

    fn note<V>(&mut self, by: Blocked, done: &Poll<V>) {
        let moved = match self.blocked {
            Blocked::No => false,
            Blocked::Write => by == Blocked::Write,
            Blocked::Flush => true,
        };
        if done.is_pending() && self.blocked == Blocked::No {
            self.blocked = by;
            self.progress.write_blocked();
        } else if done.is_ready() && moved {
            self.blocked = Blocked::No;
            self.progress.write_moved();
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.replay.is_empty() {
            ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        } else {
            self.give_again(buf);
        }
        let read = buf.filled().get(before..).unwrap_or_default();
        if !read.is_empty() {
            self.progress.read_some();
            if let Some(meter) = &mut self.frames
                && !meter.passes(read)
            {
                return Poll::Ready(Err(io::Error::other("a flood of HTTP/2 control frames")));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A head and a small body: to copy them together is cheaper than to have the kernel walk a list.
        let written = match bufs.iter().map(|buf| buf.len()).sum::<usize>() {
            ..=SMALL => {
                let mut room = [MaybeUninit::uninit(); SMALL];
                let mut whole = ReadBuf::uninit(&mut room);
                bufs.iter().for_each(|buf| whole.put_slice(buf));
                Pin::new(&mut self.io).poll_write(cx, whole.filled())
            }
            _ => Pin::new(&mut self.io).poll_write_vectored(cx, bufs),
        };
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.note(Blocked::Flush, &flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper shall end, the socket live on.
        if self.progress.parking() && matches!(self.closing, Closing::No) {
            return Poll::Ready(Ok(()));
        }
        loop {
            match &mut self.closing {
                Closing::No => self.closing = Closing::Ours,
                Closing::Ours => {
                    ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
                    // An HTTP/2 client was told by GOAWAY what is served yet, and sends nothing for the rest.
                    let done = self.frames.is_some();
                    self.closing =
                        if done { Closing::Done } else { Closing::Theirs(Box::pin(sleep(LINGER)), LINGER_BYTES) };
                }
                Closing::Theirs(..) => {
                    ready!(self.linger(cx));
                    self.closing = Closing::Done;
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<T: AsyncRead + Unpin> Watched<T> {
    /// A socket that is closed with unread bytes is reset, and a reset takes the answer from a client that has not read it yet
    /// (RFC 9112 §9.6).
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { io, closing: Closing::Theirs(until, left), .. } = self else { return Poll::Ready(()) };
        let mut dropped = [0; 8 << 10];
        loop {
            let mut buf = ReadBuf::new(&mut dropped);
            match Pin::new(&mut *io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && *left > 0 => {
                    *left = left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return until.as_mut().poll(cx),
            }
        }
    }
}

/// What is written in one piece, whatever pieces it comes in.
const SMALL: usize = 2048;
/// How long a client may go on sending after the last answer: time to notice, and to read it.
const LINGER: Duration = Duration::from_secs(2);
/// How much of it is taken off its hands.
const LINGER_BYTES: usize = 64 << 20;
