//! The rows of the benchmark: each a scenario with a name, and what the issue asks of it.

mod body;
mod encrypted;
mod growth;
mod h1;
mod handshakes;
mod idle_memory;
mod lookup;
mod p99_fixed;
mod revocation;
mod signin_storm;
mod signin_timing;
mod start;
mod taking_away;

use super::{Bench, report::Section};
use crate::Failure;

/// One scenario.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) measure: fn(&Bench) -> Result<Section, Failure>,
}

/// All, in the order of the results.
pub(super) const ROWS: &[Row] = &[
    Row { name: "h1", what: "HTTP/1.1, 64 connections, 1 KiB", measure: h1::measure },
    Row { name: "p99-fixed", what: "HTTP/1.1 at 60 % of nginx's saturation", measure: p99_fixed::measure },
    Row { name: "tls-h1", what: "HTTPS (TLS 1.3), HTTP/1.1, 64 kept connections, 1 KiB", measure: encrypted::h1 },
    Row { name: "h2", what: "HTTPS (TLS 1.3), HTTP/2, 8 connections with 100 streams each", measure: encrypted::h2 },
    Row { name: "handshakes", what: "TLS 1.3 handshakes, full and resumed", measure: handshakes::measure },
    Row { name: "body", what: "A large body, down and up", measure: body::measure },
    Row { name: "growth", what: "HTTP/1.1 from 1 to 8,192 connections", measure: growth::measure },
    Row { name: "idle-memory", what: "Idle connections, plain and TLS", measure: idle_memory::measure },
    Row {
        name: "signin-storm",
        what: "Many sign-ins beside requests of who is signed in",
        measure: signin_storm::measure,
    },
    Row {
        name: "signin-timing",
        what: "How long a refused sign-in takes, by what stands behind the name",
        measure: signin_timing::measure,
    },
    Row { name: "start", what: "Start, idle memory, size", measure: start::measure },
    Row {
        name: "revocation",
        what: "Sign-out at one node, refusal at another, through Redis",
        measure: revocation::measure,
    },
    Row {
        name: "taking-away",
        what: "A person disabled, or a group taken away, by the command line beside the server",
        measure: taking_away::measure,
    },
    Row { name: "lookup", what: "Session lookups in Redis: warm, cold, among a million", measure: lookup::measure },
];
