//! Mails leave here: SMTP by lettre, or the terminal for trying out.
//!
//! A mail server that is down never blocks or fails a page: [`Post::send`] only takes a place in a bounded queue, and what has
//! none there waits in the [`Spool`], as does everything that has not left when the program ends.
//! Each waiting mail is a task of its own on the service runtime, so one slow recipient holds up nobody else's mail.
//! `app` makes one [`Post`]; `identity` drops letters into it. RFC 5321, RFC 5322, RFC 3834 (`Auto-Submitted`).

mod console;
mod letter;
mod smtp;
mod spool;

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

pub use self::spool::Spool;
use crate::{
    config::mail::{Mail, Transport},
    world::roots::RootsError,
};

/// One mail: subject, and the same words as text and as HTML (made by the `templates` crate).
#[derive(Clone, Debug)]
pub struct Letter {
    /// One recipient.
    pub to: lettre::Address,
    /// One line; line breaks and other control characters become spaces.
    pub subject: String,
    /// `text/plain`
    pub text: String,
    /// `text/html`
    pub html: String,
    /// How long it is worth sending: while its link lives.
    pub patience: Duration,
}

/// The queue is full (the mail server has been down for long): the caller says "try again later".
#[derive(Debug, thiserror::Error)]
#[error("too many mails are waiting to leave")]
pub struct Overfull;

/// The mail settings cannot be used as they are.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// The certificate authorities.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// TLS towards the mail server.
    #[error("TLS towards the mail server cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Where mails are dropped. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Post {
    office: Arc<Office>,
    runtime: Handle,
}

#[derive(Debug)]
struct Office {
    from: lettre::message::Mailbox,
    way: Way,
    /// One permit per waiting mail: the bound of the queue.
    places: Arc<Semaphore>,
    /// How many mails may talk to the mail server at once.
    counters: Semaphore,
    /// Commands have none: their mails leave before they end, or not at all.
    spool: Option<Spool>,
}

/// What a mail is to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mail,
    /// It tells of failures.
    Report,
}

#[derive(Debug)]
enum Way {
    Console,
    Smtp(smtp::Transport),
    /// Kept for a test to read.
    #[cfg(test)]
    Kept(Arc<std::sync::Mutex<Vec<Letter>>>),
}

impl Post {
    /// Opens the post on the current (service) runtime. Does not reach for the mail server yet.
    ///
    /// # Errors
    /// [`Unready`] when the settings cannot work.
    pub fn start(settings: Mail, spool: Option<Spool>) -> Result<Self, Unready> {
        let way = match &settings.transport {
            Transport::Console => Way::Console,
            Transport::Smtp(server) => Way::Smtp(smtp::transport(server)?),
        };
        let places = Arc::new(Semaphore::new(WAITING as usize));
        let office = Office { from: settings.from, way, places, counters: Semaphore::new(COUNTERS), spool };
        Ok(Self { office: Arc::new(office), runtime: Handle::current() })
    }

    /// A post that other rooms' tests read.
    #[cfg(test)]
    pub(crate) fn kept() -> (Self, Arc<std::sync::Mutex<Vec<Letter>>>) {
        let letters = Arc::default();
        let (places, counters) = (Arc::new(Semaphore::new(WAITING as usize)), Semaphore::new(COUNTERS));
        let way = Way::Kept(Arc::clone(&letters));
        let office = Office { from: Mail::default().from, way, places, counters, spool: None };
        (Self { office: Arc::new(office), runtime: Handle::current() }, letters)
    }

    /// Puts a mail into the queue; it is sent and, while the server is away, retried for as long as its patience. Never waits.
    ///
    /// # Errors
    /// [`Overfull`] when as many mails wait as may, and there is no spool.
    pub fn send(&self, letter: Letter) -> Result<(), Overfull> {
        self.take(letter, Kind::Mail)
    }

    /// The same for a mail about failures: when it does not leave, that is no failure to be mailed about in its turn.
    ///
    /// # Errors
    /// [`Overfull`] when as many mails wait as may.
    pub fn send_report(&self, letter: Letter) -> Result<(), Overfull> {
        self.take(letter, Kind::Report)
    }

    fn take(&self, letter: Letter, kind: Kind) -> Result<(), Overfull> {
        let office = Arc::clone(&self.office);
        match Arc::clone(&self.office.places).try_acquire_owned() {
            Ok(place) => drop(self.runtime.spawn(deliver(office, letter, kind, None, place))),
            Err(_) if office.spools(kind) => {
                self.runtime.spawn(async move { office.keep(&letter, false).await });
            }
            Err(_) => return Err(Overfull),
        }
        Ok(())
    }

