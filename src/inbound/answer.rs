//! The answer's body: nothing, a page, or a stream from upstream.

use std::{
    any::Any,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// An answer on its way to the client.
pub type Answer = http::Response<Outgoing>;

/// Why a body broke off; the client is cut off rather than told it is complete.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an [`Answer`].
pub enum Outgoing {
    /// No body at all.
    Empty,
    /// One buffer; `None` once sent.
    Full(Option<Bytes>),
    /// Frames as they come.
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = BodyError> + Send>>),
}

/// What keeps a connection open for a tunnel on it, whose request was answered long ago: an extension of the [`Answer`]. The
/// tunnel holds a clone of it to its end, the listener puts into it what has to live as long.
#[derive(Clone, Default)]
pub struct Held(Arc<OnceLock<Box<dyn Any + Send + Sync>>>);

impl Held {
    /// Dropped with the tunnel.
    pub fn keep(self, what: impl Send + Sync + 'static) {
        // Only the listener puts something in, once.
        let _ = self.0.set(Box::new(what));
    }
}

impl Outgoing {
    /// Frames as they come from `body`.
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self::Stream(Box::pin(body))
    }
}

impl<T: Into<Bytes>> From<T> for Outgoing {
    fn from(whole: T) -> Self {
        let whole = whole.into();
        if whole.is_empty() { Self::Empty } else { Self::Full(Some(whole)) }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(whole) => Poll::Ready(whole.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(whole) => whole.is_none(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(whole) => SizeHint::with_exact(whole.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(body) => body.size_hint(),
        }
    }
}
