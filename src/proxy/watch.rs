//! How long an answer's body may go on: until its session ends, or its next byte does not come (`limits.upstream_stall`).
//!
//! Most bodies are over with their first piece, and cost nothing here; others cost one timer. Event streams and gRPC calls may be
//! silent as long as they like: keep-alive of TCP or HTTP/2 finds out that the other end vanished.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{TOUCH_EVERY, body::Upload};
use crate::{
    session::{Live, Sessions},
    world::Clock,
};

/// Of one body.
pub(super) struct Watch {
    granted: Option<Granted>,
    /// Made to last: watched from the first pause on, never too slow, and no sign of the person's doing.
    lasts: bool,
    stall: Duration,
    /// When it has to be over (`limits.total`).
    end: Option<Instant>,
    /// What the answer may wait for.
    upload: Option<Arc<Upload>>,
    /// Its first piece came.
    begun: bool,
    pause: Option<Pause>,
}

/// The session a body was granted to.
pub(super) struct Granted {
    pub sessions: Sessions,
    pub live: Live,
    pub clock: Clock,
}

/// From the first pause, or the second piece, on.
struct Pause {
    timer: Pin<Box<Sleep>>,
    moved: Instant,
    touched: Instant,
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Why a body may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Over {
    #[error("the session ended")]
    Ended,
    #[error("the upstream's answer stalled")]
    Stalled,
    #[error("the answer took longer than limits.total")]
    TooLong,
}

impl Watch {
    /// `granted`: whose session it is, if anybody's; `lasts`: an event stream or a call; `stall`: between two bytes; `end`: when
    /// it has to be over, unless it lasts.
    pub fn new(
        granted: Option<Granted>,
        lasts: bool,
        (stall, end): (Duration, Option<Instant>),
        upload: Option<Arc<Upload>>,
    ) -> Self {
        let end = end.filter(|_| !lasts);
        Self { granted, lasts, stall, end, upload, begun: false, pause: None }
    }

    /// Nothing came, or there is more to come: watched from now on.
    pub fn paused(&mut self) {
        if self.pause.is_some() {
            return;
        }
        let now = Instant::now();
        let first = now + if self.lasts { Duration::ZERO } else { LONG.min(self.stall) };
        let first = self.end.map_or(first, |end| end.min(first));
        self.pause = Some(Pause { timer: Box::pin(sleep_until(first)), moved: now, touched: now, ended: None });
    }

    /// Something came. A download that moves is activity, as an upload is: it may take longer than a session may idle.
    pub fn moved(&mut self) {
        if self.pause.is_none() && !std::mem::replace(&mut self.begun, true) {
            return;
        }
        // A client that takes a large answer bit by bit finds the next bit ready each time, and nothing ever pauses.
        self.paused();
        let Some(pause) = &mut self.pause else { return };
        pause.moved = Instant::now();
        if let Some(granted) = self.granted.as_ref().filter(|_| !self.lasts) {
            pause.touch(granted);
        }
    }

    /// Whether it has to end; wakes the task when it will.
    pub fn over(&mut self, cx: &mut Context<'_>) -> Option<Over> {
        let pause = self.pause.as_mut()?;
        while pause.timer.as_mut().poll(cx).is_ready() {
            if pause.ended.is_none() {
                pause.ended = self.granted.as_ref().map(Granted::end);
            }
            // Bytes of an upload that goes on keep its answer waiting, and are activity whatever the answer is.
            if let Some(moved) = self.upload.as_ref().map(|upload| upload.last_moved()).filter(|at| *at > pause.moved) {
                pause.moved = moved;
                if let Some(granted) = &self.granted {
                    pause.touch(granted);
                }
            }
            let (now, stalled) = (Instant::now(), pause.moved + if self.lasts { NEVER } else { self.stall });
            let until = self.end.map_or(stalled, |end| end.min(stalled));
            if until <= now {
                return Some(if stalled <= now { Over::Stalled } else { Over::TooLong });
            }
            pause.timer.as_mut().reset(if self.upload.is_some() { until.min(now + TOUCH_EVERY) } else { until });
        }
        let ended = pause.ended.as_mut()?;
        matches!(ended.as_mut().poll(cx), Poll::Ready(())).then_some(Over::Ended)
    }
}

impl Pause {
    fn touch(&mut self, granted: &Granted) {
        if self.moved.duration_since(self.touched) >= TOUCH_EVERY {
            self.touched = self.moved;
            granted.sessions.touch(&granted.live, granted.clock.now());
        }
    }
}

impl Granted {
    fn end(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (sessions, live) = (self.sessions.clone(), self.live.clone());
        Box::pin(async move { sessions.ended(&live).await })
    }
}

/// A body that lasts longer than this from then on ends with its session.
const LONG: Duration = Duration::from_secs(1);
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);
