//! When sessions were last used: noted on every request, written at most once per min(60 s, idle/4) and session.
//!
//! A request only raises a number in memory. A background task writes what is due in bulk, the last use included, so
//! that the stored activity (`t:`) is never more than that span behind, however requests are spaced. One [`Pulse`]
//! exists per session and process; tunnels keep theirs across a rotation of the id.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use super::{
    id::Key,
    record::{Record, Sid},
};
use crate::world::UnixMillis;

/// One session's activity in this process.
#[derive(Debug)]
pub(crate) struct Pulse {
    sid: Sid,
    /// Under which id the activity is written; changes when the id rotates.
    key: Mutex<Key>,
    idle: Duration,
    seen: AtomicI64,
    written: AtomicI64,
    queued: AtomicBool,
    /// When its owner was last noted as seen.
    noted: AtomicI64,
}

/// One write of activity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    pub key: Key,
    pub seen: UnixMillis,
    pub idle: Duration,
}

/// Every pulse of this process, and those with something to write.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    pulses: Mutex<HashMap<Sid, Weak<Pulse>>>,
    unwritten: Mutex<HashMap<Sid, Arc<Pulse>>>,
}

impl Pulse {
    /// A pulse whose last use is stored as `active_at`.
    pub fn new(record: &Record, key: Key, active_at: UnixMillis) -> Self {
        Self {
            sid: record.sid.clone(),
            key: Mutex::new(key),
            idle: record.idle,
            seen: AtomicI64::new(active_at.0),
            written: AtomicI64::new(active_at.0),
            queued: AtomicBool::new(false),
            noted: AtomicI64::new(0),
        }
    }

