//! One line's bytes. Written by hand: formatting through `fmt` and a subscriber costs more than forwarding the request.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Line;
use crate::{config::log::Format, world::UnixMillis};

/// A buffer of lines, and the second its clock shows.
#[derive(Debug)]
pub(super) struct Writer {
    format: Format,
    bytes: Vec<u8>,
    second: i64,
    /// `2026-11-25T21:46:26`
    shown: String,
}

impl Writer {
    pub fn new(format: Format) -> Self {
        Self { format, bytes: Vec::new(), second: i64::MIN, shown: String::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Everything so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// A line in its form already.
    pub fn add(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
    }

    pub fn line(&mut self, line: &Line<'_>) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(super::FULL + LONGEST);
        }
        match self.format {
            Format::Text => self.text(line),
            Format::Json => self.json(line),
        }
    }

    fn text(&mut self, line: &Line<'_>) {
        self.moment(line.at);
        self.put("  INFO ");
        self.put(message(line));
        self.put(" id=\"");
        self.put(line.id);
        self.put("\" method=\"");
        self.put(short(line.method));
        self.put("\" site=\"");
        self.put(line.site);
        self.put("\"");
        if let Some(status) = line.status {
            self.put(" status=");
            self.number(status.into());
        }
        self.put(" duration_ms=");
        self.number(millis(line));
        if let Some(sid) = line.sid {
            self.put(" sid=\"");
            self.put(sid);
            self.put("\"");
        }
        self.put("\n");
    }

    fn json(&mut self, line: &Line<'_>) {
        self.put("{\"timestamp\":\"");
        self.moment(line.at);
        self.put("\",\"level\":\"INFO\",\"message\":\"");
        self.put(message(line));
        for (name, text) in [("id", line.id), ("method", short(line.method)), ("site", line.site)] {
            self.put("\",\"");
            self.put(name);
            self.put("\":\"");
            self.put(text);
        }
        self.put("\"");
        if let Some(status) = line.status {
            self.put(",\"status\":");
            self.number(status.into());
        }
        self.put(",\"duration_ms\":");
        self.number(millis(line));
        if let Some(sid) = line.sid {
            self.put(",\"sid\":\"");
            self.put(sid);
            self.put("\"");
        }
        self.put(",\"target\":\"access\"}\n");
    }

    /// RFC 3339 with milliseconds. The date is made once a second.
    fn moment(&mut self, at: UnixMillis) {
        let second = at.seconds();
        if second != self.second {
            let whole = OffsetDateTime::from_unix_timestamp(second).ok().and_then(|time| time.format(&Rfc3339).ok());
            self.shown = whole.unwrap_or_default();
            self.shown.truncate("2026-11-25T21:46:26".len());
            self.second = second;
        }
        self.bytes.extend_from_slice(self.shown.as_bytes());
        let millis = u8::try_from(at.0.rem_euclid(1000) / 10).unwrap_or(0);
        let last = u8::try_from(at.0.rem_euclid(10)).unwrap_or(0);
        self.bytes.extend_from_slice(&[b'.', b'0' + millis / 10, b'0' + millis % 10, b'0' + last, b'Z']);
    }

    /// Nothing has to be escaped: a reference is hexadecimal, a method a token (RFC 9110 §5.6.2), a label a host, a `sid`
    /// base64url.
    fn put(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
}

fn message(line: &Line<'_>) -> &'static str {
    if line.status.is_some() { "answered" } else { "the client did not wait" }
}

fn millis(line: &Line<'_>) -> u64 {
    u64::try_from(line.duration.as_millis()).unwrap_or(u64::MAX)
}

/// A method that is not served may be of any length.
fn short(method: &str) -> &str {
    method.get(..LONGEST_METHOD).unwrap_or(method)
}

const LONGEST_METHOD: usize = 40;
/// Of one line, about.
const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(format: Format, lines: &[Line<'_>]) -> String {
        let mut writer = Writer::new(format);
        for line in lines {
            writer.line(line);
        }
        String::from_utf8(writer.take()).unwrap()
    }

    fn line(at: i64) -> Line<'static> {
        Line {
            at: UnixMillis(at),
            id: "00ff",
            method: "GET",
            site: "wiki.example.com",
            status: Some(200),
            duration: Duration::from_micros(3_900),
            sid: Some("abc-_1"),
        }
    }

    #[test]
    fn a_line_of_text_says_when_what_where_and_who() {
        let lines = written(
            Format::Text,
            &[line(1_795_000_000_007), Line { status: None, sid: None, ..line(1_795_000_001_120) }],
        );
        assert_eq!(
            lines,
            "2026-11-18T11:06:40.007Z  INFO answered id=\"00ff\" method=\"GET\" site=\"wiki.example.com\" status=200 \
             duration_ms=3 sid=\"abc-_1\"\n\
             2026-11-18T11:06:41.120Z  INFO the client did not wait id=\"00ff\" method=\"GET\" site=\"wiki.example.com\" \
             duration_ms=3\n"
        );
    }

    #[test]
    fn a_line_of_json_is_json() {
        for line in [line(0), Line { status: None, sid: None, ..line(999) }] {
            let text = written(Format::Json, &[line]);
            let read: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
            assert_eq!(read["id"], "00ff");
            assert_eq!(read["status"].as_u64(), line.status.map(u64::from));
            assert_eq!(read["sid"].as_str(), line.sid);
            assert_eq!(read["target"], "access");
        }
    }

    #[test]
    fn an_endless_method_does_not_fill_the_log() {
        let method = "X".repeat(30_000);
        assert!(written(Format::Text, &[Line { method: &method, ..line(0) }]).len() < LONGEST);
    }
}
