//! Cookies seen before on this thread: spares a request the MAC and the hash of its cookie.
//!
//! From a cookie's value to its [`Key`] is a pure function of the secrets, which do not change while the room is open. Only
//! values whose MAC was right enter, so made-up ones push nothing out; a hit compares all bytes in constant time. Each data
//! thread has a table of its own: no lock, nothing shared. Whether the session lives is not asked here.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::id::{Key, SEALED_LENGTH};

/// One room's view of the threads' tables.
#[derive(Debug)]
pub(crate) struct Memo {
    /// Rooms have secrets of their own.
    room: u64,
}

#[derive(Clone)]
struct Slot {
    room: u64,
    value: [u8; SEALED_LENGTH],
    key: Key,
}

thread_local! {
    static SEEN: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

impl Memo {
    pub fn new() -> Self {
        static ROOMS: AtomicU64 = AtomicU64::new(1);
        Self { room: ROOMS.fetch_add(1, Ordering::Relaxed) }
    }

    /// The key of this cookie, if it was seen before on this thread; else what `open` makes of it.
    pub fn key(&self, value: &[u8], open: impl FnOnce(&[u8]) -> Option<Key>) -> Option<Key> {
        // Of another length it is nobody's.
        let value: &[u8; SEALED_LENGTH] = value.try_into().ok()?;
        let place = place(value);
        if let Some(key) = SEEN.with_borrow(|seen| seen.get(place).and_then(|slot| slot.key_of(self.room, value))) {
            return Some(key);
        }
        let key = open(value)?;
        SEEN.with_borrow_mut(|seen| {
            if seen.is_empty() {
                seen.resize(SLOTS, Slot { room: 0, value: [0; SEALED_LENGTH], key: Key([0; 32]) });
            }
            if let Some(slot) = seen.get_mut(place) {
                *slot = Slot { room: self.room, value: *value, key };
            }
        });
        Some(key)
    }
}

impl Slot {
    fn key_of(&self, room: u64, value: &[u8; SEALED_LENGTH]) -> Option<Key> {
        (self.room == room && verify_slices_are_equal(&self.value, value).is_ok()).then_some(self.key)
    }
}

/// The first characters are random in every value of ours; newer ones replace older ones.
fn place(value: &[u8; SEALED_LENGTH]) -> usize {
    let number = value.iter().take(8).fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
    // Fibonacci hashing: the upper bits of the product depend on all characters.
    usize::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SLOT_BITS)).unwrap_or(0)
}

const SLOT_BITS: u32 = 11;
/// About 200 KiB for each thread that serves sessions.
const SLOTS: usize = 1 << SLOT_BITS;

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: [u8; SEALED_LENGTH] = [b'a'; SEALED_LENGTH];

    #[test]
    fn a_value_seen_before_is_not_opened_again() {
        let memo = Memo::new();
        assert!(memo.key(&VALUE, |_| Some(Key([7; 32]))) == Some(Key([7; 32])));
        assert!(memo.key(&VALUE, |_| None) == Some(Key([7; 32])));
    }

    #[test]
    fn a_made_up_value_never_enters() {
        let memo = Memo::new();
        assert!(memo.key(&VALUE, |_| None).is_none());
        assert!(memo.key(&VALUE, |_| None).is_none());
        assert!(memo.key(&VALUE[1..], |_| Some(Key([7; 32]))).is_none());
    }

    #[test]
    fn one_changed_byte_is_another_value() {
        let memo = Memo::new();
        memo.key(&VALUE, |_| Some(Key([7; 32])));
        for at in 0..SEALED_LENGTH {
            let mut other = VALUE;
            other[at] ^= 1;
            assert!(memo.key(&other, |_| None).is_none(), "{at}");
        }
    }

    #[test]
    fn another_room_has_other_secrets() {
        Memo::new().key(&VALUE, |_| Some(Key([7; 32])));
        assert!(Memo::new().key(&VALUE, |_| None).is_none());
    }
}
