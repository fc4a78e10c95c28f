//! The access log: one line a request, at a cost the request path can bear.
//!
//! Each data thread writes its lines into a buffer of its own ([`Lines`]); full, or [`LATEST`] after its first line, the buffer
//! goes to the thread that writes ([`super::out`]): lines are lost and counted rather than requests delayed. They look like those
//! of `tracing`, in both formats, and `RUST_LOG` says whether there are any (`access=off`).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tracing::Level;

use self::line::Writer;
use super::out::{self, LastLines, Out};
use crate::{config::log::Format, world::UnixMillis};

mod line;

/// What a line says. Nothing in it comes from a client unread: see the list in [`crate::telemetry`].
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// When the answer's head was ready.
    pub at: UnixMillis,
    /// The request's reference; empty when it was never read.
    pub id: &'a str,
    /// `GET`
    pub method: &'a str,
    /// The site's label, `portal`, or `-`.
    pub site: &'a str,
    /// `None`: the client did not wait for it.
    pub status: Option<u16>,
    /// From the head of the request to the head of the answer.
    pub duration: Duration,
    /// The session's public name.
    pub sid: Option<&'a str>,
}

/// The process's access log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessLog {
    format: Format,
    /// Whether `RUST_LOG` wants it.
    wanted: bool,
    out: Option<Out>,
}

/// One data thread's end of it.
#[derive(Debug)]
pub struct Lines {
    wanted: bool,
    desk: Option<Arc<Desk>>,
}

/// Where a data thread's lines wait for each other.
#[derive(Debug)]
pub(super) struct Desk {
    written: Mutex<Writer>,
    out: Out,
    begun: Notify,
}

impl AccessLog {
    /// Starts the thread that from then on writes every line of the process.
    #[must_use]
    pub fn start(format: Format) -> (Self, LastLines) {
        let (out, last_lines) = Out::start();
        let wanted = tracing::enabled!(target: "access", Level::INFO);
        (Self { format, wanted, out }, last_lines)
    }

    /// For a data thread; on its runtime. What else the thread has to say waits there as well.
    #[must_use]
    pub fn lines(&self) -> Lines {
        let Some(out) = self.out.clone() else { return Lines { wanted: false, desk: None } };
        let desk = Arc::new(Desk { written: Mutex::new(Writer::new(self.format)), out, begun: Notify::new() });
        out::gather(&desk);
        tokio::spawn(flush_late(Arc::clone(&desk)));
        Lines { wanted: self.wanted, desk: Some(desk) }
    }
}

impl Lines {
    /// Adds a line.
    pub fn write(&self, line: &Line<'_>) {
        if let Some(desk) = self.desk.as_ref().filter(|_| self.wanted) {
            desk.put(|written| written.line(line));
        }
    }
}

impl Desk {
    /// Adds a line that was written elsewhere.
    pub fn add(&self, line: &[u8]) {
        self.put(|written| written.add(line));
    }

    /// Nothing in here may log: this thread's lines come by here.
    fn put(&self, write: impl FnOnce(&mut Writer)) {
        let mut written = self.written();
        let first = written.is_empty();
        write(&mut written);
        if written.len() >= FULL {
            self.out.send(written.take());
        } else if first {
            drop(written);
            self.begun.notify_one();
        }
    }

    fn written(&self) -> MutexGuard<'_, Writer> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self) {
        let lines = self.written().take();
        if !lines.is_empty() {
            self.out.send(lines);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.hand_over();
    }
}

/// Hands over what has waited [`LATEST`]; ends with the thread's runtime.
async fn flush_late(desk: Arc<Desk>) {
    loop {
        desk.begun.notified().await;
        tokio::time::sleep(LATEST).await;
        desk.hand_over();
    }
}

/// How long a line waits for others.
const LATEST: Duration = Duration::from_millis(50);
/// Bytes handed over at once.
const FULL: usize = 32 << 10;
