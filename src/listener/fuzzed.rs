//! For `fuzz/targets/proxy_protocol.rs`: a header is read to its end and no further, and names whom its bytes name.

use std::net::{IpAddr, SocketAddr};

use super::proxy_protocol::parse;

/// What a load balancer, or somebody who plays one, sends first.
pub fn proxy_protocol(bytes: &[u8]) {
    let Ok(Some(header)) = parse(bytes) else { return };
    let (own, client) = bytes.split_at(header.length);
    assert_eq!(parse(own), Ok(Some(header)), "what follows has no say");
    assert_eq!(parse(&[own, b"\r\n\r\n\0", client].concat()), Ok(Some(header)));
    for cut in 0..own.len() {
        assert_eq!(parse(&own[..cut]), Ok(None), "{cut} bytes of it may still become one");
    }
    let named = if own.starts_with(b"P") { line(own) } else { binary(own) };
    assert_eq!(Some(header.client), named, "{own:?}");
}

/// Whom it names, written apart from what it checks; `None`: it is no header.
fn line(own: &[u8]) -> Option<Option<SocketAddr>> {
    let text = std::str::from_utf8(own).ok()?.strip_suffix("\r\n")?;
    let words: Vec<_> = text.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        ["PROXY", family, source, _, port, _] => {
            let (address, number): (IpAddr, u16) = (source.parse().ok()?, port.parse().ok()?);
            let right = family == if address.is_ipv4() { "TCP4" } else { "TCP6" };
            // There is one way to write a port.
            (right && number.to_string() == port).then_some(Some((address, number).into()))
        }
        _ => None,
    }
}

/// Command and family are its 13th and 14th byte, its length the next two, then come source, destination and their ports.
fn binary(own: &[u8]) -> Option<Option<SocketAddr>> {
    let number = |at: usize| Some(u16::from_be_bytes(own.get(at..at + 2)?.try_into().ok()?));
    if own.len() != 16 + usize::from(number(14)?) {
        return None;
    }
    Some(match (own.get(12)?, own.get(13)?) {
        (0x21, 0x11) => Some((<[u8; 4]>::try_from(own.get(16..20)?).ok()?, number(24)?).into()),
        (0x21, 0x21) => Some((<[u8; 16]>::try_from(own.get(16..32)?).ok()?, number(48)?).into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_stays_fixed() {
        crate::world::replay("proxy_protocol", super::proxy_protocol);
    }
}
