//! Who asks, and whether over TLS: the connection itself, or what trusted proxies say of it. RFC 7239.
//!
//! Lists are read from the right: each trusted hop vouches for the address before it, nobody vouches for more. When
//! `Forwarded` and `X-Forwarded-*` contradict each other, one of them came through from outside, and we cannot
//! tell which: refused.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

use super::{Client, Connection, Malformed};

/// Whose forwarding fields are believed.
#[derive(Clone, Debug)]
pub(super) struct Believed {
    trusted: Arc<[IpNet]>,
    warned: Arc<Mutex<HashSet<IpAddr>>>,
}

impl Believed {
    pub(super) fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted: trusted.into(), warned: Arc::default() }
    }

    /// The client, and whether it came over TLS.
    pub(super) fn read(&self, fields: &HeaderMap, connection: &Connection) -> Result<(Client, bool), Malformed> {
        let peer = connection.peer.ip().to_canonical();
        let tls = connection.tls.is_some();
        if !self.trusts(peer) {
            self.warn_of(peer, fields);
            return Ok((Client { address: peer, via_trusted_proxy: false }, tls));
        }
        let (by_forwarded, said) = self.by_forwarded(fields)?;
        let address = agreed(self.by_list(fields)?, by_forwarded)?.unwrap_or(peer);
        let secure = agreed(proto(fields), said)?.unwrap_or(tls);
        Ok((Client { address, via_trusted_proxy: true }, secure))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    fn by_list(&self, fields: &HeaderMap) -> Result<Option<IpAddr>, Malformed> {
        if !fields.contains_key(&X_FORWARDED_FOR) {
            return Ok(None);
        }
        self.farthest(from_the_right(fields, &X_FORWARDED_FOR).map(|element| address(element).ok_or(UNREADABLE)))
            .map(Some)
    }

    /// The client, and whether the nearest proxy says TLS.
    fn by_forwarded(&self, fields: &HeaderMap) -> Result<(Option<IpAddr>, Option<bool>), Malformed> {
        if !fields.contains_key(FORWARDED) {
            return Ok((None, None));
        }
        let mut hops = forwarded(fields).peekable();
        let secure = hops.peek().and_then(|hop| hop.as_ref().ok()?.secure);
        let client = self.farthest(hops.map(|hop| hop?.client.ok_or(UNREADABLE)))?;
        Ok((Some(client), secure))
    }

    /// The last address somebody we trust vouches for. Elements come from the right and are read only as far as they
    /// are relied on: what stands before the first address we do not trust is that client's own and may be anything.
    /// What we do rely on has to be readable; falling back to the proxy's address would hand strangers its place.
    fn farthest(&self, elements: impl Iterator<Item = Result<IpAddr, Malformed>>) -> Result<IpAddr, Malformed> {
        let mut known = Err(UNREADABLE);
        for element in elements {
            let address = element?;
            known = Ok(address);
            if !self.trusts(address) {
                break;
            }
        }
        known
    }

    /// Says once per peer why it is not believed.
    fn warn_of(&self, peer: IpAddr, fields: &HeaderMap) {
        if !fields.contains_key(&X_FORWARDED_FOR) {
            return;
        }
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        // Bounded: after that many, one more line would tell the operator nothing new.
        if warned.len() < WARNED_AT_MOST && warned.insert(peer) {
            tracing::warn!(
                %peer,
                "X-Forwarded-For from {peer} is not believed, because {peer} is not in listen.trusted_proxies. If it is your own \
                 proxy, add it there: until then all visitors behind it share one throttle"
            );
        }
    }
}

const WARNED_AT_MOST: usize = 64;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// RFC 7239 §6 knows `unknown` and `_names` too: they tell nothing that rules and throttles could go by.
const UNREADABLE: Malformed = Malformed::Forwarding(
    "A proxy that is believed names no address for the client: its X-Forwarded-For or Forwarded has to end in one, not in \
     \"unknown\" or a made-up name.",
);
const UNBALANCED: Malformed =
    Malformed::Forwarding("A quote in Forwarded is not closed: who is meant can be read in two ways.");
const TWICE: Malformed = Malformed::Forwarding("Forwarded says one thing twice in one element.");

fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>) -> Result<Option<T>, Malformed> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(Malformed::Forwarding(
            "Forwarded and X-Forwarded fields contradict each other: the proxy in front has to remove the one it does not set.",
        )),
        (one, other) => Ok(one.or(other)),
    }
}

