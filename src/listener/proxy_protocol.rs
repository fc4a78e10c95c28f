//! The PROXY protocol, versions 1 and 2: a load balancer in front says who connected, before TLS and before HTTP.
//!
//! Only connections from `listen.proxy_protocol` are read this way, and they have to begin with a header. From anybody
//! else the same bytes are an HTTP request that cannot be read. Whom the header names becomes the connection's peer, no more:
//! it is not a trusted proxy unless `listen.trusted_proxies` lists it.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use ppp::{HeaderResult, v1, v2};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// A header, read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its length in bytes; what follows is the client's.
    pub length: usize,
    /// Who connected. `None`: the sender speaks for itself (`LOCAL`, `UNKNOWN`, a unix socket).
    pub client: Option<SocketAddr>,
}

/// These bytes are not the beginning of a header that we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the PROXY protocol header is missing, malformed or too long")]
pub struct NoHeader;

/// Reads the header at the front of `bytes`. `Ok(None)`: so far it may become one.
///
/// # Errors
/// [`NoHeader`]: no further bytes would make it one.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    let Some(length) = length(bytes)? else { return Ok(None) };
    let header = bytes.get(..length).ok_or(NoHeader)?;
    let client = match HeaderResult::parse(header) {
        // `ppp` lets a header that names nobody end in LF alone.
        HeaderResult::V1(Ok(first_version)) if header.ends_with(b"\r\n") => first(&first_version)?,
        HeaderResult::V2(Ok(header)) => second(&header)?,
        HeaderResult::V1(_) | HeaderResult::V2(Err(_)) => return Err(NoHeader),
    };
    Ok(Some(Header { length, client }))
}

/// Takes the header from the socket and not a byte more.
///
/// # Errors
/// When the socket breaks off, or does not begin with a header.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut bytes = vec![0; LONGEST];
    let mut taken = 0;
    loop {
        let (have, room) = bytes.split_at_mut(taken);
        let seen = stream.peek(room).await?;
        if seen == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let all = have.len() + seen;
        let header = parse(bytes.get(..all).unwrap_or_default()).map_err(io::Error::other)?;
        // What was looked at belongs to the header as long as that has no end: taking it lets the next look wait for more.
        let end = header.map_or(all, |header| header.length);
        stream.read_exact(bytes.get_mut(taken..end).unwrap_or_default()).await?;
        taken = end;
        if let Some(header) = header {
            return Ok(header.client);
        }
        if taken == LONGEST {
            return Err(io::Error::other(NoHeader));
        }
    }
}

/// Where the header ends. `ppp` takes an address that was cut in two for a wrong one, so it only sees whole headers.
fn length(bytes: &[u8]) -> Result<Option<usize>, NoHeader> {
    if begins(bytes, v1::PROTOCOL_PREFIX.as_bytes()) {
        let line = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
        return match line.iter().position(|&byte| byte == b'\n') {
            Some(end) => Ok(Some(end + 1)),
            None if line.len() == LONGEST_LINE => Err(NoHeader),
            None => Ok(None),
        };
    }
    if !begins(bytes, v2::PROTOCOL_PREFIX) {
        return Err(NoHeader);
    }
    let Some(&[high, low]) = bytes.get(14..16) else { return Ok(None) };
    let length = 16 + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(NoHeader);
    }
    Ok((bytes.len() >= length).then_some(length))
}

/// One is the beginning of the other.
fn begins(bytes: &[u8], prefix: &[u8]) -> bool {
    let common = bytes.len().min(prefix.len());
    bytes.get(..common) == prefix.get(..common)
}

fn first(header: &v1::Header<'_>) -> Result<Option<SocketAddr>, NoHeader> {
    let client = match header.addresses {
        v1::Addresses::Tcp4(ip) => (ip.source_address, ip.source_port).into(),
        v1::Addresses::Tcp6(ip) => (ip.source_address, ip.source_port).into(),
        v1::Addresses::Unknown => return Ok(None),
    };
    // Rust reads `+80` as a number, the specification does not.
    if header.header.contains('+') { Err(NoHeader) } else { Ok(Some(client)) }
}

