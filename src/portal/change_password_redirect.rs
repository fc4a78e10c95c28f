//! `/.well-known/change-password` (W3C): where password managers send people.

use super::visit::Visit;
use crate::inbound::answer::Answer;

/// On to `password`.
pub(super) fn get(visit: &Visit<'_>) -> Answer {
    visit.to_page("password")
}
