//! An answer whose next byte does not come: `limits.upstream_stall`. Event streams and gRPC calls may be silent as long as they
//! like: for them TCP and HTTP/2 keep-alive find out that the other end vanished.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Of one body. Its timer is made when the body first pauses.
pub(super) struct Stall {
    patience: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Stall {
    /// `None`: for ever.
    pub fn new(patience: Option<Duration>) -> Self {
        Self { patience, timer: None, waiting: false }
    }

    /// The body moved.
    pub fn moved(&mut self) {
        self.waiting = false;
    }

    /// Whether the pause is too long by now; wakes the task when it will be.
    pub fn over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(patience) = self.patience else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(Instant::now() + patience);
        }
        matches!(timer.as_mut().poll(cx), Poll::Ready(()))
    }
}
