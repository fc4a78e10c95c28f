//! An identicon drawn from the account's id: nothing is fetched, and the same person always looks the same.
//!
//! Five by five cells, mirrored; colours are presentation attributes, because the pages' policy forbids inline styles.

use maud::{Markup, html};

use crate::asset::fnv1a;

/// The identicon as inline SVG. `id` is the account's id (never changes); decorative, so hidden from screen readers.
#[must_use]
pub fn avatar(id: &str) -> Markup {
    let bits = mixed(fnv1a(id.as_bytes()));
    let hue = HUES[usize::try_from(bits >> 59).unwrap_or(0) % HUES.len()];
    html! {
        svg.avatar viewBox="0 0 70 70" width="72" height="72" aria-hidden="true" focusable="false" {
            rect width="70" height="70" rx="16" fill=(format!("hsl({hue},42%,90%)")) {}
            @for (column, row, strong) in cells(bits) {
                rect x=(10 + 10 * column) y=(10 + 10 * row) width="10.4" height="10.4"
                    fill=(format!("hsl({hue},{}", if strong { "48%,36%)" } else { "38%,62%)" })) {}
            }
        }
    }
}

/// The cells that are filled, left and right alike, and whether in the strong tone.
fn cells(bits: u64) -> impl Iterator<Item = (u8, u8, bool)> {
    (0..15_u8).flat_map(move |cell| {
        let (column, row) = (cell / 5, cell % 5);
        // The middle is always drawn, so that nobody's picture is empty.
        let filled = cell == 12 || bits >> cell & 1 == 1;
        let strong = bits >> (cell + 20) & 3 != 0;
        let mirror = (column != 2).then_some((4 - column, row, strong));
        filled.then_some((column, row, strong)).into_iter().chain(mirror.filter(move |_| filled))
    })
}

/// The finaliser of splitmix64: neighbouring ids must not look alike.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

/// Hues that look well as a pale ground and a dark figure.
const HUES: [u16; 16] = [4, 18, 32, 46, 78, 110, 142, 160, 174, 188, 202, 216, 234, 258, 286, 328];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn one_person_looks_the_same_twice_and_a_hundred_people_differ() {
        let id = |n: u32| format!("0197a0c4-0000-7000-8000-{n:012}");
        assert_eq!(avatar(&id(1)).into_string(), avatar(&id(1)).into_string());
        let faces: HashSet<_> = (0..100).map(|n| avatar(&id(n)).into_string()).collect();
        assert_eq!(faces.len(), 100);
    }

    #[test]
    fn left_mirrors_right() {
        for n in 0..100_u64 {
            let drawn: HashSet<_> = cells(mixed(n)).collect();
            assert!(drawn.iter().all(|&(column, row, strong)| drawn.contains(&(4 - column, row, strong))));
            assert!(!drawn.is_empty());
        }
    }
}
