//! The way to standard error of a program that serves: one thread writes, and it alone waits.
//!
//! Whoever reads the log may stop reading. Then a line written where a request is served would stop everybody on that thread,
//! and anybody can cause lines (a malformed head is one). So lines are handed over: those of a data thread wait a moment beside
//! its access lines, others go at once. What the writer has no room for is lost and counted. Before it is started, and in
//! commands, lines are written where they arise.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::access::Desk;

/// Where lines are handed over. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Out {
    inbox: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Lines(Vec<u8>),
    End,
}

/// The writer thread, to be waited for at the end.
#[derive(Debug)]
pub struct LastLines(Option<(Out, JoinHandle<()>)>);

/// What becomes of lines that arise on a thread.
enum Way {
    HandedOver,
    /// They wait for others.
    Gathered(Weak<Desk>),
    /// This is the thread that writes.
    Direct,
}

static OUT: OnceLock<Out> = OnceLock::new();

thread_local! {
    static WAY: RefCell<Way> = const { RefCell::new(Way::HandedOver) };
}

impl Out {
    /// Starts the writer thread. `None`: every line is written where it arises.
    pub fn start() -> (Option<Self>, LastLines) {
        let (inbox, came) = sync_channel(WAITING);
        let out = Self { inbox, lost: Arc::default() };
        let lost = Arc::clone(&out.lost);
        match thread::Builder::new().name("log".into()).spawn(move || write_all(&came, &lost)) {
            Ok(writer) => {
                let out = OUT.get_or_init(|| out).clone();
                (Some(out.clone()), LastLines(Some((out, writer))))
            }
            Err(error) => {
                tracing::error!(%error, "no thread for the log: requests wait for standard error");
                (None, LastLines(None))
            }
        }
    }

    /// Hands whole lines over. Never waits.
    pub fn send(&self, lines: Vec<u8>) {
        match self.inbox.try_send(Message::Lines(lines)) {
            Err(TrySendError::Full(Message::Lines(lines))) => {
                let count = lines.iter().filter(|&&byte| byte == b'\n').count();
                self.lost.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
            }
            // The writer has ended, as the program is about to.
            Err(TrySendError::Disconnected(Message::Lines(lines))) => write(&lines),
            _ => {}
        }
    }
}

impl LastLines {
    /// Waits until what was handed over is written, but not for ever for somebody who does not read.
    pub fn written(self) {
        let Some((out, writer)) = self.0 else { return };
        let until = Instant::now() + LAST;
        let mut told = false;
        while !writer.is_finished() && Instant::now() < until {
            told = told || out.inbox.try_send(Message::End).is_ok();
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// From here on this thread's lines wait at its desk, as long as there is one.
pub(super) fn gather(desk: &Arc<Desk>) {
    WAY.set(Way::Gathered(Arc::downgrade(desk)));
}

/// One line's writer, for the subscriber: it writes an event whole.
pub(super) fn line() -> impl Write {
    Handed
}

struct Handed;

impl Write for Handed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hand_over(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hand_over(line: &[u8]) {
    let (direct, desk) = WAY
        .try_with(|way| match &*way.borrow() {
            Way::HandedOver => (false, None),
            Way::Gathered(desk) => (false, desk.upgrade()),
            Way::Direct => (true, None),
        })
        .unwrap_or_default();
    match (desk, OUT.get()) {
        (Some(desk), _) => desk.add(line),
        (None, Some(out)) if !direct => out.send(line.to_vec()),
        (None, _) => write(line),
    }
}

fn write_all(came: &Receiver<Message>, lost: &AtomicU64) {
    WAY.set(Way::Direct);
    while let Ok(Message::Lines(lines)) = came.recv() {
        write(&lines);
        let lines = lost.swap(0, Relaxed);
        if lines > 0 {
            tracing::warn!(lines, "standard error does not keep up: lines of the log were lost");
        }
    }
}

/// A closed standard error is no reason to stop serving.
fn write(lines: &[u8]) {
    let _ = io::stderr().lock().write_all(lines);
}

/// Buffers that may wait for the writer: some megabytes.
const WAITING: usize = 64;
/// For the last lines.
const LAST: Duration = Duration::from_secs(5);
