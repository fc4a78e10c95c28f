//! The link that listens: `CLIENT TRACKING ON BCAST`, so that Redis tells of every record that changes or runs out.
//!
//! A connection of its own, since a `ConnectionManager` loses tracking when it reconnects, and a heartbeat must not wait
//! behind large answers. Pushes are heard in the order of the socket. An [`Ear`] lives until its first missed beat; whoever
//! holds it makes a new one.

use std::{sync::Arc, time::Duration};

use ::redis::{AsyncConnectionConfig, ErrorKind, PushInfo, PushKind, RedisError, Value};
use tokio::time::timeout;

use super::Redis;
use crate::{
    session::{Unreachable, id::Key},
    storage::redis::{Wire, refused},
};

/// What is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// This record was written, dropped, or ran out.
    Changed(Key),
    /// Any record may have (the server was emptied).
    Everything,
    /// The link broke.
    Gone,
}

/// A link that listens.
pub(crate) struct Ear {
    redis: Arc<Redis>,
    wire: Wire,
    seat: u64,
}

/// Why there is none.
pub(crate) enum Deaf {
    /// The server refuses to track or to say who it is (a proxy or a clone of Redis, or an ACL without `+client|tracking`, `+info`).
    Refused(RedisError),
    /// Not reachable now.
    Away,
}

impl Redis {
    /// Opens a link over which `hear` is called, in order and without waiting, from the moment this returns.
    pub(crate) async fn listen(self: &Arc<Self>, hear: impl Fn(Heard) + Send + Sync + 'static) -> Result<Ear, Deaf> {
        let records = self.records();
        let prefix = records.clone();
        let config = AsyncConnectionConfig::new().set_push_sender(move |push: PushInfo| -> Result<(), RedisError> {
            told(&push, &prefix, &hear);
            Ok(())
        });
        let opened = self.link.links().open(config).await.map_err(|error| match error.kind() {
            ErrorKind::RESP3NotSupported => Deaf::Refused(error),
            _ => Deaf::Away,
        })?;
        let (seat, mut wire) = (opened.seat, opened.wire);
        // Whether questions go to the same server is not to be known otherwise.
        opened.server.map_err(Deaf::Refused)?;
        let mut track = ::redis::cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(records);
        match timeout(PATIENCE, track.query_async::<()>(&mut wire.connection)).await {
            Ok(Ok(())) => Ok(Ear { redis: Arc::clone(self), wire, seat }),
            Ok(Err(error)) if refused(&error) => Err(Deaf::Refused(error)),
            Ok(Err(_)) | Err(_) => Err(Deaf::Away),
        }
    }
}

impl Ear {
    /// One heartbeat: the server answers within `patience` and still is the one that holds the sessions.
    pub async fn beat(&mut self, patience: Duration) -> Result<(), Unreachable> {
        match timeout(patience, self.redis.link.links().confirm(self.seat, &mut self.wire)).await {
            Ok(confirmed) => Ok(confirmed?),
            Err(elapsed) => Err(Unreachable(Box::new(elapsed))),
        }
    }

    /// Waits `pause`, shorter when another server may have taken over.
    pub async fn rest(&self, pause: Duration) {
        // A telling that is missed is found by the next beat.
        let _ = timeout(pause, self.redis.link.links().moved()).await;
    }
}

fn told(push: &PushInfo, prefix: &str, hear: &impl Fn(Heard)) {
    match (&push.kind, push.data.first()) {
        (PushKind::Invalidate, Some(Value::Array(names))) => {
            for name in names {
                match name {
                    Value::BulkString(name) => {
                        named(name, prefix).into_iter().for_each(|key| hear(Heard::Changed(key)))
                    }
                    _ => hear(Heard::Everything),
                }
            }
        }
        (PushKind::Invalidate, _) => hear(Heard::Everything),
        (PushKind::Disconnection, _) => hear(Heard::Gone),
        _ => {}
    }
}

/// The record a key's name stands for; `None` for what is not ours.
fn named(name: &[u8], prefix: &str) -> Option<Key> {
    Key::from_hex(std::str::from_utf8(name.strip_prefix(prefix.as_bytes())?).ok()?)
}

/// For the server to begin tracking.
const PATIENCE: Duration = Duration::from_secs(1);
