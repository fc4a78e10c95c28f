//! A data thread: one current-thread runtime, one service, its own connections.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    runtime,
    sync::{
        OwnedSemaphorePermit,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::timeout,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tracing::{debug, error, warn};

use super::{
    Service,
    accept::Arrived,
    connection::{Server, Terms},
};
use crate::telemetry::metrics::{Gauge, Held};

/// Where a data thread takes its sockets from.
pub(super) struct Desk {
    inbox: UnboundedSender<Seated>,
    open: Arc<AtomicUsize>,
    /// Those of all threads.
    connections: Gauge,
}

/// A socket, counted as one of its thread's connections until dropped.
struct Seated {
    arrived: Arrived,
    seat: Seat,
    counted: Held,
}

/// All that a connection counts for, until this is dropped. A tunnel takes its socket out of hyper's hands, which then call the
/// connection done: so this goes where the tunnel goes.
pub(super) struct Place {
    _seat: Seat,
    _counted: Held,
    /// Given back to the acceptor.
    _room: OwnedSemaphorePermit,
    /// The drain waits for it.
    _open: TaskTrackerToken,
}

struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    /// How many connections the thread has.
    pub fn load(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Hands it a socket. A thread that is gone drops it, and is never the emptiest again.
    pub fn give(&self, arrived: Arrived) {
        self.open.fetch_add(1, Ordering::Relaxed);
        let seated = Seated { arrived, seat: Seat(Arc::clone(&self.open)), counted: self.connections.hold() };
        if let Err(refused) = self.inbox.send(seated) {
            drop(refused);
            self.open.store(usize::MAX / 2, Ordering::Relaxed);
            error!("a data thread is gone");
        }
    }
}

/// Starts a data thread; it ends when its [`Desk`] is dropped and its connections are done or `limits.drain` has passed.
pub(super) fn start<S: Service>(
    number: usize,
    make: impl Fn() -> S + Send + 'static,
    terms: Terms,
) -> io::Result<(Desk, JoinHandle<()>)> {
    let (sender, inbox) = unbounded_channel();
    let connections = terms.connections.clone();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = Builder::new().name(format!("data-{number}")).spawn(move || {
        runtime.block_on(work(make, inbox, terms));
        // What is left is cut off, and lookups that nobody waits for.
        runtime.shutdown_timeout(Duration::from_millis(100));
    })?;
    Ok((Desk { inbox: sender, open: Arc::default(), connections }, handle))
}

async fn work<S: Service>(make: impl Fn() -> S, mut inbox: UnboundedReceiver<Seated>, terms: Terms) {
    let drain = terms.limits.drain;
    let server = Arc::new(Server::new(make(), terms));
    let connections = TaskTracker::new();
    while let Some(seated) = inbox.recv().await {
        let server = Arc::clone(&server);
        let open = connections.token();
        tokio::spawn(async move {
            let Seated { arrived, seat, counted } = seated;
            let Arrived { stream, peer, tls, room } = arrived;
            let place = Place { _seat: seat, _counted: counted, _room: room, _open: open };
            let served = async { server.serve(TcpStream::from_std(stream)?, peer, tls, place).await };
            if let Err(error) = served.await {
                debug!(%peer, error = &error as &dyn std::error::Error, "connection cut off");
            }
        });
    }
    connections.close();
    if timeout(drain, connections.wait()).await.is_err() {
        warn!(left = connections.len(), "the drain's time is over; cutting connections off");
    }
}
