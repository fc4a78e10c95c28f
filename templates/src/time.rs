//! Times in words: exact in UTC without scripts; the script puts them into the reader's zone.
//!
//! Calendar arithmetic after Howard Hinnant's `civil_from_days`, valid for every date this gateway will meet.

use std::time::Duration;

use maud::{Markup, html};

/// "14:32 UTC" as `<time>`: the first whole minute that is not before it, for people are told to wait until then.
pub(crate) fn minute(at: i64) -> Markup {
    let at = at.saturating_add(59_999).div_euclid(60_000) * 60_000;
    let utc = Utc::of(at);
    element(at, "minute", &format!("{:02}:{:02} UTC", utc.hour, utc.minute))
}

/// "14:32:10 UTC" as `<time>`.
pub(crate) fn second(at: i64) -> Markup {
    let utc = Utc::of(at);
    element(at, "second", &format!("{:02}:{:02}:{:02} UTC", utc.hour, utc.minute, utc.second))
}

/// "3 May 2026" as `<time>`.
pub(crate) fn day(at: i64) -> Markup {
    element(at, "day", &Utc::of(at).day_in_words())
}

/// "5 minutes ago" as `<time>`.
pub(crate) fn ago(at: i64, now: i64) -> Markup {
    element(at, "ago", &ago_in_words(at, now))
}

/// "3 May 2026, 14:32 UTC" as `<time>`: in UTC with scripts too; they put the reader's zone into the hover text.
pub(crate) fn moment(at: i64) -> Markup {
    html! { time datetime=(Utc::of(at).iso()) data-show="moment" { (exact(at)) } }
}

/// "3 May 2026, 14:32 UTC", for mails and hover texts.
pub(crate) fn exact(at: i64) -> String {
    let utc = Utc::of(at);
    format!("{}, {:02}:{:02} UTC", utc.day_in_words(), utc.hour, utc.minute)
}

/// "3 May 2026", for mails.
pub(crate) fn day_in_words(at: i64) -> String {
    Utc::of(at).day_in_words()
}

/// "30 days", "1 hour", "20 seconds": the largest unit that loses nothing, rounded up to whole seconds.
#[must_use]
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs() + u64::from(length.subsec_nanos() > 0);
    let (count, unit) = match seconds {
        s if s >= 86_400 && s % 86_400 == 0 => (s / 86_400, "day"),
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hour"),
        s if s >= 60 && s % 60 == 0 => (s / 60, "minute"),
        s if s > 120 => (s.div_ceil(60), "minute"),
        s => (s, "second"),
    };
    counted(count, unit)
}

fn ago_in_words(at: i64, now: i64) -> String {
    match now.saturating_sub(at) / 1000 {
        ..60 => "just now".to_owned(),
        s @ 60..3600 => counted(s.unsigned_abs() / 60, "minute") + " ago",
        s @ 3600..86_400 => counted(s.unsigned_abs() / 3600, "hour") + " ago",
        s @ 86_400..5_184_000 => counted(s.unsigned_abs() / 86_400, "day") + " ago",
        s @ 5_184_000..63_072_000 => counted(s.unsigned_abs() / 2_592_000, "month") + " ago",
        s => counted(s.unsigned_abs() / 31_536_000, "year") + " ago",
    }
}

/// "1 try", "3 tries" are the caller's: this one only adds an `s`.
fn counted(count: u64, unit: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn element(at: i64, show: &str, text: &str) -> Markup {
    html! { time datetime=(Utc::of(at).iso()) title=(exact(at)) data-show=(show) { (text) } }
}

/// A moment taken apart.
struct Utc {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Utc {
    fn of(millis: i64) -> Self {
        let seconds = millis.div_euclid(1000);
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_based = (5 * of_year + 2) / 153;
        let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * march_based + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    fn iso(&self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    fn day_in_words(&self) -> String {
        let month = usize::try_from(self.month - 1).ok().and_then(|index| MONTHS.get(index)).unwrap_or(&"");
        format!("{} {month} {}", self.day, self.year)
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_taken_apart() {
        for (millis, iso) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_000, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_777_818_730_999, "2026-05-03T14:32:10Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc::of(millis).iso(), iso);
        }
    }

    #[test]
    fn spans_read_like_speech() {
        for (seconds, words) in [
            (1, "1 second"),
            (20, "20 seconds"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (600, "10 minutes"),
            (601, "11 minutes"),
            (3600, "1 hour"),
            (86_400, "1 day"),
            (2_592_000, "30 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
        assert_eq!(span(Duration::from_millis(1)), "1 second");
    }

    #[test]
    fn the_past_is_relative_and_a_fast_clock_is_no_future() {
        for (seconds, words) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (300, "5 minutes ago"),
            (7200, "2 hours ago"),
            (172_800, "2 days ago"),
            (31_536_000, "12 months ago"),
            (94_608_000, "3 years ago"),
        ] {
            assert_eq!(ago_in_words(0, seconds * 1000), words);
        }
    }

    #[test]
    fn a_time_carries_its_exact_moment() {
        assert_eq!(
            minute(1_777_818_730_000).into_string(),
            r#"<time datetime="2026-05-03T14:33:00Z" title="3 May 2026, 14:33 UTC" data-show="minute">14:33 UTC</time>"#
        );
    }
}