    /// Whether its owner should be noted as seen now; says so once a minute.
    pub fn notes(&self, now: UnixMillis) -> bool {
        let before = self.noted.load(Ordering::Relaxed);
        now.since(UnixMillis(before)) >= NOTE_EVERY
            && self.noted.compare_exchange(before, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The last use this process knows of.
    pub fn seen(&self) -> UnixMillis {
        UnixMillis(self.seen.load(Ordering::SeqCst))
    }

    /// The id has rotated.
    pub fn moved(&self, key: Key) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    fn key(&self) -> Key {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due_at(&self) -> UnixMillis {
        UnixMillis(self.written.load(Ordering::SeqCst)).plus(write_interval(self.idle))
    }
}

impl Activity {
    /// The pulse of a session just read from the store, where its last use stands as `active_at`.
    pub fn pulse(&self, record: &Record, key: Key, active_at: UnixMillis) -> Arc<Pulse> {
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pulse) = pulses.get(&record.sid).and_then(Weak::upgrade) {
            pulse.moved(key);
            pulse.seen.fetch_max(active_at.0, Ordering::SeqCst);
            // Another node's write spares ours.
            pulse.written.fetch_max(active_at.0, Ordering::SeqCst);
            return pulse;
        }
        let pulse = Arc::new(Pulse::new(record, key, active_at));
        pulses.insert(record.sid.clone(), Arc::downgrade(&pulse));
        pulse
    }

    /// The last use this process knows of, where it knows of one.
    pub fn seen(&self, sid: &Sid) -> Option<UnixMillis> {
        let pulse = self.pulses.lock().unwrap_or_else(PoisonError::into_inner).get(sid).and_then(Weak::upgrade);
        pulse.map(|pulse| pulse.seen())
    }

    /// The session is used now. On every request: a busy session only reads what threads share, but once a millisecond.
    pub fn beat(&self, pulse: &Arc<Pulse>, now: UnixMillis) {
        // Whoever noted this millisecond has queued it.
        if pulse.seen.load(Ordering::Relaxed) >= now.0 {
            return;
        }
        // Noted first, then looked at; `written` does it the other way round (hence one order over both atomics), so that a
        // use during a write is seen by one or the other.
        pulse.seen.fetch_max(now.0, Ordering::SeqCst);
        if !pulse.queued.load(Ordering::SeqCst) && !pulse.queued.swap(true, Ordering::SeqCst) {
            self.unwritten().insert(pulse.sid.clone(), Arc::clone(pulse));
        }
    }

    /// What is to be written now; `all` also takes what could still wait (at the end of the process).
    pub fn due(&self, now: UnixMillis, all: bool) -> Vec<(Arc<Pulse>, Beat)> {
        self.unwritten()
            .values()
            .filter(|pulse| all || pulse.due_at() <= now)
            .map(|pulse| (Arc::clone(pulse), Beat { key: pulse.key(), seen: pulse.seen(), idle: pulse.idle }))
            .collect()
    }

    /// These were written. (What was not, stays and is tried again.)
    pub fn written(&self, beats: &[(Arc<Pulse>, Beat)]) {
        let mut unwritten = self.unwritten();
        for (pulse, beat) in beats {
            pulse.written.fetch_max(beat.seen.0, Ordering::SeqCst);
            unwritten.remove(&pulse.sid);
            // Unmarked first, then looked at: a use in between is either seen here or queues itself.
            pulse.queued.store(false, Ordering::SeqCst);
            if pulse.seen() > beat.seen && !pulse.queued.swap(true, Ordering::SeqCst) {
                unwritten.insert(pulse.sid.clone(), Arc::clone(pulse));
            }
        }
    }

    /// The session is over: nothing of it is written any more.
    pub fn forget(&self, sid: &Sid) {
        self.unwritten().remove(sid);
    }

    /// Drops pulses that nobody holds any more.
    pub fn tidy(&self) {
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, pulse| pulse.strong_count() > 0);
    }

    fn unwritten(&self) -> std::sync::MutexGuard<'_, HashMap<Sid, Arc<Pulse>>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Activity of one session is written at most this often.
fn write_interval(idle: Duration) -> Duration {
    (idle / 4).min(Duration::from_secs(60))
}

/// "Last seen" is worth a write a minute.
const NOTE_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> (Activity, Arc<Pulse>) {
        let activity = Activity::default();
        let record = Record { idle: Duration::from_secs(40), ..Record::for_testing() };
        let pulse = activity.pulse(&record, Key([1; 32]), UnixMillis(0));
        (activity, pulse)
    }

    #[test]
    fn activity_waits_for_a_quarter_of_the_idle_span_and_then_carries_the_last_use() {
        let (activity, pulse) = setting();
        activity.beat(&pulse, UnixMillis(1_000));
        activity.beat(&pulse, UnixMillis(9_000));
        assert!(activity.due(UnixMillis(9_999), false).is_empty());
        let due = activity.due(UnixMillis(10_000), false);
        assert_eq!(due.iter().map(|(_, beat)| beat.seen).collect::<Vec<_>>(), [UnixMillis(9_000)]);
        activity.written(&due);
        assert!(activity.due(UnixMillis(30_000), true).is_empty());
    }

    #[test]
    fn a_use_during_the_write_is_written_next_time() {
        let (activity, pulse) = setting();
        activity.beat(&pulse, UnixMillis(10_000));
        let due = activity.due(UnixMillis(10_000), false);
        activity.beat(&pulse, UnixMillis(10_500));
        activity.written(&due);
        assert!(activity.due(UnixMillis(19_999), false).is_empty());
        assert_eq!(activity.due(UnixMillis(20_000), false).len(), 1);
    }

    #[test]
    fn a_failed_write_is_tried_again() {
        let (activity, pulse) = setting();
        activity.beat(&pulse, UnixMillis(10_000));
        assert_eq!(activity.due(UnixMillis(10_000), false).len(), 1);
        assert_eq!(activity.due(UnixMillis(10_200), false).len(), 1);
    }

    #[test]
    fn a_session_has_one_pulse_across_a_rotation() {
        let (activity, pulse) = setting();
        let again = activity.pulse(&Record::for_testing(), Key([2; 32]), UnixMillis(5));
        assert!(Arc::ptr_eq(&pulse, &again));
        assert_eq!(pulse.key(), Key([2; 32]));
    }

    #[test]
    fn pulses_nobody_holds_are_dropped() {
        let (activity, pulse) = setting();
        drop(pulse);
        activity.tidy();
        assert!(activity.pulses.lock().unwrap().is_empty());
    }

    #[test]
    fn an_owner_is_noted_once_a_minute() {
        let pulse = Pulse::new(&Record::for_testing(), Key([0; 32]), UnixMillis(0));
        let at = 1_000_000;
        let due: Vec<_> =
            [0, 59_999, 60_000, 60_001].into_iter().map(|later| pulse.notes(UnixMillis(at + later))).collect();
        assert_eq!(due, [true, false, true, false]);
    }
}
