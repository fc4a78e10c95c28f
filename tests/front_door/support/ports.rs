//! Ports for servers that tests start: below those that the system gives to connections and to port 0, so that nobody takes
//! one between its choice and its use, and out of blocks that one process holds at a time.
//!
//! Unit tests, the tests of the front door, and the chores share this file.

use std::{
    net::{TcpListener, UdpSocket},
    sync::{Mutex, PoisonError},
};

/// What a process holds of the ports. A block is held by the UDP socket on its first port, until the process ends.
struct Held {
    blocks: Vec<UdpSocket>,
    rest: std::ops::Range<u16>,
}

/// A free loopback port; this process never gets it a second time. `None` when none are left.
pub fn free_port() -> Option<u16> {
    static HELD: Mutex<Held> = Mutex::new(Held { blocks: Vec::new(), rest: 0..0 });
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let Some(port) = held.rest.next() else {
            let socket = (FIRST..LAST).step_by(BLOCK.into()).find_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok());
            let socket = socket?;
            let first = socket.local_addr().ok()?.port();
            held.blocks.push(socket);
            held.rest = first..first + BLOCK;
            continue;
        };
        // Somebody else's server may be there.
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Some(port);
        }
    }
}

const FIRST: u16 = 12_000;
const LAST: u16 = 32_000;
/// How many ports a process takes at a time.
const BLOCK: u16 = 64;
