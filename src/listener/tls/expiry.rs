//! When a certificate expires, for the log line that says which one is served. RFC 5280 §4.1.
//!
//! Nothing is decided by it: clients judge the date. A certificate whose date cannot be read is served all the same.

use time::{Date, Month, OffsetDateTime, Time};

/// `notAfter` of a DER certificate.
pub(super) fn of(certificate: &[u8]) -> Option<OffsetDateTime> {
    let mut outer = Elements(certificate);
    let mut certificate = Elements(outer.next(SEQUENCE)?);
    let mut fields = Elements(certificate.next(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.next(VERSION)?;
    }
    fields.next(INTEGER)?;
    fields.next(SEQUENCE)?;
    fields.next(SEQUENCE)?;
    let mut validity = Elements(fields.next(SEQUENCE)?);
    validity.moment()?;
    validity.moment()
}

/// DER elements, one after the other.
struct Elements<'d>(&'d [u8]);

impl<'d> Elements<'d> {
    /// The contents of the next element, which has to be of that kind.
    fn next(&mut self, kind: u8) -> Option<&'d [u8]> {
        let (&[found, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // As many bytes of length; a certificate has no element of 16 MiB.
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == kind).then_some(contents)
    }

    fn moment(&mut self) -> Option<OffsetDateTime> {
        let kind = *self.0.first()?;
        let text = std::str::from_utf8(self.next(kind)?).ok()?;
        let (year, rest) = match kind {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i32 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
        let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
        Some(date.with_time(Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?).assume_utc())
    }
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn until(year: i32) -> Vec<u8> {
        let mut asked = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        asked.not_after = rcgen::date_time_ymd(year, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        asked.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_a_date_are_read() {
        assert_eq!(of(&until(2031)), Some(datetime!(2031-03-04 00:00 UTC)));
        assert_eq!(of(&until(2051)), Some(datetime!(2051-03-04 00:00 UTC)));
    }

    #[test]
    fn a_cut_certificate_has_no_date_and_no_panic() {
        let whole = until(2031);
        for cut in 0..whole.len() {
            assert_eq!(of(&whole[..cut]), None);
        }
        assert_eq!(of(&[0x30, 0x83, 0xff, 0xff, 0xff, 0]), None);
    }
}
