//! Counts HTTP/2 frames that cost us work and move nothing.
//!
//! h2 bounds resets it must remember and the size of field blocks, but answers every PING and SETTINGS it is sent
//! (CVE-2019-9512, CVE-2019-9515). This reads frame heads (RFC 9113 §4.1) as bytes pass by and says when there were too many.

use std::time::{Duration, Instant};

/// The meter of one connection.
#[derive(Debug)]
pub(super) struct FrameMeter {
    /// Bytes of preface or payload still to pass over.
    skip: usize,
    head: [u8; HEAD],
    filled: usize,
    left: u32,
    /// Bytes written that no window update answered yet.
    unanswered: usize,
    refilled: Instant,
}

impl FrameMeter {
    pub fn new(now: Instant) -> Self {
        Self { skip: PREFACE, head: [0; HEAD], filled: 0, left: BURST, unanswered: 0, refilled: now }
    }

    /// So many bytes went to the client: it may open its windows for them.
    pub fn wrote(&mut self, count: usize) {
        self.unanswered = self.unanswered.saturating_add(count);
    }

    /// Takes bytes from the client. False: a flood, end the connection.
    pub fn passes(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let over = self.skip.min(bytes.len());
                self.skip -= over;
                bytes = &bytes[over..];
                continue;
            }
            let take = (HEAD - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + take].copy_from_slice(&bytes[..take]);
            self.filled += take;
            bytes = &bytes[take..];
            if self.filled == HEAD {
                self.filled = 0;
                let [a, b, c, kind, flags, ..] = self.head;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if costs(kind, flags, self.skip) && !self.spend() || kind == WINDOW_UPDATE && !self.answer() {
                    return false;
                }
            }
        }
        true
    }

    /// A window update for what was written is free.
    fn answer(&mut self) -> bool {
        match self.unanswered.checked_sub(BYTES_AN_UPDATE) {
            Some(rest) => {
                self.unanswered = rest;
                true
            }
            None => self.spend(),
        }
    }

    fn spend(&mut self) -> bool {
        if self.left == 0 {
            let now = Instant::now();
            let earned = now.saturating_duration_since(self.refilled).as_millis() / EARN_EVERY.as_millis();
            self.left = u32::try_from(earned).unwrap_or(BURST).min(BURST);
            self.refilled = now;
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return false,
        };
        true
    }
}

/// Everything but HEADERS, WINDOW_UPDATE and DATA that carries something or ends its stream.
fn costs(kind: u8, flags: u8, length: usize) -> bool {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;
    match kind {
        DATA => length == 0 && flags & END_STREAM == 0,
        HEADERS | WINDOW_UPDATE => false,
        _ => true,
    }
}

const WINDOW_UPDATE: u8 = 8;
/// Some clients send two for every small piece they were given.
const BYTES_AN_UPDATE: usize = 16;
const PREFACE: usize = 24;
const HEAD: usize = 9;
/// At once; a browser that leaves a gallery resets a few hundred streams.
const BURST: u32 = 2000;
/// One more for every such span: 100 a second.
const EARN_EVERY: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
        frame.extend(std::iter::repeat_n(7, usize::from(length)));
        frame
    }

    fn opened() -> FrameMeter {
        let mut meter = FrameMeter::new(Instant::now());
        assert!(meter.passes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        meter
    }

    #[test]
    fn a_flood_of_pings_is_noticed_however_it_is_cut_into_reads() {
        let flood: Vec<u8> = (0..3000).flat_map(|_| frame(6, 8)).collect();
        for size in [1, 7, 4096] {
            let mut meter = opened();
            assert!(!flood.chunks(size).all(|part| meter.passes(part)), "reads of {size}");
        }
    }

    #[test]
    fn data_and_the_window_updates_for_answers_are_never_a_flood() {
        let mut meter = opened();
        for _ in 0..10_000 {
            assert!(meter.passes(&frame(0, 200)));
            meter.wrote(100);
            assert!(meter.passes(&frame(8, 4)));
        }
    }

    #[test]
    fn window_updates_for_nothing_are_a_flood() {
        let mut meter = opened();
        assert!(!(0..3000).all(|_| meter.passes(&frame(8, 4))));
    }

    #[test]
    fn empty_data_frames_are_a_flood() {
        let mut meter = opened();
        assert!(!(0..3000).all(|_| meter.passes(&frame(0, 0))));
    }
}
