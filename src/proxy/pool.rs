//! Connections that nobody uses, and those that many can share.
//!
//! Last in, first out: the connection most likely to live is tried first and the others can age.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    http1::Http1,
    multiplexed::{Link, Stream},
};
use crate::telemetry::metrics::Held;

/// How many times [`Idle::close_old`] passed by: no clock is read for a request.
type Age = u32;

/// Of one endpoint.
#[derive(Default)]
pub(super) struct Idle {
    /// HTTP/1.1, oldest first.
    rested: VecDeque<(Box<Http1>, Held, Age)>,
    /// HTTP/2, with when each was last seen in use.
    links: Vec<(Arc<Link>, Held, Instant)>,
    /// Whether a task closes what grows old.
    pub reaping: bool,
    /// The upstream chose HTTP/1.1 when it was last asked: nothing is shared.
    pub speaks_http1: bool,
}

impl Idle {
    /// An HTTP/1.1 connection that still looks alive.
    pub fn take(&mut self) -> Option<(Box<Http1>, Held)> {
        while let Some((mut connection, open, _)) = self.rested.pop_back() {
            if connection.rests() {
                return Some((connection, open));
            }
        }
        None
    }

    /// Keeps one whose answer was read to its end.
    pub fn put(&mut self, connection: Box<Http1>, open: Held) {
        if self.rested.len() >= MOST {
            self.rested.pop_front();
        }
        self.rested.push_back((connection, open, 0));
    }

    /// Lets others use a connection.
    pub fn share(&mut self, link: Arc<Link>, open: Held) {
        self.links.push((link, open, Instant::now()));
    }

    /// A stream on the first connection with room; when there may be no more connections, on the least busy one. `None`:
    /// open another.
    pub fn stream(&mut self) -> Option<Stream> {
        self.links.retain(|(link, ..)| link.lives());
        let with_room = self.links.iter().find(|(link, ..)| link.has_room());
        let link = match with_room {
            Some((link, ..)) => link,
            None if self.links.len() >= LINKS => {
                self.links.iter().map(|(link, ..)| link).min_by_key(|link| link.load())?
            }
            None => return None,
        };
        Some(link.stream())
    }

    /// Lets go what nobody used for a while; called every [`TURN`].
    pub fn close_old(&mut self) {
        self.rested.retain_mut(|(connection, _, age)| {
            *age += 1;
            *age <= OLDEST_TURN && connection.rests()
        });
        self.links.retain_mut(|(link, _, used)| {
            if link.load() > 0 {
                *used = Instant::now();
            }
            link.lives() && used.elapsed() < OLDEST
        });
    }

    /// HTTP/1.1 connections that nobody uses.
    pub fn count(&self) -> usize {
        self.rested.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rested.is_empty() && self.links.is_empty()
    }
}

/// Idle HTTP/1.1 connections kept for one address on one thread.
const MOST: usize = 1024;
/// HTTP/2 connections to one address on one thread.
const LINKS: usize = 4;
/// Below the keep-alive of common upstreams (nginx 75 s, Apache and gunicorn less, but they close and we notice).
const OLDEST: Duration = Duration::from_secs(30);
const OLDEST_TURN: Age = 3;
/// A third of it.
pub(super) const TURN: Duration = Duration::from_secs(10);
