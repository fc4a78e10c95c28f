//! A request on its way: its head, then its body as it comes, framed (RFC 9112 §6).

use std::{
    cell::Cell,
    io::{self, IoSlice, Write},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};

use super::{
    super::body::{ClientBody, Fault},
    Io,
};

thread_local! {
    /// Most heads are sent at once: one room for all connections of a thread stays in the processor's cache.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What is to be sent, in this order: `lines` from `sent` on, `piece`, then what `body` still gives.
#[derive(Default)]
pub(super) struct Out {
    lines: Vec<u8>,
    sent: usize,
    piece: Bytes,
    body: Option<(ClientBody, Framing)>,
    /// `piece` is a chunk, whose line has still to end.
    open: bool,
    /// Something was sent, or taken out of the body.
    begun: bool,
    /// TLS may hold back what it was given.
    unflushed: bool,
    /// Why the socket takes nothing more.
    broken: Option<io::Error>,
}

#[derive(Clone, Copy)]
enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    Chunked,
}

impl Out {
    /// Where a head is to be written.
    pub fn begin(&mut self) -> &mut Vec<u8> {
        let mut lines = SPARE.take();
        lines.clear();
        *self = Self { lines, ..Self::default() };
        &mut self.lines
    }

    /// After the head comes `body`, if there is one.
    pub fn send(&mut self, body: ClientBody) {
        if !body.is_end_stream() {
            let framing = body.size_hint().exact().map_or(Framing::Chunked, Framing::Length);
            self.body = Some((body, framing));
        }
    }

    /// Sends as much as there is and the socket takes. A broken socket is no error here: it may still hold an answer.
    ///
    /// # Errors
    /// The client's body broke off.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, io: &mut dyn Io) -> Result<(), Fault> {
        while self.broken.is_none() {
            self.fill(cx)?;
            if self.is_written() {
                if self.unflushed {
                    match Pin::new(io).poll_flush(cx) {
                        Poll::Ready(Ok(())) => self.unflushed = false,
                        Poll::Ready(Err(error)) => self.broken = Some(error),
                        Poll::Pending => {}
                    }
                }
                return Ok(());
            }
            let lines = self.lines.get(self.sent..).unwrap_or_default();
            let written = match self.piece.is_empty() {
                true => Pin::new(&mut *io).poll_write(cx, lines),
                false => Pin::new(&mut *io).poll_write_vectored(cx, &[IoSlice::new(lines), IoSlice::new(&self.piece)]),
            };
            match written {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => self.broken = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.advance(count),
                Poll::Ready(Err(error)) => self.broken = Some(error),
            }
        }
        Ok(())
    }

    fn is_written(&self) -> bool {
        self.sent == self.lines.len() && self.piece.is_empty()
    }

    /// Whether there is more to send, and somebody who takes it.
    pub fn has_more(&self) -> bool {
        self.broken.is_none() && (self.body.is_some() || !self.is_written())
    }

    /// Whether all of the request is sent.
    pub fn is_done(&self) -> bool {
        self.is_written() && self.body.is_none() && !self.unflushed && self.broken.is_none()
    }

    /// Nothing more will be sent: why (`error`, unless the socket said before), and the body, if all of it is still there.
    pub fn give_up(&mut self, error: io::Error) -> (io::Error, Option<ClientBody>) {
        let body = self.body.take().map(|(body, _)| body).unwrap_or_default();
        (self.broken.take().unwrap_or(error), Some(body).filter(|_| !self.begun))
    }

    fn advance(&mut self, count: usize) {
        self.begun = true;
        self.unflushed = true;
        let lines = count.min(self.lines.len() - self.sent);
        self.sent += lines;
        self.piece.advance(count - lines);
        if self.sent == self.lines.len() {
            let lines = std::mem::take(&mut self.lines);
            self.sent = 0;
            if (1..=ENOUGH * 2).contains(&lines.capacity()) {
                SPARE.set(lines);
            }
        }
    }

    /// Takes what the body has, up to a bound: the upstream's pace is the client's.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while self.piece.is_empty() && self.lines.len() < ENOUGH {
            if std::mem::take(&mut self.open) {
                self.lines.extend_from_slice(b"\r\n");
            }
            let Some((body, _)) = &mut self.body else { return Ok(()) };
            let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else { return Ok(()) };
            self.begun = true;
            match frame.transpose()? {
                Some(frame) => self.take(frame)?,
                None => self.end(None)?,
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), Fault> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok()),
        };
        if data.is_empty() {
            return Ok(());
        }
        match self.body.as_mut().map(|(_, framing)| framing) {
            // More than was announced would be read as another request.
            Some(Framing::Length(left)) => *left = left.checked_sub(data.len() as u64).ok_or(Fault::Client)?,
            Some(Framing::Chunked) => {
                // Into memory: cannot fail.
                drop(write!(self.lines, "{:x}\r\n", data.len()));
                self.open = true;
            }
            None => {}
        }
        if data.len() <= COPIED {
            self.lines.extend_from_slice(&data);
        } else {
            self.piece = data;
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Fault> {
        match self.body.take() {
            Some((_, Framing::Length(1..))) => return Err(Fault::Client),
            Some((_, Framing::Length(0))) | None => {}
            Some((_, Framing::Chunked)) => {
                self.lines.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.iter().flatten() {
                    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                        self.lines.extend_from_slice(part);
                    }
                }
                self.lines.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }
}

/// What is gathered before it is sent, and how large a piece may be to be gathered.
const ENOUGH: usize = 16 << 10;
const COPIED: usize = 4 << 10;
