//! The client's body on its way to the upstream: bounded, never stalling for ever, its trailers cleaned.
//!
//! Frames pass one by one, so the upstream's pace is the client's. Nothing is read before there is a connection to the
//! upstream: polling an [`Incoming`] is what answers `Expect: 100-continue`.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{ProxyError, fields::Names};
use crate::config::limits::ByteLimit;

/// What is sent upstream. Without a body it holds nothing.
#[derive(Default)]
pub(super) struct ClientBody(Option<Box<Flow>>);

struct Flow {
    incoming: Incoming,
    /// Bytes that may still come.
    left: u64,
    stall: Duration,
    /// Runs only while we wait for the client.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    names: Arc<Names>,
    upload: Arc<Upload>,
}

/// Seen from the side that waits for the answer: when the body last moved, and whose fault it broke off.
#[derive(Debug)]
pub(super) struct Upload {
    began: Instant,
    moved: AtomicU64,
    fault: AtomicU8,
}

/// Why a client's body broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("over the limit")]
    TooLarge = 1,
    #[error("stalled")]
    Stalled = 2,
    #[error("broken off")]
    Client = 3,
}

impl From<Fault> for ProxyError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge => Self::TooLarge,
            Fault::Stalled => Self::Stalled,
            Fault::Client => Self::Client(fault.into()),
        }
    }
}

impl ClientBody {
    /// # Errors
    /// [`ProxyError::TooLarge`] when its length is known and over `limit`: before anything is read or sent.
    pub fn new(
        incoming: Incoming,
        limit: ByteLimit,
        stall: Duration,
        names: &Arc<Names>,
    ) -> Result<(Self, Option<Arc<Upload>>), ProxyError> {
        if incoming.is_end_stream() {
            return Ok((Self::default(), None));
        }
        let left = match limit {
            ByteLimit::Unlimited => u64::MAX,
            ByteLimit::AtMost(bytes) => bytes,
        };
        if incoming.size_hint().lower() > left {
            return Err(ProxyError::TooLarge);
        }
        let upload = Arc::new(Upload { began: Instant::now(), moved: AtomicU64::new(0), fault: AtomicU8::new(0) });
        let (names, shared) = (Arc::clone(names), Arc::clone(&upload));
        let flow = Flow { incoming, left, stall, timer: None, waiting: false, names, upload: shared };
        Ok((Self(Some(Box::new(flow))), Some(upload)))
    }
}

impl Upload {
    /// The last moment the body moved.
    pub fn last_moved(&self) -> Instant {
        self.began + Duration::from_millis(self.moved.load(Relaxed))
    }

    /// The client's fault, if it was.
    pub fn fault(&self) -> Option<Fault> {
        match self.fault.load(Relaxed) {
            1 => Some(Fault::TooLarge),
            2 => Some(Fault::Stalled),
            3 => Some(Fault::Client),
            _ => None,
        }
    }

    fn move_on(&self) {
        self.moved.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl Flow {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            return self.wait(cx).map(|fault| Some(Err(fault)));
        };
        self.waiting = false;
        self.upload.move_on();
        Poll::Ready(match frame {
            None => None,
            Some(Err(_)) => Some(Err(Fault::Client)),
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    self.names.clean_trailers(trailers);
                }
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match self.left.checked_sub(size) {
                    Some(left) => {
                        self.left = left;
                        Some(Ok(frame))
                    }
                    None => Some(Err(Fault::TooLarge)),
                }
            }
        })
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        let stall = self.stall;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(stall)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + stall);
        }
        timer.as_mut().poll(cx).map(|()| Fault::Stalled)
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Some(flow) = &mut self.get_mut().0 else { return Poll::Ready(None) };
        let polled = flow.poll(cx);
        if let Poll::Ready(Some(Err(fault))) = &polled {
            flow.upload.fault.store(*fault as u8, Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|flow| flow.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |flow| flow.incoming.size_hint())
    }
}
