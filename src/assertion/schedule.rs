//! When keys are made, sign and go. Pure: times in, times out.
//!
//! ```text
//!  made ──1 day──▶ signs ──────────30 days──────────▶ the next one signs ──1 day──▶ removed
//!  └─────────────────────────── in jwks.json ──────────────────────────────────────┘
//! ```
//!
//! A key signs until the next one does, however late that comes: with the database down, nothing stops. Verifiers may
//! keep `jwks.json` for [`CACHED`], far less than a key is there before its first and after its last assertion.

use std::time::Duration;

use crate::world::UnixMillis;

/// How long verifiers may keep `jwks.json`.
pub(super) const CACHED: Duration = Duration::from_secs(3600);
/// How long an assertion is good, at most.
pub(super) const LIFE: Duration = Duration::from_secs(300);
/// How long a key signs.
const SIGNS: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a key is known before it signs.
const LEAD: Duration = Duration::from_secs(24 * 3600);
/// How long it stays after the next one has begun.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
const _: () = assert!(OVERLAP.as_secs() > LIFE.as_secs() + CACHED.as_secs() && LEAD.as_secs() > CACHED.as_secs());

/// From when a key to be made now would sign; `None` when none is due. `starts`: of every key there is, ascending.
pub(super) fn due(starts: &[UnixMillis], now: UnixMillis) -> Option<UnixMillis> {
    // Before the very first nobody can have kept a list without it.
    let Some(newest) = starts.last() else { return Some(now) };
    let follows = newest.plus(SIGNS);
    // Where nobody looked for long, the old key goes on signing while the new one gets around.
    (now.plus(LEAD) >= follows).then(|| follows.max(now.plus(LEAD)))
}

/// The place in `starts` of the key that signs now.
pub(super) fn signing(starts: impl Iterator<Item = UnixMillis>, now: UnixMillis) -> usize {
    // None yet by this clock: another node's, ahead of ours, made the first.
    starts.take_while(|start| *start <= now).count().saturating_sub(1)
}

/// Whether a key can go: the next one signs from `next`.
pub(super) fn is_over(next: UnixMillis, now: UnixMillis) -> bool {
    next.plus(OVERLAP) <= now
}

/// Whether a key that cannot be read can go: whoever reads it has long followed it by another.
pub(super) fn is_forgotten(start: UnixMillis, now: UnixMillis) -> bool {
    start.plus(SIGNS + SIGNS) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    #[test]
    fn the_next_key_is_made_a_day_before_it_signs() {
        let due = |starts: &[i64], now| {
            due(&starts.iter().map(|start| UnixMillis(*start)).collect::<Vec<_>>(), UnixMillis(now)).map(|at| at.0)
        };
        for (starts, now, expected) in [
            (vec![], 5, Some(5)),
            (vec![0], 0, None),
            (vec![0], 29 * DAY - 1, None),
            (vec![0], 29 * DAY, Some(30 * DAY)),
            (vec![0], 29 * DAY + HOUR, Some(30 * DAY + HOUR)),
            (vec![0], 90 * DAY, Some(91 * DAY)),
            (vec![0, 30 * DAY], 29 * DAY, None),
            (vec![0, 30 * DAY], 58 * DAY, None),
            (vec![0, 30 * DAY], 59 * DAY, Some(60 * DAY)),
        ] {
            assert_eq!(due(&starts, now), expected, "{starts:?} at {now}");
        }
    }

    #[test]
    fn the_newest_key_that_has_begun_signs() {
        let signing = |now| signing([10, 20, 30].into_iter().map(UnixMillis), UnixMillis(now));
        assert_eq!([5, 10, 19, 20, 31].map(signing), [0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_key_goes_a_day_after_the_next_has_begun() {
        assert!(!is_over(UnixMillis(30 * DAY), UnixMillis(31 * DAY - 1)));
        assert!(is_over(UnixMillis(30 * DAY), UnixMillis(31 * DAY)));
        assert!(!is_forgotten(UnixMillis(0), UnixMillis(60 * DAY - 1)));
    }
}
