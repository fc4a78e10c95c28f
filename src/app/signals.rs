//! SIGTERM and SIGINT: the first asks to drain, the second to end at once.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{info, warn};

use super::ServeError;

/// How many signals came. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    count: watch::Receiver<u8>,
}

impl Signals {
    /// Listens from now on, on the current runtime.
    pub(super) fn listen() -> Result<Self, ServeError> {
        let what = "to listen for signals";
        let mut terminate = signal(SignalKind::terminate()).map_err(|source| ServeError::System { what, source })?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| ServeError::System { what, source })?;
        let (send, count) = watch::channel(0);
        tokio::spawn(async move {
            for number in 1..=2 {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if number == 1 {
                    info!("asked to end: open requests are finished first; ask again to end at once");
                } else {
                    warn!("asked again: ending at once");
                }
                send.send_replace(number);
            }
            // The channel stays open as long as the program: a closed one would count as a signal.
            std::future::pending::<()>().await;
        });
        Ok(Self { count })
    }

    /// Resolves at the first signal.
    pub(super) fn first(&self) -> impl Future<Output = ()> + Send + use<> {
        self.clone().reached(1)
    }

    /// Resolves at the second signal.
    pub(super) fn second(&self) -> impl Future<Output = ()> + Send + use<> {
        self.clone().reached(2)
    }

    /// Whether the drain has begun.
    pub(super) fn draining(&self) -> bool {
        *self.count.borrow() > 0
    }

    async fn reached(mut self, number: u8) {
        // An error means that the service runtime is gone: nothing is left to wait for.
        let _ = self.count.wait_for(|count| *count >= number).await;
    }
}
