//! The two links to Redis: one for questions, one that listens. Both speak to one server, or neither is used.
//!
//! The *seat* is the server that holds the sessions, numbered anew whenever that becomes another one (failover, a moved
//! slot, a name or a balancer that leads elsewhere now). A link made under an older number is dropped: so nothing is read
//! from one server while the pushes that would revoke it go to another.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ScriptInvocation};
use tokio::sync::Notify;

use super::{
    Unreachable,
    dial::{Dialer, Server, Wire, elsewhere, refused},
};
use crate::config::session::redis::Host;

/// Both links' common ground, and the one for questions.
pub(crate) struct Links {
    dialer: Dialer,
    seat: Mutex<Seat>,
    /// The listening link looks at the seat when this tells.
    moved: Notify,
    questions: Mutex<Option<Link>>,
    /// Counts links for questions.
    made: AtomicU64,
    /// One at a time connects; the others use what it made.
    connecting: tokio::sync::Mutex<()>,
}

/// Which server holds the sessions.
#[derive(Default)]
struct Seat {
    number: u64,
    host: Option<Host>,
    /// Its own name, where it tells.
    server: Option<Arc<str>>,
    taken_at: Option<Instant>,
}

/// A link just made.
pub(crate) struct Opened {
    pub seat: u64,
    pub wire: Wire,
    pub server: Server,
}

/// The link for questions.
#[derive(Clone)]
struct Link {
    wire: Wire,
    /// One failure drops one link.
    number: u64,
    seat: u64,
}

/// What Redis is asked: it may be put twice.
pub(crate) enum Question<'a> {
    Command(Cmd),
    Script(ScriptInvocation<'a>),
}

impl Question<'_> {
    pub fn command(name: &str, args: &[String]) -> Self {
        let mut command = ::redis::cmd(name);
        command.arg(args);
        Self::Command(command)
    }

    async fn put<T: FromRedisValue>(&self, link: &mut Wire) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(&mut link.connection).await,
            Self::Script(invocation) => invocation.invoke_async(&mut link.connection).await,
        }
    }
}

impl Links {
    pub fn new(dialer: Dialer) -> Self {
        Self {
            dialer,
            seat: Mutex::default(),
            moved: Notify::new(),
            questions: Mutex::default(),
            made: AtomicU64::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// Asks; once more at once if the connection turned out to be broken, or the server to be the wrong one. Asking twice
    /// never does harm: what is asked is a reading, a step that finds its own work done (and then refuses, the safe side), or
    /// one that has a name and is done once (`identity::limits`).
    pub async fn ask<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T, Unreachable> {
        let whole = async {
            let (number, error) = match self.ask_once(&question).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(number) = number else { return Err(error) };
            if self.again(number, &error) {
                self.ask_once(&question).await.map_err(|(number, error)| self.failed(number, error))
            } else {
                Err(error)
            }
        };
        let answer = tokio::time::timeout(WHOLE, whole).await;
        answer.unwrap_or_else(|_| Err(timed_out())).map_err(Unreachable::from)
    }

    async fn ask_once<T: FromRedisValue>(&self, question: &Question<'_>) -> Result<T, (Option<u64>, RedisError)> {
        let mut link = self.link().await.map_err(|error| (None, error))?;
        match tokio::time::timeout(ANSWER, question.put(&mut link.wire)).await {
            Ok(answer) => answer.map_err(|error| (Some(link.number), error)),
            // Half open, perhaps: the next question opens a new link.
            Err(_) => {
                self.drop_link(link.number);
                Err((None, timed_out()))
            }
        }
    }

    fn failed(&self, number: Option<u64>, error: RedisError) -> RedisError {
        if let Some(number) = number {
            self.again(number, &error);
        }
        error
    }

    /// Drops a link that is no good; whether asking anew may help.
    fn again(&self, number: u64, error: &RedisError) -> bool {
        if elsewhere(error) {
            self.drop_link(number);
            return self.leave();
        }
        let broken = !refused(error);
        if broken {
            self.drop_link(number);
        }
        broken && error.is_io_error() && !error.is_timeout()
    }

    fn drop_link(&self, number: u64) {
        let mut questions = lock(&self.questions);
        if questions.as_ref().is_some_and(|link| link.number == number) {
            *questions = None;
        }
    }

    async fn link(&self) -> RedisResult<Link> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let _turn = self.connecting.lock().await;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let Opened { seat, wire, .. } = self.open(AsyncConnectionConfig::new().set_pipeline_buffer_size(1024)).await?;
        let mut questions = lock(&self.questions);
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        Ok(questions.insert(Link { wire, number, seat }).clone())
    }

    fn current(&self) -> Option<Link> {
        let seat = self.seat();
        lock(&self.questions).clone().filter(|link| link.seat == seat)
    }

    /// Opens a connection to the server that holds the sessions, for either link.
    pub async fn open(&self, config: AsyncConnectionConfig) -> RedisResult<Opened> {
        // Our own time-outs are around every question.
        let config = config.set_response_timeout(None);
        let host = self.dialer.find().await?;
        let (wire, server) = self.dialer.open(&host, config).await?;
        Ok(Opened { seat: self.take(host, server.as_ref().ok()), wire, server })
    }

    /// Whether that server still is the one, by the other link's word and by its own.
    pub async fn confirm(&self, seat: u64, wire: &mut Wire) -> RedisResult<()> {
        // First without a round trip: what the other link reads elsewhere must not be kept meanwhile.
        self.seated(seat)?;
        self.dialer.confirm(wire).await?;
        self.seated(seat)
    }

    fn seated(&self, seat: u64) -> RedisResult<()> {
        if seat == self.seat() {
            Ok(())
        } else {
            Err((ErrorKind::Client, "another server holds the sessions now").into())
        }
    }

    /// Returns when the seat may have changed.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }

    /// The number of the server that holds the sessions now.
    pub fn seat(&self) -> u64 {
        lock(&self.seat).number
    }

    fn take(&self, host: Host, server: Option<&Arc<str>>) -> u64 {
        let mut seat = lock(&self.seat);
        if seat.host.as_ref() != Some(&host) || seat.server.as_ref() != server {
            let (number, server) = (seat.number + 1, server.cloned());
            *seat = Seat { number, host: Some(host), server, taken_at: Some(Instant::now()) };
            self.moved.notify_one();
        }
        seat.number
    }

    /// The server says that it is not the one (any more). At most once a second: a cluster that is down says so to everybody.
    fn leave(&self) -> bool {
        let mut seat = lock(&self.seat);
        let old = seat.taken_at.is_none_or(|taken_at| taken_at.elapsed() > Duration::from_secs(1));
        if old {
            *seat = Seat { number: seat.number + 1, host: None, server: None, taken_at: Some(Instant::now()) };
            self.moved.notify_one();
        }
        old
    }
}

impl From<RedisError> for Unreachable {
    fn from(error: RedisError) -> Self {
        Self(Box::new(error))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

/// From a command to its answer.
const ANSWER: Duration = Duration::from_millis(1_500);
/// For one question, connecting included.
const WHOLE: Duration = Duration::from_secs(2);
