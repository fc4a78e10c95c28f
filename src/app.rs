//! The composition root: the only place that names concrete backends.
//!
//! [`serve`] is the life of the gateway: folder and secret, bound sockets, service runtime, rooms, then requests until
//! a signal, then the drain. Stores may be down at the start: the listener answers at once, `/readyz` says what is
//! missing, and migrations are tried until they succeed.

pub mod data;
mod digest;
mod lookout;
mod measures;
pub mod operations;
pub mod reach;
mod rooms;
mod signals;
mod start;
mod threads;
mod tidying;
mod welcome;

use std::{future::Future, io, time::Duration};

use tokio::runtime::{Builder, Runtime};
use tracing::{error, info};

use self::{digest::Digest, operations::Operations, rooms::Rooms, signals::Signals};
use crate::{
    config::Config,
    identity::{Identity, Refusal},
    listener::Listener,
    session::outbox,
    telemetry::{access::AccessLog, failures::Failures},
    world::{Clock, Entropy, roots},
};

pub use self::{
    rooms::{causes, open_identity},
    welcome::setup_link,
};

/// Why the gateway did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Something in the set-up that only trying it out can tell (a taken port, a broken certificate, a wrong CA file).
    #[error("{0}")]
    Setup(String),
    /// The data folder.
    #[error(transparent)]
    Data(#[from] data::DataError),
    /// The operating system refused threads or sockets.
    #[error("the operating system refused {what}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// A command needs the accounts database. (The server waits for it.)
    #[error(transparent)]
    Accounts(Refusal),
    /// Random bytes.
    #[error(transparent)]
    Entropy(#[from] crate::world::NoEntropy),
    /// A second signal came before the drain was done.
    #[error("ended by a second signal, before open requests were done")]
    Interrupted,
}

/// Runs the gateway until SIGTERM or SIGINT, then drains. `failures` is what the log counts for the operator.
///
/// # Errors
/// When it cannot start, or was ended before open requests were done.
pub fn serve(mut config: Config, failures: Failures) -> Result<(), ServeError> {
    let (clock, entropy) = (Clock::System, Entropy::System);
    data::open(&config.data_dir)?;
    let secret = data::secret(&config.data_dir, &config.secrets, &entropy)?;
    authorities()?;
    let service = service_runtime()?;
    // Before the public one: whoever gets through there may ask here how things stand.
    let operations = Operations::bind(&config.operations, &service)?;
    let listener = Listener::bind(&config.listen, &config.limits).map_err(ServeError::Setup)?;
    settle_port(&mut config, &listener);
    let signals = service.block_on(async { Signals::listen() })?;
    let rooms = service.block_on(Rooms::open(&config, &secret, service.handle().clone(), clock.clone(), entropy))?;
    if let Some(digest) = Digest::new(&config.mail, &config.portal, &config.data_dir, failures) {
        service.spawn(digest.keep(rooms.post.clone(), clock.clone()));
    }
    welcome::print(&config, &listener, operations.address());
    let drain = service.spawn(start::migrate_then(rooms.identity.clone(), config.portal.clone(), {
        let (identity, sessions, assertions) =
            (rooms.identity.clone(), rooms.sessions.clone(), rooms.assertions.clone());
        // Boxed: on its way to the runtime one future after another would lie on this thread's stack, which stays as long as we do.
        let trail = Box::pin(identity.clone().keep_trail(clock.clone()));
        let telling = Box::pin(identity.clone().keep_telling(clock.clone()));
        async {
            tokio::join!(Box::pin(outbox::drain(identity, sessions)), Box::pin(assertions.keep()), trail, telling).0
        }
    }));
    service.spawn(rooms.upstreams.clone().check());
    service.spawn(tidying::tidy());
    service.spawn(lookout::keep(rooms.identity.clone(), rooms.sessions.clone()));
    service.spawn(rooms.post.clone().send_spooled());
    service.spawn(operations.run(rooms.clone(), listener.connections(), signals.clone()));
    let accept = runtime("the thread that accepts connections", Builder::new_current_thread())?;
    let (access, last_lines) = AccessLog::start(config.log.format);
    let served = accept.block_on(until_second(&signals, {
        let threads = threads::count();
        listener.run(threads, threads::make(&config, &rooms, access), signals.first())
    }));
    // After a second signal a data thread may still be busy, and its thread is joined on this runtime.
    accept.shutdown_background();
    drain.abort();
    if served.is_ok() {
        service.block_on(close(rooms));
        service.shutdown_timeout(LAST_WORK);
    } else {
        service.shutdown_background();
    }
    info!("ended");
    last_lines.written();
    served
}

/// With port 0 and no `portal.url`, people open the port the system chose.
fn settle_port(config: &mut Config, listener: &Listener) {
    if config.portal.url.port == 0 {
        let (http, https) = listener.addresses();
        config.portal.url.port = http.or(https).map_or(0, |address| address.port());
    }
}

/// Each part that trusts other servers reads `SSL_CERT_FILE` for itself; a wrong one is told before anything listens.
fn authorities() -> Result<(), ServeError> {
    roots::store().map(drop).map_err(|error| ServeError::Setup(causes(&error)))
}

async fn until_second(signals: &Signals, run: impl Future<Output = ()>) -> Result<(), ServeError> {
    tokio::select! {
        () = run => Ok(()),
        () = signals.second() => Err(ServeError::Interrupted),
    }
}

async fn close(rooms: Rooms) {
    rooms.post.flush(LAST_MAILS).await;
    rooms.identity.forgotten(LAST_WORK).await;
    // Uses of the last minute, so that nobody is idle a minute too early after a restart.
    if tokio::time::timeout(LAST_WORK, rooms.sessions.flush()).await.is_err() {
        error!("the last activity was not written in time");
    }
    if tokio::time::timeout(LAST_WORK, rooms.identity.close()).await.is_err() {
        error!("the accounts database did not close in time");
    }
}

/// One multi-thread runtime carries SQL, Redis, mail, Twilio and the portal's pages. Where processors are short, its threads
/// and those they make (SQLite's) come after the data threads: many who sign in are not felt by who has.
pub(crate) fn service_runtime() -> Result<Runtime, ServeError> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads::count().max(2)).thread_name("service");
    builder.on_thread_start(|| {
        let _ = rustix::process::setpriority_process(None, BEHIND);
    });
    runtime("the service threads", builder)
}

fn runtime(what: &'static str, mut builder: Builder) -> Result<Runtime, ServeError> {
    builder.enable_all().build().map_err(|source| ServeError::System { what, source })
}

/// Runs one command's work on a service runtime of its own, beside a running server or without one.
///
/// # Errors
/// When the rooms cannot be opened; what `work` answers is its own.
pub fn with_identity<T>(config: &Config, work: impl AsyncFnOnce(Identity) -> T) -> Result<T, ServeError> {
    data::open(&config.data_dir)?;
    let service = service_runtime()?;
    let answer = service.block_on(async {
        let (identity, post) = open_identity(config, Clock::System, Entropy::System)?;
        // A command may be the first thing ever run.
        identity.migrate().await.map_err(ServeError::Accounts)?;
        let answer = work(identity.clone()).await;
        post.flush(LAST_MAILS).await;
        identity.forgotten(LAST_MAILS).await;
        identity.close().await;
        Ok(answer)
    });
    service.shutdown_timeout(LAST_WORK);
    answer
}

/// How long waiting mails may take at the end.
const LAST_MAILS: Duration = Duration::from_secs(5);
const LAST_WORK: Duration = Duration::from_secs(2);

/// As `nice` counts: a third of the weight of a data thread.
const BEHIND: i32 = 5;
