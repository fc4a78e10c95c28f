//! Bound sockets, and what to do when an address cannot be had.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// A listening socket for `key` (`listen.http`).
///
/// # Errors
/// A sentence that names the key, the address and the way out.
pub(super) fn socket(key: &str, address: SocketAddr) -> Result<TcpListener, String> {
    open(address).map_err(|error| format!("`{key}` = {address} cannot be used: {}", advice(key, &error)))
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart may bind while old connections still wait in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    // What it accepts inherits these: no calls into the kernel for each of them.
    socket.set_tcp_nodelay(true)?;
    // Tunnels have no idle timeout; a peer that vanished without a word must still be found out.
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY))?;
    socket.bind(&address.into())?;
    // std asks for 128 only; a burst of sign-ins overflows that. The kernel cuts it to net.core.somaxconn.
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn advice(key: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!("another program already listens there; stop it or choose another port in `{key}`")
        }
        ErrorKind::PermissionDenied => {
            format!("ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher port in `{key}` or grant that")
        }
        ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address; use 0.0.0.0 (every interface) or one of its own in `{key}`")
        }
        _ => error.to_string(),
    }
}

const BACKLOG: i32 = 4096;
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);