    /// Sends what waits in the spool, from before the last start or for want of places, for ever. `app` spawns it.
    pub async fn send_spooled(self) {
        let mut ticks = tokio::time::interval(SPOOL_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let free = self.office.places.available_permits() / 2;
            let office = Arc::clone(&self.office);
            let taken = tokio::task::spawn_blocking(move || office.spool.as_ref().map(|spool| spool.take(free)));
            match taken.await {
                Ok(Some(Ok(taken))) => taken.into_iter().for_each(|(name, letter, _)| self.resend(name, letter)),
                Ok(Some(Err(error))) => tracing::warn!(%error, "waiting mails cannot be read"),
                Ok(None) => return,
                Err(error) => tracing::error!(%error, "waiting mails were not looked for"),
            }
        }
    }

    fn resend(&self, name: String, letter: Letter) {
        let office = Arc::clone(&self.office);
        self.runtime.spawn(async move {
            let Ok(place) = Arc::clone(&office.places).acquire_owned().await else { return };
            deliver(office, letter, Kind::Mail, Some(name), place).await;
        });
    }

    /// Reaches the mail server once (`vestibule check`).
    ///
    /// # Errors
    /// What stands between us and the server.
    pub async fn reach(settings: &Mail) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match &settings.transport {
            Transport::Console => Ok(()),
            Transport::Smtp(server) => smtp::reach(server).await,
        }
    }

    /// Waits (bounded) until the queue is empty: before the program ends. What still waits then leaves after the next start,
    /// or is lost where there is no spool, and said so.
    pub async fn flush(&self, within: Duration) {
        let all_places_free = self.office.places.acquire_many(WAITING);
        if tokio::time::timeout(within, all_places_free).await.is_err() {
            let waiting = (WAITING as usize).saturating_sub(self.office.places.available_permits());
            match self.office.spool {
                Some(_) => {
                    tracing::warn!(waiting, "mails still wait for the mail server: they leave after the next start")
                }
                None => tracing::warn!(waiting, "mails were still waiting for the mail server and are lost"),
            }
        }
    }
}

impl Office {
    /// Reports are not kept: the next one tells more.
    fn spools(&self, kind: Kind) -> bool {
        kind == Kind::Mail && self.spool.is_some() && matches!(self.way, Way::Smtp(_))
    }

    /// Writes a mail into the spool; answers its name. One that cannot be written waits in memory alone.
    async fn keep(self: &Arc<Self>, letter: &Letter, busy: bool) -> Option<String> {
        let (office, letter) = (Arc::clone(self), letter.clone());
        let kept = tokio::task::spawn_blocking(move || {
            office.spool.as_ref().map(|spool| spool.put(&letter, spool.now().plus(letter.patience), busy))
        });
        match kept.await {
            Ok(Some(Ok(name))) => Some(name),
            Ok(Some(Err(error))) => {
                tracing::error!(%error, "a mail cannot be kept until it has left");
                None
            }
            Ok(None) | Err(_) => None,
        }
    }
}

/// The life of one mail: `name` is what it is kept under already. `place` is given back when it ends, whichever way.
async fn deliver(office: Arc<Office>, letter: Letter, kind: Kind, name: Option<String>, place: OwnedSemaphorePermit) {
    let name = match name {
        None if office.spools(kind) => office.keep(&letter, true).await,
        name => name,
    };
    attempt(&office, letter, kind).await;
    if let (Some(spool), Some(name)) = (&office.spool, &name) {
        spool.remove(name);
    }
    drop(place);
}

/// Tries until it has left, or never will.
async fn attempt(office: &Office, letter: Letter, kind: Kind) {
    let transport = match &office.way {
        Way::Console => return console::print(&letter),
        Way::Smtp(transport) => transport,
        #[cfg(test)]
        Way::Kept(letters) => return letters.lock().unwrap().push(letter),
    };
    let patience = letter.patience;
    let message = match letter::message(&letter, &office.from) {
        Ok(message) => message,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            match kind {
                Kind::Mail => tracing::error!(error, "a mail could not be written and is dropped"),
                Kind::Report => tracing::warn!(error, "a mail about failures could not be written and is dropped"),
            }
            return;
        }
    };
    drop(letter);
    let born = Instant::now();
    let mut tries = 0;
    loop {
        let outcome = {
            let Ok(_counter) = office.counters.acquire().await else { return };
            smtp::send(transport, &message).await
        };
        tries += 1;
        let Err(failure) = outcome else { break };
        let wait = if failure.is_final() { None } else { next_wait(tries, born.elapsed(), patience) };
        failure.log(tries, wait, kind);
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => break,
        }
    }
}

/// How long to wait after that many failed tries; `None` when the mail has waited long enough.
fn next_wait(tries: usize, waited: Duration, patience: Duration) -> Option<Duration> {
    let wait = BACKOFF.get(tries.saturating_sub(1)).map_or(LONGEST_WAIT, |wait| Duration::from_secs(*wait));
    (waited + wait <= patience).then_some(wait)
}

const WAITING: u32 = 1024;
const COUNTERS: usize = 4;
/// Seconds. While a reset link lives, the mail server is asked often.
const BACKOFF: [u64; 7] = [1, 5, 30, 120, 120, 120, 120];
const LONGEST_WAIT: Duration = Duration::from_mins(10);
const SPOOL_EVERY: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
