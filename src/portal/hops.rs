//! Noticing a redirect loop: the third time within ten seconds that the same page sends the same browser to sign-in, we
//! explain instead of looping.
//!
//! A marker cookie of its own counts, without `Secure`, so that it comes back in just the set-ups where our real cookies
//! do not. It says nothing about anybody, and believing a forged one costs a visitor no more than an explanation.

use http::{HeaderMap, HeaderValue, header};

use crate::{inbound::View, session::HOPS, world::UnixMillis};

/// What to do with this redirect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// Redirect, and count with this `Set-Cookie` value.
    Onward(HeaderValue),
    /// Explain; this `Set-Cookie` value begins the count anew.
    Loop(HeaderValue),
}

/// Counts one more redirect of this page.
pub(super) fn count(view: &View, fields: &HeaderMap, now: UnixMillis) -> Hop {
    let page = name(view);
    let now = now.seconds();
    let earlier = marker(fields).map_or(Vec::new(), |value| times(value, &page, now));
    if earlier.len() + 1 >= LOOP {
        return Hop::Loop(cookie("", 0));
    }
    let mut value = page;
    for time in earlier.into_iter().chain([now]) {
        value.push('.');
        value.push_str(&time.to_string());
    }
    Hop::Onward(cookie(&value, WITHIN))
}

/// The marker cookie of a request, if there is exactly one.
fn marker(fields: &HeaderMap) -> Option<&str> {
    let mut found = fields
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == HOPS)
        .map(|(_, value)| value);
    let first = found.next()?;
    (found.next().is_none() && first.len() <= LONGEST).then_some(first)
}

/// Earlier redirects of the same page that still count.
fn times(value: &str, page: &str, now: i64) -> Vec<i64> {
    let mut parts = value.split('.');
    if parts.next() != Some(page) {
        return Vec::new();
    }
    // The browser's numbers may be any: a difference that overflows is no time of ours.
    let counts = |time: &i64| now.checked_sub(*time).is_some_and(|ago| (0..=WITHIN).contains(&ago));
    parts.take(LOOP).filter_map(|part| part.parse().ok()).filter(counts).collect()
}

/// Which page: 16 hex digits of authority and target.
fn name(view: &View) -> String {
    let whole = format!("{}{}", view.authority, view.target.raw);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, whole.as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn cookie(value: &str, max_age: i64) -> HeaderValue {
    let text = format!("{HOPS}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax");
    // Hex digits and numbers always fit.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("vestibule-hops=; Path=/; Max-Age=0"))
}

/// Seconds.
const WITHIN: i64 = 10;
const LOOP: usize = 3;
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::visit::tests::view;

    fn at(path: &str) -> View {
        let mut view = view("a.test", false, None, None);
        view.target.raw = path.into();
        view
    }

    fn follow(hop: &Hop) -> HeaderMap {
        let (Hop::Onward(cookie) | Hop::Loop(cookie)) = hop;
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, pair.parse().unwrap())])
    }

    #[test]
    fn the_third_redirect_of_one_page_within_ten_seconds_is_a_loop() {
        let mut fields = HeaderMap::new();
        for second in [0, 4] {
            let hop = count(&at("/x"), &fields, UnixMillis(second * 1000));
            assert!(matches!(hop, Hop::Onward(_)));
            fields = follow(&hop);
        }
        assert!(matches!(count(&at("/y"), &fields, UnixMillis(9000)), Hop::Onward(_)), "another page");
        assert!(matches!(count(&at("/x"), &fields, UnixMillis(15_000)), Hop::Onward(_)), "too late");
        let hop = count(&at("/x"), &fields, UnixMillis(9000));
        assert!(matches!(hop, Hop::Loop(_)));
        assert!(matches!(count(&at("/x"), &follow(&hop), UnixMillis(9500)), Hop::Onward(_)), "begins anew");
    }

    #[test]
    fn a_time_at_the_end_of_all_numbers_does_not_count() {
        for time in [i64::MIN, i64::MAX, -2] {
            assert_eq!(times(&format!("page.{time}.7"), "page", 9), [7], "{time}");
        }
    }

    #[test]
    fn a_made_up_marker_does_no_harm() {
        for value in ["", ".", "....", "x.9.9.9", &"9".repeat(4000), "\u{e9}", "0.-1.99999999999999999999"] {
            let line = HeaderValue::from_bytes(format!("{HOPS}={value}").as_bytes()).unwrap();
            let fields = HeaderMap::from_iter([(header::COOKIE, line)]);
            assert!(matches!(count(&at("/x"), &fields, UnixMillis(9000)), Hop::Onward(_)), "{value}");
        }
        let many = HeaderMap::from_iter([(header::COOKIE, format!("{HOPS}=a; {HOPS}=b").parse().unwrap())]);
        assert_eq!(marker(&many), None);
    }
}
