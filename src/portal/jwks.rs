//! `jwks.json`: the public keys that verify the identity assertion (RFC 7517), for the sites behind. Anybody may have them.

use super::{Problem, respond, stop::RESTING, visit::Visit};
use crate::{
    assertion::{Assertions, Published},
    inbound::answer::Answer,
};

/// The key set; 503 before the keys were read: an empty set would be kept for an hour.
pub(super) fn get(visit: &Visit<'_>) -> Answer {
    match visit.room.assertions.published() {
        Published::Keys(document) => respond::key_set(document, Assertions::cached()),
        Published::NotYet => visit.problem(&Problem::Resting(RESTING)),
        Published::Off => visit.problem(&Problem::NotFound),
    }
}
