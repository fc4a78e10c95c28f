//! How long a connection may keep us waiting.
//!
//! hyper has one timer for heads and starts it when the previous answer is done, so that a kept-alive connection would
//! live `head_timeout` only; and it never notices a client that stops reading. Here one lazy timer per connection knows
//! these spans: the head from its first byte, idleness between requests, a blocked write, HTTP/2 streams that nobody gives a
//! window, and the end after `stop`.
//! An ordinary request touches no timer at all.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    task::coop::has_budget_remaining,
    time::{Instant, Sleep, sleep_until},
};

use super::stop::Stop;
use crate::world::ticking;

/// The spans that apply to one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From a head's first byte (or the accepted connection) to its end. `None` on HTTP/2, whose frames come between
    /// requests as well.
    pub head: Option<Duration>,
    /// Between requests, and for a write that does not move.
    pub idle: Duration,
    /// Between requests, before [`supervise`] hands the connection back to be parked. `None`: never.
    pub park: Option<Duration>,
}

/// Why a connection was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Late {
    /// The head took longer than `limits.head_timeout`.
    #[error("the request's head did not come in time")]
    Head,
    /// The client reads nothing for longer than `limits.idle_timeout`.
    #[error("the client does not read its answer")]
    Unread,
    /// Asked to close, and did not.
    #[error("the connection did not close")]
    Lingering,
}

/// What a connection is doing. Written by its socket and its requests, read by [`supervise`]; moments are milliseconds
/// since `began`, plus one; 0 is "not".
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    /// The same moment by the clock of the stamps.
    began_ticking: u64,
    serving: AtomicU32,
    head_since: AtomicU64,
    idle_since: AtomicU64,
    blocked_since: AtomicU64,
    /// Answers with bytes to give, for which their HTTP/2 streams have no window.
    unread: AtomicU32,
    /// When one of them last moved, or another request came.
    unread_since: AtomicU64,
    closing: AtomicBool,
    parking: AtomicBool,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            began_ticking: ticking(),
            serving: AtomicU32::new(0),
            head_since: AtomicU64::new(1),
            idle_since: AtomicU64::new(1),
            blocked_since: AtomicU64::new(0),
            unread: AtomicU32::new(0),
            unread_since: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            parking: AtomicBool::new(false),
        }
    }

    /// What comes before the first head is done.
    pub fn opened(&self) {
        self.idle_since.store(self.stamp(), Relaxed);
        self.head_since.store(self.stamp(), Relaxed);
    }

    /// Bytes came from the client.
    pub fn read_some(&self) {
        if self.serving.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.stamp(), Relaxed);
        }
    }

    /// A request's head is there.
    pub fn begin(&self) {
        self.serving.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        // Who asks is there: a film that somebody paused takes no answer to this request with it.
        if self.unread.load(Relaxed) > 0 {
            self.unread_since.store(self.stamp(), Relaxed);
        }
    }

    /// The last byte of its answer is given, or nobody waits for it any more.
    pub fn end(&self) {
        // The moment first: a reader that sees nobody served must see since when.
        self.idle_since.store(self.stamp(), Relaxed);
        self.serving.fetch_sub(1, Relaxed);
    }

    /// The client's window is full.
    pub fn write_blocked(&self) {
        self.blocked_since.store(self.stamp(), Relaxed);
    }

    /// It took something.
    pub fn write_moved(&self) {
        self.blocked_since.store(0, Relaxed);
    }

    /// An answer has something for the client.
    pub fn offered(&self) {
        if self.unread.fetch_add(1, Relaxed) == 0 {
            self.unread_since.store(self.stamp(), Relaxed);
        }
    }

    /// The client had room for it, or it is over.
    pub fn taken(&self) {
        self.unread_since.store(self.stamp(), Relaxed);
        self.unread.fetch_sub(1, Relaxed);
    }

    /// Since when nothing is served; `None` while something is, or the client has still to take what was.
    pub fn idle_since(&self) -> Option<Instant> {
        let since = self.idle_since.load(Relaxed).max(1);
        (!self.serving() && self.blocked_since.load(Relaxed) == 0)
            .then(|| self.began + Duration::from_millis(since - 1))
    }

    /// Whether answers should end the connection.
    pub fn closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    /// From now on they should.
    pub fn close(&self) {
        self.closing.store(true, Relaxed);
    }

    /// Whether hyper's end is not to be the socket's.
    pub fn parking(&self) -> bool {
        self.parking.load(Relaxed)
    }

    /// When a connection on which nothing comes is closed.
    pub fn idle_until(&self, patience: Patience) -> Instant {
        self.began + Duration::from_millis(self.idle_since.load(Relaxed).max(1) - 1) + patience.idle
    }

    fn stamp(&self) -> u64 {
        ticking().saturating_sub(self.began_ticking).saturating_add(1)
    }

    fn serving(&self) -> bool {
        self.serving.load(Relaxed) > 0
    }

    /// The next deadline and what passing it means.
    fn due(&self, patience: Patience) -> Option<(Instant, Due)> {
        let after = |stamp: u64, span: Duration| self.began + Duration::from_millis(stamp - 1) + span;
        let blocked = self.blocked_since.load(Relaxed);
        if blocked > 0 {
            return Some((after(blocked, patience.idle), Due::Late(Late::Unread)));
        }
        if self.unread.load(Relaxed) > 0 {
            return Some((after(self.unread_since.load(Relaxed).max(1), patience.idle), Due::Late(Late::Unread)));
        }
        if self.serving() {
            return None;
        }
        match (patience.head, self.head_since.load(Relaxed)) {
            (Some(head), since @ 1..) => Some((after(since, head), Due::Late(Late::Head))),
            _ => Some((self.idle_until(patience), Due::Idle)),
        }
    }
}