/// What the nearest proxy says of the scheme.
fn proto(fields: &HeaderMap) -> Option<bool> {
    from_the_right(fields, &X_FORWARDED_PROTO).next().and_then(secure)
}

fn secure(scheme: &[u8]) -> Option<bool> {
    let is = |name: &&str| scheme.eq_ignore_ascii_case(name.as_bytes());
    match scheme {
        _ if ["https", "wss"].iter().any(is) => Some(true),
        _ if ["http", "ws"].iter().any(is) => Some(false),
        _ => None,
    }
}

/// The members of a list over all its lines, the last one first. Bytes: an older one need not be text.
fn from_the_right<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = fields.get_all(name).iter().rev();
    let elements = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// One element of `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    client: Option<IpAddr>,
    secure: Option<bool>,
}

/// The elements of `Forwarded` over all its lines, the last one first.
fn forwarded(fields: &HeaderMap) -> impl Iterator<Item = Result<Hop, Malformed>> {
    fields.get_all(FORWARDED).iter().rev().flat_map(|line| match outside_quotes(line.as_bytes(), b',') {
        Ok(elements) => elements.into_iter().rev().filter(|element| !element.is_empty()).map(hop).collect(),
        // Whatever stands in it, somebody else's quote may have swallowed it.
        Err(malformed) => vec![Err(malformed)],
    })
}

fn hop(element: &[u8]) -> Result<Hop, Malformed> {
    let (mut client, mut proto) = (None, None);
    for pair in outside_quotes(element, b';')? {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else { continue };
        let place = match name.trim_ascii() {
            name if name.eq_ignore_ascii_case(b"for") => &mut client,
            name if name.eq_ignore_ascii_case(b"proto") => &mut proto,
            _ => continue,
        };
        if place.replace(unquoted(value.trim_ascii())).is_some() {
            return Err(TWICE);
        }
    }
    Ok(Hop { client: client.and_then(address), secure: proto.and_then(secure) })
}

/// Without the quotes around it. An escape in it stays, and so spells no address.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// The trimmed parts between separators that stand in no quoted string (RFC 9110 §5.6.4).
fn outside_quotes(text: &[u8], separator: u8) -> Result<Vec<&[u8]>, Malformed> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|byte| {
        let plain = !escaped;
        escaped = quoted && plain && *byte == b'\\';
        quoted ^= plain && *byte == b'"';
        *byte == separator && !quoted
    });
    let parts = parts.map(<[u8]>::trim_ascii).collect();
    if quoted { Err(UNBALANCED) } else { Ok(parts) }
}

