//! Mails leave here: SMTP by lettre, or the terminal for trying out.
//!
//! A mail server that is down never blocks or fails a page: [`Post::send`] only takes a place in a bounded queue.
//! Each waiting mail is a task of its own on the service runtime, so one slow recipient holds up nobody else's mail.
//! `app` makes one [`Post`]; `identity` drops letters into it. RFC 5321, RFC 5322, RFC 3834 (`Auto-Submitted`).

mod console;
mod letter;
mod smtp;

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

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
    pub fn start(settings: Mail) -> Result<Self, Unready> {
        let way = match &settings.transport {
            Transport::Console => Way::Console,
            Transport::Smtp(server) => Way::Smtp(smtp::transport(server)?),
        };
        let places = Arc::new(Semaphore::new(WAITING as usize));
        let office = Office { from: settings.from, way, places, counters: Semaphore::new(COUNTERS) };
        Ok(Self { office: Arc::new(office), runtime: Handle::current() })
    }

    /// A post that other rooms' tests read.
    #[cfg(test)]
    pub(crate) fn kept() -> (Self, Arc<std::sync::Mutex<Vec<Letter>>>) {
        let letters = Arc::default();
        let (places, counters) = (Arc::new(Semaphore::new(WAITING as usize)), Semaphore::new(COUNTERS));
        let office = Office { from: Mail::default().from, way: Way::Kept(Arc::clone(&letters)), places, counters };
        (Self { office: Arc::new(office), runtime: Handle::current() }, letters)
    }

    /// Puts a mail into the queue; it is sent and, while the server is away, retried for ten minutes. Never waits.
    ///
    /// # Errors
    /// [`Overfull`] when as many mails wait as may.
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
        let place = Arc::clone(&self.office.places).try_acquire_owned().map_err(|_| Overfull)?;
        self.runtime.spawn(deliver(Arc::clone(&self.office), letter, kind, place));
        Ok(())
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

    /// Waits (bounded) until the queue is empty: before the program ends. What still waits then is lost, and said so.
    pub async fn flush(&self, within: Duration) {
        let all_places_free = self.office.places.acquire_many(WAITING);
        if tokio::time::timeout(within, all_places_free).await.is_err() {
            let waiting = (WAITING as usize).saturating_sub(self.office.places.available_permits());
            tracing::warn!(waiting, "mails were still waiting for the mail server and are lost");
        }
    }
}

/// The life of one mail. `place` is given back when it ends, whichever way.
async fn deliver(office: Arc<Office>, letter: Letter, kind: Kind, place: OwnedSemaphorePermit) {
    let transport = match &office.way {
        Way::Console => return console::print(&letter),
        Way::Smtp(transport) => transport,
        #[cfg(test)]
        Way::Kept(letters) => return letters.lock().unwrap().push(letter),
    };
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
        let wait = if failure.is_final() { None } else { next_wait(tries, born.elapsed()) };
        failure.log(tries, wait, kind);
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => break,
        }
    }
    drop(place);
}

/// How long to wait after that many failed tries; `None` when the mail has waited long enough (its link lives ten minutes).
fn next_wait(tries: usize, waited: Duration) -> Option<Duration> {
    let wait = BACKOFF.get(tries.saturating_sub(1)).copied().unwrap_or(LONGEST_WAIT);
    (waited + wait <= PATIENCE).then_some(wait)
}

const WAITING: u32 = 1024;
const COUNTERS: usize = 4;
const BACKOFF: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
const LONGEST_WAIT: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
