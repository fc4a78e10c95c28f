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

use super::{Client, Connection, Malformed, framing::tokens};

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
        let hops = forwarded(fields);
        let address = agreed(self.by_list(peer, fields), self.by_forwarded(peer, hops.as_deref()))?.unwrap_or(peer);
        let said = |hops: &[Hop]| hops.last().and_then(|hop| hop.secure);
        let secure = agreed(proto(fields), hops.as_deref().and_then(said))?.unwrap_or(tls);
        Ok((Client { address, via_trusted_proxy: true }, secure))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    fn by_list(&self, peer: IpAddr, fields: &HeaderMap) -> Option<IpAddr> {
        let entries: Vec<_> = tokens(fields, &X_FORWARDED_FOR).map(address).collect();
        (!entries.is_empty()).then(|| self.farthest(peer, entries.into_iter()))
    }

    fn by_forwarded(&self, peer: IpAddr, hops: Option<&[Hop]>) -> Option<IpAddr> {
        hops.map(|hops| self.farthest(peer, hops.iter().map(|hop| hop.client)))
    }

    /// The last address somebody we trust vouches for.
    fn farthest(&self, peer: IpAddr, entries: impl DoubleEndedIterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut known = peer;
        for entry in entries.rev() {
            match entry {
                Some(address) if self.trusts(known) => known = address,
                _ => break,
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
    tokens(fields, &X_FORWARDED_PROTO).last().and_then(secure)
}

fn secure(scheme: &str) -> Option<bool> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

/// One element of `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    client: Option<IpAddr>,
    secure: Option<bool>,
}

/// The elements of `Forwarded` over all its lines, leftmost first; `None` when it was not sent.
fn forwarded(fields: &HeaderMap) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    for line in fields.get_all(FORWARDED) {
        match line.to_str() {
            Ok(line) => hops.extend(outside_quotes(line, ',').map(hop)),
            // Not text: a hop that says nothing, where the walk from the right ends.
            Err(_) => hops.push(Hop::default()),
        }
    }
    (!hops.is_empty()).then_some(hops)
}

fn hop(element: &str) -> Hop {
    let mut hop = Hop::default();
    for pair in outside_quotes(element, ';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.client = address(value),
            "proto" => hop.secure = secure(value),
            _ => {}
        }
    }
    hop
}

fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

/// An address in any of the forms proxies write: bare, with a port, in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(peer: &str, fields: &[(&str, &str)]) -> Result<(String, bool), Malformed> {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let connection = Connection {
            peer: SocketAddr::new(peer.parse().unwrap(), 4000),
            local: "127.0.0.1:8080".parse().unwrap(),
            tls: None,
        };
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
            (&[("x-forwarded-for", "192.0.2.9")], "192.0.2.9"),
            (&[("x-forwarded-for", "1.1.1.1, 192.0.2.9, 10.0.0.2")], "192.0.2.9"),
            (&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.9")], "192.0.2.9"),
            (&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (&[("x-forwarded-for", "1.1.1.1, garbage, 10.0.0.2")], "10.0.0.2"),
            (&[("x-forwarded-for", "unknown")], "10.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.9:4711")], "192.0.2.9"),
            (&[("x-forwarded-for", "[2001:470::1]:80, 2001:db8::1")], "2001:470::1"),
            (&[("x-forwarded-for", "::ffff:192.0.2.9")], "192.0.2.9"),
            (&[("forwarded", "for=1.1.1.1, for=\"[2001:470::1]:47\";proto=http, for=10.0.0.2")], "2001:470::1"),
            (&[("forwarded", "For=192.0.2.9; By=x")], "192.0.2.9"),
            (&[("forwarded", "for=192.0.2.9"), ("x-forwarded-for", "192.0.2.9")], "192.0.2.9"),
        ];
        for (fields, client) in table {
            assert_eq!(read("10.0.0.1", fields).unwrap().0, *client, "{fields:?}");
        }
        assert_eq!(read("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.9")]).unwrap().0, "192.0.2.9");
    }

    #[test]
    fn the_nearest_proxy_says_whether_it_was_tls() {
        for (fields, secure) in [
            (vec![("x-forwarded-proto", "https")], true),
            (vec![("x-forwarded-proto", "https, http")], false),
            (vec![("forwarded", "proto=http, for=192.0.2.9;proto=https")], true),
            (vec![("x-forwarded-proto", "gopher")], false),
        ] {
            assert_eq!(read("10.0.0.1", &fields).unwrap().1, secure, "{fields:?}");
        }
    }

    #[test]
    fn contradicting_fields_are_refused() {
        assert!(read("10.0.0.1", &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]).is_err());
        assert!(read("10.0.0.1", &[("forwarded", "proto=https"), ("x-forwarded-proto", "http")]).is_err());
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
