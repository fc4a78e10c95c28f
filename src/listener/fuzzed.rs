//! For `fuzz/targets/proxy_protocol.rs`: a header is read to its end and no further, and names whom its bytes name.

use std::net::{IpAddr, SocketAddr};

use super::proxy_protocol::{Header, parse};

/// What a load balancer, or somebody who plays one, sends first.
pub fn proxy_protocol(bytes: &[u8]) {
    let Ok(Some(header)) = parse(bytes) else { return };
    let (own, client) = bytes.split_at(header.length);
    assert_eq!(parse(own), Ok(Some(header)), "what follows has no say");
    assert_eq!(parse(&[own, b"\r\n\r\n\0", client].concat()), Ok(Some(header)));
    for cut in 0..own.len() {
        assert_eq!(parse(&own[..cut]), Ok(None), "{cut} bytes of it may still become one");
    }
    match own {
        [b'P', ..] => assert_eq!(header.client, line(own)),
        _ => assert_eq!(header, binary(own)),
    }
}

fn line(own: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(own).expect("version 1 is ASCII").strip_suffix("\r\n").expect("version 1 ends so");
    let words: Vec<_> = text.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, source, _, port, _] => {
            let address: IpAddr = source.parse().unwrap();
            assert_eq!(family, if address.is_ipv4() { "TCP4" } else { "TCP6" });
            let number: u16 = port.parse().unwrap();
            assert_eq!(number.to_string(), port, "one way to write a port");
            Some((address, number).into())
        }
        _ => panic!("{text:?} is no header"),
    }
}

/// Command and family are its 13th and 14th byte, its length the next two, then come source, destination and their ports.
fn binary(own: &[u8]) -> Header {
    let port = |at: usize| u16::from_be_bytes([own[at], own[at + 1]]);
    assert_eq!(own.len(), 16 + usize::from(port(14)));
    let client = match (own[12], own[13]) {
        (0x21, 0x11) => Some((<[u8; 4]>::try_from(&own[16..20]).unwrap(), port(24)).into()),
        (0x21, 0x21) => Some((<[u8; 16]>::try_from(&own[16..32]).unwrap(), port(48)).into()),
        _ => None,
    };
    Header { length: own.len(), client }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_stays_fixed() {
        crate::world::replay("proxy_protocol", super::proxy_protocol);
    }
}
