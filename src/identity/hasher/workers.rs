//! The threads that hash: behind whatever else wants the processor, each with its own memory.
//!
//! Memory that was just given to a process is dear: the kernel clears it page by page, and on many virtual machines the host
//! has to find it first, for milliseconds in which nothing else runs on that core. So a thread keeps its memory from hash to
//! hash, and gives it back when nobody has signed in for a while.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use argon2::{Argon2, Block};
use rustix::process::setpriority_process;
use tokio::sync::oneshot;

/// Blocks for Argon2, as many as the dearest hash needed so far.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

/// Threads without work. How many work at once is not decided here.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers(Arc<Mutex<Resting>>);

/// Those without work, by numbers of their own.
type Resting = Vec<(u64, Sender<Job>)>;

/// Says what it found when it is called once more, by a thread that counts as resting by then: of askers who come one
/// after the other, the second never makes a second thread.
type Job = Box<dyn FnOnce(&mut Memory) -> Found + Send>;
type Found = Box<dyn FnOnce() + Send>;

impl Memory {
    /// Argon2 over these blocks; what they held before does not matter.
    pub(super) fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> argon2::Result<()> {
        let count = argon2.params().block_count();
        if self.0.len() < count {
            // What is grown would be copied.
            self.0 = Vec::new();
            self.0.resize(count, Block::new());
        }
        argon2.hash_password_into_with_memory(password, salt, output, self.0.get_mut(..count).unwrap_or_default())
    }
}

impl Workers {
    /// Runs `work` on a thread that has none, or on a new one.
    ///
    /// # Errors
    /// The system has no thread left, or `work` panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> std::io::Result<T> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            let found = work(memory);
            Box::new(move || drop(tell.send(found)))
        });
        let resting = self.resting().pop();
        match resting {
            // It takes whatever it is sent: see `next`.
            Some((_, worker)) => worker.send(job).map_err(|_| std::io::ErrorKind::BrokenPipe)?,
            None => self.hire(job)?,
        }
        told.await.map_err(std::io::Error::other)
    }

    fn hire(&self, first: Job) -> std::io::Result<()> {
        let workers = self.clone();
        let work = move || {
            // Where the system refuses, hashes compete as everything else does.
            let _ = setpriority_process(None, LOWEST_PRIORITY);
            let mut memory = Memory::default();
            let mut job = first;
            loop {
                let found = job(&mut memory);
                let Some(next) = workers.next(found) else { return };
                job = next;
            }
        };
        thread::Builder::new().name("hashing".into()).spawn(work).map(drop)
    }

    /// Tells, and waits for more work; `None` when there was none for [`PATIENCE`].
    fn next(&self, found: Found) -> Option<Job> {
        let (worker, jobs) = channel();
        let id = {
            let mut resting = self.resting();
            // Last in, first out, so that whoever is not needed grows old at the bottom.
            let id = NUMBER.fetch_add(1, Ordering::Relaxed);
            resting.push((id, worker));
            id
        };
        found();
        self.wait(id, &jobs)
    }

    fn wait(&self, id: u64, jobs: &Receiver<Job>) -> Option<Job> {
        match jobs.recv_timeout(PATIENCE) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        self.resting().retain(|(other, _)| *other != id);
        // Whoever took its name off the list before that is sending, or has given up.
        jobs.recv().ok()
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, Resting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of the next rest.
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// As `nice` counts.
const LOWEST_PRIORITY: i32 = 19;
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn a_thread_works_on_and_keeps_its_memory_between_hashes() {
        let workers = Workers::default();
        let mut seen = Vec::new();
        for _ in 0..5 {
            let once = workers.run(|memory| {
                let kept = memory.0.len();
                let params = argon2::Params::new(64, 1, 1, None).unwrap();
                let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
                memory.fill(&argon2, b"violet-tram-undid-47", &[7; 16], &mut [0; 32]).unwrap();
                (thread::current().id(), kept)
            });
            seen.push(once.await.unwrap());
        }
        assert!(seen.iter().all(|(thread, _)| *thread == seen[0].0), "{seen:?}");
        assert_eq!(seen.iter().map(|(_, kept)| *kept).collect::<Vec<_>>(), [0, 64, 64, 64, 64]);
    }

    #[tokio::test]
    async fn many_at_once_are_all_done_and_one_that_panics_harms_no_other() {
        let workers = Workers::default();
        let done = Arc::new(AtomicUsize::new(0));
        let all = (0..40).map(|number| {
            let (workers, done) = (workers.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let work = move |_: &mut Memory| {
                    assert!(number % 10 != 0, "this one panics");
                    done.fetch_add(1, Ordering::SeqCst);
                    number
                };
                workers.run(work).await.ok()
            })
        });
        let mut found = Vec::new();
        for one in all.collect::<Vec<_>>() {
            found.push(one.await.unwrap());
        }
        let expected: Vec<_> = (0..40).map(|number| Some(number).filter(|number| number % 10 != 0)).collect();
        assert_eq!(found, expected);
        assert_eq!(done.load(Ordering::SeqCst), 36);
    }

    #[test]
    fn one_that_was_called_while_it_was_leaving_still_does_the_work() {
        let workers = Workers::default();
        let (worker, jobs) = channel::<Job>();
        // As if `run` had just taken it off the list.
        let caller = thread::spawn(move || {
            thread::sleep(PATIENCE + Duration::from_millis(200));
            drop(worker.send(Box::new(|_| Box::new(|| ()))));
        });
        assert!(workers.wait(0, &jobs).is_some());
        caller.join().unwrap();
    }
}
