//! Vestibule: the entrance hall in front of any web site.
//!
//! The rooms below are ordered: a room imports only rooms that stand above it in this list
//! (`tests/front_door/layers.rs` holds the table). A request walks
//! `listener → gateway → inbound → policy.route → session.resume → policy.decide → proxy | portal`.

// layer 0
pub mod config;
pub mod telemetry;
pub mod world;
// layer 1
pub mod inbound;
pub mod mail;
pub mod storage;
pub mod verify;
// layer 2
pub mod identity;
pub mod listener;
// layer 3
pub mod session;
// layer 4
pub mod assertion;
pub mod policy;
// layer 5
pub mod portal;
pub mod proxy;
// layer 6
pub mod gateway;
// layer 7
pub mod app;
// layer 8
pub mod command;

#[cfg(test)]
#[path = "../tests/front_door/support/ports.rs"]
mod ports;
