//! `[limits]`: how big and how slow a request may be.

use std::time::Duration;

use super::{reader::Section, units};

/// A number of bytes, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteLimit {
    /// `"unlimited"`
    Unlimited,
    /// `"10MiB"`
    AtMost(u64),
}

/// `[limits]`
#[derive(Clone, Debug)]
pub struct Limits {
    /// Request line and fields together, bytes.
    pub head: usize,
    /// Bodies of the portal's own forms, bytes.
    pub form: usize,
    /// Bodies towards upstreams; a site may set its own.
    pub body: ByteLimit,
    /// From the first byte (or the accepted connection) to the end of the head.
    pub head_timeout: Duration,
    /// Between two requests of one connection, and between two reads of a body.
    pub idle_timeout: Duration,
    /// To a connected upstream, TLS included.
    pub upstream_connect: Duration,
    /// From the sent request to the first byte of the answer; streams may last.
    pub upstream_response: Duration,
    /// Between two reads of an answer; event streams and gRPC calls may be silent for longer.
    pub upstream_stall: Duration,
    /// From the request's head to the end of its answer; event streams, gRPC calls and WebSockets may last longer. `None`:
    /// as long as something moves.
    pub total: Option<Duration>,
    /// How long open requests may go on after SIGTERM.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 32 << 10,
            form: 64 << 10,
            body: ByteLimit::Unlimited,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            upstream_connect: Duration::from_secs(5),
            upstream_response: Duration::from_secs(60),
            upstream_stall: Duration::from_secs(300),
            total: None,
            drain: Duration::from_secs(30),
        }
    }
}

pub(super) fn read(mut section: Section<'_>) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        head: section.parse("head", |text| units::bytes_within(text, 1 << 10, 1 << 20)).unwrap_or(default.head),
        form: section.parse("form", |text| units::bytes_within(text, 1 << 10, 16 << 20)).unwrap_or(default.form),
        body: section.parse("body", units::byte_limit).unwrap_or(default.body),
        head_timeout: section.parse("head_timeout", units::duration).unwrap_or(default.head_timeout),
        idle_timeout: section.parse("idle_timeout", units::duration).unwrap_or(default.idle_timeout),
        upstream_connect: section.parse("upstream_connect", units::duration).unwrap_or(default.upstream_connect),
        upstream_response: section.parse("upstream_response", units::duration).unwrap_or(default.upstream_response),
        upstream_stall: section.parse("upstream_stall", units::duration).unwrap_or(default.upstream_stall),
        total: section.parse("total", units::duration_or_off).unwrap_or(default.total),
        drain: section.parse("drain", units::duration).unwrap_or(default.drain),
    };
    section.finish();
    limits
}
