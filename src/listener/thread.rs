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
    time::{Instant, timeout},
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tracing::{debug, error, warn};

use super::{
    Service,
    accept::Arrived,
    connection::{Server, Terms},
    crowd::Crowd,
    watch::Progress,
};
use crate::telemetry::metrics::{Gauge, Held};

/// Where a data thread takes its sockets from.
pub(super) struct Desk {
    inbox: UnboundedSender<Word>,
    open: Arc<AtomicUsize>,
    /// Those of all threads.
    connections: Gauge,
}

/// What the acceptor has to say to a data thread.
enum Word {
    Serve(Seated),
    MakeRoom,
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
    pub progress: Arc<Progress>,
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
        if let Err(refused) = self.inbox.send(Word::Serve(seated)) {
            drop(refused);
            self.open.store(usize::MAX / 2, Ordering::Relaxed);
            error!("a data thread is gone");
        }
    }

    /// Has it close connections on which nothing was served for longest, if there are such.
    pub fn make_room(&self) {
        let _ = self.inbox.send(Word::MakeRoom);
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

async fn work<S: Service>(make: impl Fn() -> S, mut inbox: UnboundedReceiver<Word>, terms: Terms) {
    let drain = terms.limits.drain;
    let server = Arc::new(Server::new(make(), terms));
    let connections = TaskTracker::new();
    let mut crowd = Crowd::default();
    while let Some(word) = inbox.recv().await {
        let Word::Serve(seated) = word else {
            crowd.close_idlest(Instant::now());
            continue;
        };
        let server = Arc::clone(&server);
        let (open, progress) = (connections.token(), Arc::new(Progress::new()));
        let watched = Arc::downgrade(&progress);
        let task = tokio::spawn(async move {
            let Seated { arrived, seat, counted } = seated;
            let Arrived { stream, peer, tls, room } = arrived;
            let place = Place { progress, _seat: seat, _counted: counted, _room: room, _open: open };
            let served = async { server.serve(TcpStream::from_std(stream)?, peer, tls, place).await };
            if let Err(error) = served.await {
                debug!(%peer, error = &error as &dyn std::error::Error, "connection cut off");
            }
        });
        crowd.add(watched, task.abort_handle());
    }
    connections.close();
    if timeout(drain, connections.wait()).await.is_err() {
        warn!(left = connections.len(), "the drain's time is over; cutting connections off");
    }
}
