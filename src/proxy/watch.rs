//! How long an answer's body may go on: until its session ends, or its next byte does not come (`limits.upstream_stall`).
//!
//! Most bodies are over before they pause, and cost nothing here; a pause costs one timer. Event streams and gRPC calls may be
//! silent as long as they like: keep-alive of TCP or HTTP/2 finds out that the other end vanished.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::TOUCH_EVERY;
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
    pause: Option<Pause>,
}

/// The session a body was granted to.
pub(super) struct Granted {
    pub sessions: Sessions,
    pub live: Live,
    pub clock: Clock,
}

/// From the first pause on.
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
}

impl Watch {
    /// `granted`: whose session it is, if anybody's; `lasts`: an event stream or a call; `stall`: between two bytes.
    pub fn new(granted: Option<Granted>, lasts: bool, stall: Duration) -> Self {
        Self { granted, lasts, stall, pause: None }
    }

    /// Nothing came.
    pub fn paused(&mut self) {
        if self.pause.is_some() {
            return;
        }
        let first = if self.lasts { Duration::ZERO } else { LONG.min(self.stall) };
        let now = Instant::now();
        self.pause = Some(Pause { timer: Box::pin(sleep(first)), moved: now, touched: now, ended: None });
    }

    /// Something came. A download that moves is activity, as an upload is: it may take longer than a session may idle.
    pub fn moved(&mut self) {
        let Some(pause) = &mut self.pause else { return };
        pause.moved = Instant::now();
        if let Some(granted) = self.granted.as_ref().filter(|_| !self.lasts)
            && pause.moved.duration_since(pause.touched) >= TOUCH_EVERY
        {
            pause.touched = pause.moved;
            granted.sessions.touch(&granted.live, granted.clock.now());
        }
    }

    /// Whether it has to end; wakes the task when it will.
    pub fn over(&mut self, cx: &mut Context<'_>) -> Option<Over> {
        let pause = self.pause.as_mut()?;
        while pause.timer.as_mut().poll(cx).is_ready() {
            if pause.ended.is_none() {
                pause.ended = self.granted.as_ref().map(Granted::end);
            }
            let (now, until) = (Instant::now(), pause.moved + if self.lasts { NEVER } else { self.stall });
            if until <= now {
                return Some(Over::Stalled);
            }
            pause.timer.as_mut().reset(until);
        }
        let ended = pause.ended.as_mut()?;
        matches!(ended.as_mut().poll(cx), Poll::Ready(())).then_some(Over::Ended)
    }
}

impl Granted {
    fn end(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (sessions, live) = (self.sessions.clone(), self.live.clone());
        Box::pin(async move { sessions.ended(&live).await })
    }
}

/// A body that lasts longer than this after its first pause ends with its session.
const LONG: Duration = Duration::from_secs(1);
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);
