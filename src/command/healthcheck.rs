//! `vestibule healthcheck`: GET /healthz of the operations listener. In-process, as an image `FROM scratch` has no curl.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::exit::{Failure, say};
use crate::config::Config;

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let Some(address) = config.operations.listen else {
        return Err(Failure::new(1, "operations.listen is \"off\": there is nobody to ask"));
    };
    let address = reachable(address);
    let answer = ask(address).map_err(|error| Failure::new(1, format!("http://{address}/healthz: {error}")))?;
    // "HTTP/1.1 200": the status begins at the tenth byte.
    if answer.get(9..12) == Some(b"200") {
        say("alive");
        return Ok(());
    }
    Err(Failure::new(1, format!("http://{address}/healthz did not say 200")))
}

fn ask(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer)
}

/// "Every address" is a place to listen, not one to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        assert_eq!(reachable(([0, 0, 0, 0], 9090).into()), ([127, 0, 0, 1], 9090).into());
        assert_eq!(reachable(([10, 0, 0, 1], 9090).into()), ([10, 0, 0, 1], 9090).into());
    }
}
