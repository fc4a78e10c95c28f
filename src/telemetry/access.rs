//! The access log: one line a request, at a cost the request path can bear.
//!
//! Each data thread writes its lines into a buffer of its own ([`Lines`]); full, or [`LATEST`] after its first line, the buffer
//! goes to one writer thread, which alone waits for standard error. When that does not keep up, lines are lost and counted
//! rather than requests delayed. The lines look like those of `tracing`, in both formats, and `RUST_LOG` says whether there
//! are any (`access=off`).

use std::{
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::Notify;
use tracing::Level;

use self::line::Writer;
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
    out: Option<SyncSender<Vec<u8>>>,
    lost: Arc<AtomicU64>,
}

/// The writer thread, to be waited for at the end.
#[derive(Debug)]
pub struct LastLines(Option<JoinHandle<()>>);

/// One data thread's end of it.
#[derive(Debug)]
pub struct Lines {
    desk: Option<Arc<Desk>>,
}

#[derive(Debug)]
struct Desk {
    written: Mutex<Writer>,
    out: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
    begun: Notify,
}

impl AccessLog {
    /// Starts the writer thread, unless `RUST_LOG` wants no access log.
    #[must_use]
    pub fn start(format: Format) -> (Self, LastLines) {
        let lost = Arc::new(AtomicU64::new(0));
        if !tracing::enabled!(target: "access", Level::INFO) {
            return (Self { format, out: None, lost }, LastLines(None));
        }
        let (out, inbox) = sync_channel(WAITING);
        let counted = Arc::clone(&lost);
        let spawned = std::thread::Builder::new().name("access-log".into()).spawn(move || write_all(&inbox, &counted));
        match spawned {
            Ok(writer) => (Self { format, out: Some(out), lost }, LastLines(Some(writer))),
            Err(error) => {
                tracing::error!(%error, "no thread for the access log: there is none");
                (Self { format, out: None, lost }, LastLines(None))
            }
        }
    }

    /// For a data thread; on its runtime.
    #[must_use]
    pub fn lines(&self) -> Lines {
        let Some(out) = self.out.clone() else { return Lines { desk: None } };
        let written = Mutex::new(Writer::new(self.format));
        let desk = Arc::new(Desk { written, out, lost: Arc::clone(&self.lost), begun: Notify::new() });
        tokio::spawn(flush_late(Arc::clone(&desk)));
        Lines { desk: Some(desk) }
    }
}

impl LastLines {
    /// Waits until everything handed over is written. Every [`AccessLog`] and [`Lines`] must be gone by now.
    pub fn written(self) {
        if self.0.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the access log ended in a panic");
        }
    }
}

impl Lines {
    /// Adds a line.
    pub fn write(&self, line: &Line<'_>) {
        let Some(desk) = &self.desk else { return };
        let mut written = desk.written();
        let first = written.is_empty();
        written.line(line);
        if written.len() >= FULL {
            desk.send(written.take());
        } else if first {
            drop(written);
            desk.begun.notify_one();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(desk) = &self.desk {
            desk.send(desk.written().take());
        }
    }
}

impl Desk {
    fn written(&self) -> MutexGuard<'_, Writer> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, lines: Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(lines) | TrySendError::Disconnected(lines)) = self.out.try_send(lines) {
            let count = lines.iter().filter(|&&byte| byte == b'\n').count();
            self.lost.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
        }
    }
}

/// Hands over what has waited [`LATEST`]; ends with the thread's runtime.
async fn flush_late(desk: Arc<Desk>) {
    loop {
        desk.begun.notified().await;
        tokio::time::sleep(LATEST).await;
        let lines = desk.written().take();
        desk.send(lines);
    }
}

fn write_all(inbox: &Receiver<Vec<u8>>, lost: &AtomicU64) {
    while let Ok(lines) = inbox.recv() {
        // The lock of `tracing`'s own writer: lines stay whole.
        let mut out = std::io::stderr().lock();
        // A closed standard error is no reason to stop serving.
        let _ = out.write_all(&lines);
        drop(out);
        let lines = lost.swap(0, Relaxed);
        if lines > 0 {
            tracing::warn!(lines, "standard error does not keep up: lines of the access log were lost");
        }
    }
}

/// How long a line waits for others.
const LATEST: Duration = Duration::from_millis(50);
/// Bytes handed over at once.
const FULL: usize = 32 << 10;
/// Buffers that may wait for the writer: some megabytes.
const WAITING: usize = 64;