enum Due {
    Late(Late),
    Idle,
    Park,
}

/// What hyper's connections have in common.
pub(super) trait Graceful: Future<Output = hyper::Result<()>> {
    /// No more requests; what is open may finish.
    fn shut_down(self: Pin<&mut Self>);
}

/// How [`supervise`] leaves a connection.
pub(super) enum Left {
    Ended(hyper::Result<()>),
    /// Between requests: hyper is done with it, its socket is open.
    Parked,
}

/// Runs a connection until it ends, is late, may be parked, or has finished after `stop`.
pub(super) async fn supervise<C: Graceful>(
    connection: &mut Pin<Box<C>>,
    progress: &Progress,
    patience: Patience,
    stop: &Stop,
) -> Result<Left, Late> {
    let mut stopped = pin!(stop.heard());
    let awake = Instant::now();
    let mut park = patience.park;
    let mut timer = pin!(sleep_until(awake + park.or(patience.head).unwrap_or(patience.idle)));
    let mut phase = Phase::Open;
    // Both wake this task once they were polled: until then asking them again costs two locks a wake, a request three wakes.
    let (mut listening, mut armed) = (false, false);
    poll_fn(move |cx| {
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                return Poll::Ready(Ok(Left::Ended(end)));
            }
            if matches!(phase, Phase::Open) && heard(stopped.as_mut(), stop, &mut listening, cx) {
                progress.close();
                phase = Phase::Leaving(Instant::now() + LAST_REQUEST);
            }
            // An idle HTTP/1.1 connection is not closed at once: a request may already be on its way, and it gets its
            // answer with `Connection: close`. HTTP/2 has GOAWAY for that.
            if matches!(phase, Phase::Leaving(_)) && (patience.head.is_none() || progress.serving()) {
                connection.as_mut().shut_down();
                phase = Phase::Closing(None);
                continue;
            }
            let due = match (phase.due(progress, patience), park) {
                (Some((at, Due::Idle)), Some(park)) if matches!(phase, Phase::Open) => {
                    // Not at once again, when what woke it was no request.
                    let since = at.checked_sub(patience.idle).unwrap_or(at).max(awake);
                    Some(if since + park < at { (since + park, Due::Park) } else { (at, Due::Idle) })
                }
                (due, _) => due,
            };
            if let Some((at, _)) = due
                && at < timer.deadline()
            {
                timer.as_mut().reset(at);
                armed = false;
            }
            if !rang(timer.as_mut(), &mut armed, cx) {
                return Poll::Pending;
            }
            armed = false;
            match due {
                Some((at, Due::Late(late))) if at <= Instant::now() => return Poll::Ready(Err(late)),
                Some((at, Due::Idle)) if at <= Instant::now() => {
                    connection.as_mut().shut_down();
                    phase = Phase::Closing(Some(Instant::now() + CLOSE));
                }
                Some((at, Due::Park)) if at <= Instant::now() => match let_go(connection.as_mut(), progress, cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(Left::Parked)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Ok(Left::Ended(Err(error)))),
                    // Something of it is not done, a request's body that somebody still holds: it ends with that.
                    Poll::Pending => park = None,
                },
                Some((at, _)) => timer.as_mut().reset(at),
                None => timer.as_mut().reset(Instant::now() + patience.idle),
            }
        }
    })
    .await
}

/// Has hyper end the connection, but not its socket. Ready at once when hyper, too, knows it to be between requests: that
/// alone tells for sure that it has nothing to write and no request's body to read.
fn let_go<C: Graceful>(
    mut connection: Pin<&mut C>,
    progress: &Progress,
    cx: &mut Context<'_>,
) -> Poll<hyper::Result<()>> {
    progress.parking.store(true, Relaxed);
    connection.as_mut().shut_down();
    let end = connection.poll(cx);
    progress.parking.store(false, Relaxed);
    end
}

/// Whether it was told to stop. A task's waker stays the same, so `stopped` is polled for its sake once.
fn heard(stopped: Pin<&mut impl Future<Output = ()>>, stop: &Stop, listening: &mut bool, cx: &mut Context<'_>) -> bool {
    if !*listening {
        *listening = true;
        return stopped.poll(cx).is_ready();
    }
    stop.was_said()
}

/// Whether the timer's moment has come; polled only where it was set anew.
fn rang(timer: Pin<&mut Sleep>, armed: &mut bool, cx: &mut Context<'_>) -> bool {
    if !*armed {
        // Out of budget, tokio answers without having armed it.
        *armed = has_budget_remaining();
        return timer.poll(cx).is_ready();
    }
    timer.is_elapsed()
}

#[derive(Clone, Copy)]
enum Phase {
    Open,
    /// After `stop`, idle: until then a last request may come.
    Leaving(Instant),
    /// hyper was asked to close; until then it may take, or as long as open requests do.
    Closing(Option<Instant>),
}

impl Phase {
    fn due(self, progress: &Progress, patience: Patience) -> Option<(Instant, Due)> {
        match self {
            Self::Open => progress.due(patience),
            Self::Leaving(until) => Some((until, Due::Idle)),
            Self::Closing(Some(until)) if !progress.serving() => Some((until, Due::Late(Late::Lingering))),
            Self::Closing(_) => progress.due(patience).filter(|(_, due)| matches!(due, Due::Late(Late::Unread))),
        }
    }
}

/// After `stop`, how long an idle connection may still bring a request.
pub(super) const LAST_REQUEST: Duration = Duration::from_secs(1);
/// How long closing an idle connection may take.
pub(super) const CLOSE: Duration = Duration::from_secs(5);
