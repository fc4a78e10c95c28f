//! `assets/<name>.<hash>.<ext>`: the stylesheet, the script, the icon.

use super::{Problem, respond, visit::Visit};
use crate::inbound::answer::Answer;

/// The file of that name.
pub(super) fn get(visit: &Visit<'_>, file_name: &str) -> Answer {
    match templates::asset::find(file_name) {
        Some(asset) => respond::asset(asset),
        None => visit.problem(&Problem::NotFound),
    }
}
