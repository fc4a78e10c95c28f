//! Keeps the near cache true to Redis: one link that listens, its pushes applied as they come, a heartbeat.
//!
//! The bound: a beat is asked for every [`BEAT`] and answered within another, so a silent partition is noticed after at
//! most 0.8 s, and a lease ends [`LEASE`] after the asking of the last answered beat, whatever else stalls. Until a link
//! lives again every request reads through, and tunnels are asked about four times a second.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{
    Shared,
    redis::{Deaf, Heard, Redis},
};

/// How a link ended.
enum End {
    /// The room is closed.
    Closed,
    /// It broke, or could not be made; after it had lived?
    Broken { lived: bool },
    /// The server does not track.
    Refused(::redis::RedisError),
}

/// Keeps a link for as long as the room is open.
pub(super) async fn keep(room: Weak<Shared>, redis: Arc<Redis>) {
    let mut said = false;
    loop {
        let pause = match follow(&room, &redis).await {
            End::Closed => return,
            End::Broken { lived } => {
                if lived {
                    tracing::warn!(
                        "the link that tells of changed sessions broke: until it is back, Redis is asked at every request"
                    );
                }
                if lived { AT_ONCE } else { AGAIN }
            }
            End::Refused(error) => {
                if !said {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "Redis does not tell of changes (CLIENT TRACKING … BCAST), or not who it is (INFO): it is asked at every request"
                    );
                }
                said = true;
                LATER
            }
        };
        sleep(pause).await;
    }
}

async fn follow(room: &Weak<Shared>, redis: &Arc<Redis>) -> End {
    let Some(shared) = room.upgrade() else { return End::Closed };
    let link = shared.near.begin();
    drop(shared);
    let listener = room.clone();
    let hear = move |heard| {
        if let Some(shared) = listener.upgrade() {
            shared.hear(link, heard);
        }
    };
    let mut ear = match timeout(OPEN, redis.listen(hear)).await {
        Ok(Ok(ear)) => ear,
        Ok(Err(Deaf::Refused(error))) => return End::Refused(error),
        Ok(Err(Deaf::Away)) | Err(_) => return End::Broken { lived: false },
    };
    let mut lived = false;
    loop {
        let asked_at = Instant::now();
        let answered = ear.beat(BEAT).await.is_ok();
        let Some(shared) = room.upgrade() else { return End::Closed };
        if !answered {
            shared.near.shut(link);
            return End::Broken { lived };
        }
        shared.near.prolong(link, asked_at + LEASE);
        if !lived {
            // What changed before this link was there was told to nobody.
            shared.watch.all_changed();
        }
        lived = true;
        drop(shared);
        ear.rest(BEAT.saturating_sub(asked_at.elapsed())).await;
    }
}

impl Shared {
    /// In the order of the socket; must not wait.
    fn hear(&self, link: u64, heard: Heard) {
        match heard {
            Heard::Changed(key) => {
                self.near.remove(&key);
                self.watch.changed(&key);
            }
            Heard::Everything => {
                self.near.clear();
                self.watch.all_changed();
            }
            Heard::Gone => self.near.shut(link),
        }
    }
}

/// Between two heartbeats, and how long one may take.
const BEAT: Duration = Duration::from_millis(400);
/// From the asking of a beat until what it vouches for is no longer given out.
const LEASE: Duration = Duration::from_millis(900);
/// To make a link.
const OPEN: Duration = Duration::from_secs(3);
/// Before the next one is made: after one that lived, after one that could not be made.
const AT_ONCE: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_millis(250);
/// Before a server that does not track is asked again: it may have been replaced.
const LATER: Duration = Duration::from_secs(30);
