//! The body of an upstream's answer on its way to the client.
//!
//! Streamed frame by frame. A body that breaks off is an error, so that hyper cuts the client off rather than telling it
//! the body is complete; a body that lasts ends with the session that was granted it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{endpoint::Lease, fields::Names, watch::Watch};
use crate::inbound::answer::BodyError;

/// See the head of this file.
pub(super) struct Download {
    incoming: Incoming,
    /// Given back at the end; dropped on the way, the upstream connection closes or its stream is reset.
    lease: Option<Lease>,
    watch: Watch,
    names: Arc<Names>,
}

impl Download {
    pub fn new(incoming: Incoming, lease: Lease, watch: Watch, names: &Arc<Names>) -> Self {
        Self { incoming, lease: Some(lease), watch, names: Arc::clone(names) }
    }

    /// After the last byte another request may use the connection; after an error nobody.
    fn settle(&mut self, frame: &Poll<Option<Result<Frame<Bytes>, hyper::Error>>>) {
        match frame {
            Poll::Ready(Some(Err(_))) => self.lease = None,
            Poll::Ready(_) if matches!(frame, Poll::Ready(None)) || self.incoming.is_end_stream() => {
                if let Some(lease) = self.lease.take() {
                    lease.release();
                }
            }
            _ => {}
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let mut frame = Pin::new(&mut this.incoming).poll_frame(cx);
        match &mut frame {
            Poll::Pending => this.watch.paused(),
            Poll::Ready(Some(Ok(frame))) => {
                this.watch.moved();
                if let Some(trailers) = frame.trailers_mut() {
                    this.names.clean_trailers(trailers);
                }
            }
            Poll::Ready(_) => {}
        }
        if let Some(over) = this.watch.over(cx) {
            this.lease = None;
            return Poll::Ready(Some(Err(over.into())));
        }
        this.settle(&frame);
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
