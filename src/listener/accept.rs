//! The acceptor: takes sockets while there is room and hands each to the data thread with the fewest connections. Where there is
//! none, connections that are idle make room.

use std::{
    future::Future,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info, warn};

use super::thread::Desk;

/// A socket on its way to a data thread.
pub(super) struct Arrived {
    pub stream: std::net::TcpStream,
    pub peer: SocketAddr,
    pub tls: Option<TlsAcceptor>,
    /// Given back when the connection ends.
    pub room: OwnedSemaphorePermit,
}

/// Accepts until `stop` resolves; what the kernel had already accepted by then is still handed over.
pub(super) async fn until(
    stop: impl Future<Output = ()>,
    http: Option<std::net::TcpListener>,
    https: Option<(std::net::TcpListener, TlsAcceptor)>,
    desks: &[Desk],
    most: usize,
) {
    info!(most, "connections at a time");
    let room = Arc::new(Semaphore::new(most));
    let plain = http.map(|socket| (socket, None));
    let secure = https.map(|(socket, tls)| (socket, Some(tls)));
    let doors: Vec<_> = [plain, secure]
        .into_iter()
        .flatten()
        .filter_map(|(socket, tls)| match TcpListener::from_std(socket) {
            Ok(socket) => Some(Door { socket, tls }),
            Err(error) => {
                error!(%error, "a listening socket cannot be used");
                None
            }
        })
        .collect();
    let accepting = futures_util::future::join_all(doors.iter().map(|door| door.accept(&room, desks)));
    tokio::select! {
        () = stop => {}
        _ = accepting => {}
    }
    for door in &doors {
        door.rest(&room, desks);
    }
}

struct Door {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Door {
    async fn accept(&self, room: &Arc<Semaphore>, desks: &[Desk]) {
        let (mut pause, mut said) = (SHORTEST_PAUSE, None);
        loop {
            // Room first: without it the kernel keeps the connection waiting, which costs us nothing.
            let Some(permit) = a_place(room, desks, &mut said).await else { return };
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    pause = SHORTEST_PAUSE;
                    self.hand_over(stream, peer, permit, desks);
                }
                Err(error) if concerns_one_peer(&error) => {}
                Err(error) => {
                    // Out of files or memory: trying again at once would only spin.
                    warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Connections whose handshake the kernel finished: dropping them would lose requests already sent.
    fn rest(&self, room: &Arc<Semaphore>, desks: &[Desk]) {
        while let Some(Ok((stream, peer))) = self.socket.accept().now_or_never() {
            let Ok(permit) = Arc::clone(room).try_acquire_owned() else { return };
            self.hand_over(stream, peer, permit, desks);
        }
    }

    fn hand_over(&self, stream: TcpStream, peer: SocketAddr, room: OwnedSemaphorePermit, desks: &[Desk]) {
        let Ok(stream) = stream.into_std() else { return };
        let Some(desk) = desks.iter().min_by_key(|desk| desk.load()) else { return };
        desk.give(Arrived { stream, peer, tls: self.tls.clone(), room });
    }
}

/// The last place is taken only while nobody is idle. `said`: when that was told.
async fn a_place(room: &Arc<Semaphore>, desks: &[Desk], said: &mut Option<Instant>) -> Option<OwnedSemaphorePermit> {
    let place = || Arc::clone(room).acquire_owned();
    if let Some(place) = place().now_or_never() {
        return place.ok();
    }
    if said.is_none_or(|said| said.elapsed() > SAY_AGAIN) {
        *said = Some(Instant::now());
        warn!("all connections are in use: those that are idle for longest are closed");
    }
    loop {
        desks.iter().for_each(Desk::make_room);
        if let Ok(place) = timeout(LOOK_AGAIN, place()).await {
            return place.ok();
        }
    }
}

fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

/// Raises the limit of open files as far as it goes, and leaves half of them to upstreams and stores.
pub(super) fn most_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    let now = limit.current.unwrap_or(OPEN_FILES);
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    let files = if now < wanted && setrlimit(Resource::Nofile, raised).is_ok() { wanted } else { now };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    (files.saturating_sub(KEPT_BACK) / 2).clamp(FEWEST, MOST)
}

const SAY_AGAIN: Duration = Duration::from_secs(60);
/// For connections that are idle by now.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const OPEN_FILES: u64 = 1 << 17;
const KEPT_BACK: usize = 128;
const FEWEST: usize = 64;
const MOST: usize = 1 << 15;
