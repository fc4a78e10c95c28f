//! One site's idle upstream connections on one data thread.
//!
//! Last in, first out: the connection most likely to live is tried first and the others can age. The lock is never held
//! across an await and in effect never contended, for the pool belongs to one thread.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, sleep, timeout};

use super::{ProxyError, body::ClientBody, connect::Connector};

/// Idle connections, and how to make more.
pub(super) struct Pool {
    connector: Connector,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Oldest first.
    senders: VecDeque<(SendRequest<ClientBody>, Instant)>,
    reaping: bool,
}

/// A connection in use; dropped unreturned, it closes.
pub(super) struct Lease {
    pub sender: SendRequest<ClientBody>,
    pool: Arc<Pool>,
}

impl Pool {
    pub fn new(connector: Connector) -> Arc<Self> {
        Arc::new(Self { connector, idle: Mutex::default() })
    }

    /// A connection that was used before and still looks alive.
    pub fn reuse(self: &Arc<Self>) -> Option<Lease> {
        let mut idle = self.lock();
        while let Some((sender, since)) = idle.senders.pop_back() {
            if sender.is_ready() && since.elapsed() < OLDEST {
                return Some(Lease { sender, pool: Arc::clone(self) });
            }
        }
        None
    }

    /// A new connection.
    pub async fn connect(self: &Arc<Self>) -> Result<Lease, ProxyError> {
        Ok(Lease { sender: self.connector.connect().await?, pool: Arc::clone(self) })
    }

    fn keep(self: &Arc<Self>, sender: SendRequest<ClientBody>) {
        let mut idle = self.lock();
        if idle.senders.len() >= MOST {
            idle.senders.pop_front();
        }
        idle.senders.push_back((sender, Instant::now()));
        if !std::mem::replace(&mut idle.reaping, true) {
            tokio::spawn(reap(Arc::downgrade(self)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The answer was read to its end: another request may use the connection.
    pub fn release(self) {
        let Self { mut sender, pool } = self;
        if sender.is_closed() {
            return;
        }
        if sender.is_ready() {
            pool.keep(sender);
            return;
        }
        // hyper is still finishing (the end of a request's body, mostly).
        tokio::spawn(async move {
            if matches!(timeout(FINISH, sender.ready()).await, Ok(Ok(()))) {
                pool.keep(sender);
            }
        });
    }
}

/// Closes what grew old; ends when nothing is idle.
async fn reap(pool: Weak<Pool>) {
    loop {
        sleep(REAP_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.lock();
        idle.senders.retain(|(sender, since)| sender.is_ready() && since.elapsed() < OLDEST);
        if idle.senders.is_empty() {
            idle.reaping = false;
            return;
        }
    }
}

/// Idle connections kept for one site on one thread.
const MOST: usize = 64;
/// Below the keep-alive of common upstreams (nginx 75 s, Apache and gunicorn less, but they close and hyper notices).
const OLDEST: Duration = Duration::from_secs(30);
const REAP_EVERY: Duration = Duration::from_secs(10);
const FINISH: Duration = Duration::from_secs(5);
