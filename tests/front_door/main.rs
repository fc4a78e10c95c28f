//! Black-box tests: the real program on real sockets, with a cookie-keeping client and an upstream that records.
//!
//! One binary, so that linking stays cheap. `cargo xtask test` starts the services these tests need.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(dead_code, reason = "the support is shared by suites that use parts of it")]

mod accessibility;
mod activity;
mod address;
mod approval;
mod assertion;
mod authenticator;
mod breached;
mod browser;
mod certificates;
mod command_line;
mod crowds;
mod devices;
mod draining;
mod encrypted;
mod enrolment;
mod factor_attacks;
mod factor_mails;
mod floods;
mod forms;
mod getting_in;
mod import;
mod invitations;
mod last_factor;
mod layers;
mod leaving;
mod limits;
mod mails;
mod metrics;
mod near_cache;
mod no_progress;
mod operator;
mod outsiders;
mod owing;
mod pace;
mod passkeys;
mod passwords;
mod people;
mod profile;
mod protocols;
mod provider;
mod proxy_protocol;
mod proxying;
mod push;
mod registration;
mod restarts;
mod return_addresses;
mod revocation;
mod rules;
mod running;
mod second_factor;
mod sessions;
mod settings;
mod sign_in_machine;
mod step_up;
mod stores;
mod support;
mod throttles;
mod token_ends;
mod tokens;
mod twilio;
mod upstreams;
mod wires;