fn second(header: &v2::Header<'_>) -> Result<Option<SocketAddr>, NoHeader> {
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    // Nobody sends datagrams through a TCP connection, and addresses without a protocol are no combination of the specification.
    match (header.protocol, &header.addresses) {
        (v2::Protocol::Stream, _) | (v2::Protocol::Unspecified, v2::Addresses::Unspecified) => {}
        _ => return Err(NoHeader),
    }
    match header.addresses {
        v2::Addresses::IPv4(ip) => Ok(Some((ip.source_address, ip.source_port).into())),
        v2::Addresses::IPv6(ip) => Ok(Some((ip.source_address, ip.source_port).into())),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => Ok(None),
    }
}

/// Version 1, by its specification.
const LONGEST_LINE: usize = 107;
/// Version 2 with what it may carry besides addresses (the names of a client certificate, a cloud's endpoint).
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, payload].concat()
    }

    fn client(bytes: &[u8]) -> Option<String> {
        parse(bytes).unwrap().unwrap().client.map(|client| client.to_string())
    }

    #[test]
    fn both_versions_name_the_client() {
        assert_eq!(client(b"PROXY TCP4 192.0.2.9 10.0.0.1 4711 80\r\nGET").unwrap(), "192.0.2.9:4711");
        assert_eq!(client(b"PROXY TCP6 2001:db8::9 ::1 4711 80\r\n").unwrap(), "[2001:db8::9]:4711");
        let four = binary(0x21, 0x11, &[192, 0, 2, 9, 10, 0, 0, 1, 0x12, 0x67, 0, 80]);
        assert_eq!(client(&four).unwrap(), "192.0.2.9:4711");
        let mut six = [0; 36 + 5];
        six[15] = 9;
        six[33] = 7;
        six[36..].copy_from_slice(&[4, 0, 2, 1, 1]);
        assert_eq!(client(&binary(0x21, 0x21, &six)).unwrap(), "[::9]:7");
    }

    #[test]
    fn a_sender_that_speaks_for_itself_names_nobody() {
        assert_eq!(client(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(client(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        assert_eq!(client(&binary(0x20, 0x11, &[9; 12])), None);
        assert_eq!(client(&binary(0x21, 0x00, &[])), None);
        assert_eq!(client(&binary(0x21, 0x31, &[0; 216])), None);
    }

    #[test]
    fn every_beginning_of_a_header_waits_for_the_rest() {
        let whole = [
            b"PROXY TCP4 192.0.2.9 10.0.0.1 4711 80\r\n".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
            binary(0x21, 0x11, &[192, 0, 2, 9, 10, 0, 0, 1, 0x12, 0x67, 0, 80, 3, 0, 1, 7]),
        ];
        for header in whole {
            for cut in 0..header.len() {
                assert_eq!(parse(&header[..cut]), Ok(None), "{cut} bytes of {header:?}");
            }
            let followed = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(parse(&followed).unwrap().unwrap().length, header.len());
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
        let huge = [v2::PROTOCOL_PREFIX, &[0x21, 0x11, 0xff, 0xff]].concat();
        let refused: [&[u8]; 15] = [
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"PROXY TCP4 192.0.2.9 10.0.0.1 4711\r\n",
            b"PROXY TCP4 192.0.2.9 10.0.0.1 4711 80\n",
            b"PROXY UNKNOWN ffff::1 \n",
            b"PROXY TCP4 192.0.2.9 10.0.0.1 04711 80\r\n",
            b"PROXY TCP4 192.0.2.9  10.0.0.1 4711 80\r\n",
            b"PROXY TCP6 192.0.2.9 10.0.0.1 4711 80\r\n",
            b"PROXY TCP4 192.0.2.999 10.0.0.1 4711 80\r\n",
            b"PROXY TCP4 192.0.2.9 10.0.0.1 +4711 80\r\n",
            b"proxy UNKNOWN\r\n",
            &long,
            &huge,
            &binary(0x21, 0x12, &[0; 12]),
            &binary(0x21, 0x10, &[0; 12]),
        ];
        for bytes in refused {
            assert_eq!(parse(bytes), Err(NoHeader), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(parse(&binary(0x21, 0x11, &[0; 11])), Err(NoHeader), "too short for its addresses");
        assert_eq!(parse(&binary(0x11, 0x11, &[0; 12])), Err(NoHeader), "version 1 in version 2's form");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_read_past_them(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), kind in 0..3) {
            let front: &[u8] = match kind { 0 => b"PROXY TCP4 ", 1 => v2::PROTOCOL_PREFIX, _ => b"" };
            let bytes = [front, &bytes].concat();
            if let Ok(Some(header)) = parse(&bytes) {
                proptest::prop_assert!(header.length <= bytes.len() && header.length <= LONGEST);
            }
        }
    }
}
