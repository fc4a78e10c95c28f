//! What remains of a request that is answered here: its body is read within a bound, so that the connection stays
//! usable and the answer is not lost to a reset, or else the connection closes. RFC 9112 §9.6.

use std::time::Duration;

use http::{HeaderMap, Version, header::EXPECT, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// The unread body of a request.
#[derive(Debug)]
pub(super) struct Leftover<B = Incoming> {
    body: B,
    /// The client waits for 100 (Continue), which polling the body would send.
    waits: bool,
}

/// What the connection is good for afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The next request starts where it should.
    Keep,
    /// Unread bytes, or bytes that may or may not come.
    Close,
}

const BYTES_AT_MOST: usize = 64 << 10;
const TIME_AT_MOST: Duration = Duration::from_secs(1);

impl<B: Body + Unpin> Leftover<B> {
    pub(super) fn of(parts: &Parts, body: B) -> Self {
        Self { body, waits: parts.version >= Version::HTTP_11 && waits(&parts.headers) }
    }

    /// Reads what is left, within the bounds.
    pub(super) async fn drain(self) -> Fate {
        self.drain_within(TIME_AT_MOST).await
    }

    async fn drain_within(self, time: Duration) -> Fate {
        if self.body.is_end_stream() {
            return Fate::Keep;
        }
        let more_than = |bound: usize| self.body.size_hint().lower() > u64::try_from(bound).unwrap_or(u64::MAX);
        if self.waits || more_than(BYTES_AT_MOST) {
            return Fate::Close;
        }
        tokio::time::timeout(time, read_within(self.body)).await.unwrap_or(Fate::Close)
    }
}

async fn read_within<B: Body + Unpin>(mut body: B) -> Fate {
    let mut left = BYTES_AT_MOST;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Fate::Close };
        let length = frame.data_ref().map_or(0, bytes::Buf::remaining);
        let Some(rest) = left.checked_sub(length) else { return Fate::Close };
        left = rest;
    }
    Fate::Keep
}

fn waits(fields: &HeaderMap) -> bool {
    fields.get_all(EXPECT).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::{Stream, stream};
    use http_body::Frame;
    use http_body_util::{Empty, Full, StreamBody};

    use super::*;

    fn head(expect: Option<&str>) -> Parts {
        let mut request = http::Request::builder();
        if let Some(expect) = expect {
            request = request.header(EXPECT, expect);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn pieces(count: usize) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Unpin {
        stream::iter((0..count).map(|_| Ok(Frame::data(Bytes::from_static(&[0; 1024])))))
    }

    #[tokio::test]
    async fn a_small_body_is_read_and_the_connection_kept() {
        assert_eq!(Leftover::of(&head(None), Empty::<Bytes>::new()).drain().await, Fate::Keep);
        assert_eq!(Leftover::of(&head(None), Full::<Bytes>::from("a=b")).drain().await, Fate::Keep);
        assert_eq!(Leftover::of(&head(None), StreamBody::new(pieces(64))).drain().await, Fate::Keep);
    }

    #[tokio::test]
    async fn a_body_beyond_the_bound_closes() {
        let large = Full::<Bytes>::from(vec![0; BYTES_AT_MOST + 1]);
        assert_eq!(Leftover::of(&head(None), large).drain().await, Fate::Close);
        assert_eq!(Leftover::of(&head(None), StreamBody::new(pieces(65))).drain().await, Fate::Close);
    }

    #[tokio::test]
    async fn a_body_that_never_comes_closes() {
        let never = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        assert_eq!(Leftover::of(&head(None), never).drain_within(Duration::ZERO).await, Fate::Close);
    }

    #[tokio::test]
    async fn a_body_that_waits_for_100_is_not_polled() {
        let polled =
            stream::poll_fn(|_| -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> { panic!("polled") });
        let leftover = Leftover::of(&head(Some("100-Continue")), StreamBody::new(polled));
        assert_eq!(leftover.drain().await, Fate::Close);
    }
}