/// An address in any of the forms proxies write: bare, with a port, in brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(peer: &str, fields: &[(&str, impl AsRef<[u8]>)]) -> Result<(String, bool), Malformed> {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_ref()).unwrap());
        }
        let connection = Connection::new(SocketAddr::new(peer.parse().unwrap(), 4000), None);
        let (client, secure) = Believed::new(trusted.to_vec()).read(&map, &connection)?;
        Ok((client.address.to_string(), secure))
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        let forged = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1;proto=https")];
        assert_eq!(read("192.0.2.1", &forged).unwrap(), ("192.0.2.1".into(), false));
        assert_eq!(read("192.0.2.1", &[("x-forwarded-proto", "https")]).unwrap(), ("192.0.2.1".into(), false));
    }

    #[test]
    fn trusted_proxies_are_believed_from_the_right() {
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a str);
        let table: &[Row<'_>] = &[
            (&[], "10.0.0.1"),
            (&[("x-forwarded-proto", "https")], "10.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.9")], "192.0.2.9"),
            (&[("x-forwarded-for", "1.1.1.1, 192.0.2.9, 10.0.0.2")], "192.0.2.9"),
            (&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.9")], "192.0.2.9"),
            (&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (&[("x-forwarded-for", "garbage, 192.0.2.9, 10.0.0.2")], "192.0.2.9"),
            (&[("x-forwarded-for", "garbage"), ("x-forwarded-for", "192.0.2.9,")], "192.0.2.9"),
            (&[("x-forwarded-for", "192.0.2.9:4711")], "192.0.2.9"),
            (&[("x-forwarded-for", "[2001:470::1]:80, 2001:db8::1")], "2001:470::1"),
            (&[("x-forwarded-for", "::ffff:192.0.2.9")], "192.0.2.9"),
            (&[("forwarded", "for=1.1.1.1, for=\"[2001:470::1]:47\";proto=http, for=10.0.0.2")], "2001:470::1"),
            (&[("forwarded", "For=192.0.2.9; By=x")], "192.0.2.9"),
            (&[("forwarded", "for=\"a\\\",b\", for=192.0.2.9")], "192.0.2.9"),
            (&[("forwarded", "for=\"open"), ("forwarded", "for=192.0.2.9")], "192.0.2.9"),
            (&[("forwarded", "for=192.0.2.9"), ("x-forwarded-for", "192.0.2.9")], "192.0.2.9"),
        ];
        for (fields, client) in table {
            assert_eq!(read("10.0.0.1", fields).unwrap().0, *client, "{fields:?}");
        }
        let older_garbage = [("x-forwarded-for", &b"\xff, 192.0.2.9"[..])];
        assert_eq!(read("10.0.0.1", &older_garbage).unwrap().0, "192.0.2.9");
        assert_eq!(read("10.0.0.1", &[("forwarded", b"for=\xff;\xff, for=192.0.2.9")]).unwrap().0, "192.0.2.9");
        assert_eq!(read("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.9")]).unwrap().0, "192.0.2.9");
    }

    #[test]
    fn nobody_gets_a_trusted_proxys_place_by_an_unreadable_hop() {
        for (name, value) in [
            ("x-forwarded-for", &b"1.1.1.1, garbage, 10.0.0.2"[..]),
            ("x-forwarded-for", b"unknown"),
            ("x-forwarded-for", b"_hidden"),
            ("x-forwarded-for", b"192.0.2.9, \xff"),
            ("x-forwarded-for", b""),
            ("x-forwarded-for", b" , ,"),
            ("forwarded", b"for=unknown"),
            ("forwarded", b"for=_gazonk"),
            ("forwarded", b"proto=https"),
            ("forwarded", b""),
            ("forwarded", b"for=1.1.1.1;x=\", for=192.0.2.9"),
            ("forwarded", b"for=1.1.1.1;x=\", for=\"[2001:470::1]:47\""),
            ("forwarded", b"for=1.1.1.1;x=\"\\, for=\"[2001:470::1]:47\""),
            ("forwarded", b"for=192.0.2.9;for=1.1.1.1"),
            ("forwarded", b"for=192.0.2.9, for=10.0.0.2\xff"),
        ] {
            let answer = read("10.0.0.1", &[(name, value)]);
            assert!(matches!(answer, Err(Malformed::Forwarding(_))), "{name}: {value:?}: {answer:?}");
        }
    }

    #[test]
    fn the_nearest_proxy_says_whether_it_was_tls() {
        for (fields, secure) in [
            (vec![("x-forwarded-proto", "https")], true),
            (vec![("x-forwarded-proto", "https, http")], false),
            (vec![("forwarded", "proto=http, for=192.0.2.9;proto=https")], true),
            (vec![("x-forwarded-proto", "gopher")], false),
            (vec![("x-forwarded-proto", "https"), ("x-forwarded-proto", "h\u{e9}")], false),
        ] {
            assert_eq!(read("10.0.0.1", &fields).unwrap().1, secure, "{fields:?}");
        }
    }

    #[test]
    fn contradicting_fields_are_refused() {
        assert!(read("10.0.0.1", &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]).is_err());
        assert!(read("10.0.0.1", &[("forwarded", "for=1.1.1.1;proto=https"), ("x-forwarded-proto", "http")]).is_err());
    }

    #[test]
    fn each_peer_is_warned_of_once_and_the_list_is_bounded() {
        let believed = Believed::new(Vec::new());
        let mut fields = HeaderMap::new();
        believed.warn_of("192.0.2.1".parse().unwrap(), &fields);
        assert!(believed.warned.lock().unwrap().is_empty(), "it sent nothing");
        fields.insert(X_FORWARDED_FOR, "1.1.1.1".parse().unwrap());
        for last in 0..=255 {
            believed.warn_of(IpAddr::from([192, 0, 2, last]), &fields);
        }
        assert_eq!(believed.warned.lock().unwrap().len(), WARNED_AT_MOST);
    }
}
