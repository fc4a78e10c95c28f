//! What the requests of one connection have in common: nearly all name the same host, in the same spelling.
//!
//! So its canonical form, and what upstreams are told of it, are made for the first and kept for the next. Behind a trusted
//! proxy, whose requests come from many clients, the client is part of what has to be the same.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderValue, header::HOST, request::Parts};

use super::{Authority, Client, Forwarded, Malformed, authority};

/// Belongs to a connection; its lock is never held across an await.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<Named>>);

#[derive(Clone, Debug)]
struct Named {
    spelt: Spelling,
    client: IpAddr,
    secure: bool,
    authority: Authority,
    forwarded: Arc<Forwarded>,
}

impl Clone for Known {
    /// A copy begins with nothing.
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The one place in which a request names its host. A copy: what a request brought lies in the buffer that it was read
/// into, eight kibibytes that would stay as long as the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spelling {
    Field(Box<[u8]>),
    Target(Box<str>),
}

/// The same, where it stands.
#[derive(Clone, Copy)]
enum Spelt<'p> {
    Field(&'p HeaderValue),
    Target(&'p http::uri::Authority),
}

impl Spelling {
    fn is(&self, spelt: Spelt<'_>) -> bool {
        match (self, spelt) {
            (Self::Field(known), Spelt::Field(field)) => **known == *field.as_bytes(),
            (Self::Target(known), Spelt::Target(target)) => **known == *target.as_str(),
            (Self::Field(_), Spelt::Target(_)) | (Self::Target(_), Spelt::Field(_)) => false,
        }
    }

    fn of(spelt: Spelt<'_>) -> Self {
        match spelt {
            Spelt::Field(field) => Self::Field(field.as_bytes().into()),
            Spelt::Target(target) => Self::Target(target.as_str().into()),
        }
    }
}

impl Known {
    /// The authority asked for, and what upstreams are told. `peer`: always the connection's.
    pub fn of(
        &self,
        parts: &Parts,
        client: &Client,
        peer: IpAddr,
        secure: bool,
    ) -> Result<(Authority, Arc<Forwarded>), Malformed> {
        let spelt = spelling(parts);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(named), Some(spelt)) = (&*known, spelt)
            && named.spelt.is(spelt)
            && named.client == client.address
            && named.secure == secure
        {
            return Ok((named.authority.clone(), Arc::clone(&named.forwarded)));
        }
        let authority = authority::of(parts, secure)?;
        let forwarded = Arc::new(Forwarded::of(&authority, client, peer, secure));
        if let Some(spelt) = spelt {
            let (authority, forwarded) = (authority.clone(), Arc::clone(&forwarded));
            let spelt = Spelling::of(spelt);
            *known = Some(Named { spelt, client: client.address, secure, authority, forwarded });
        }
        Ok((authority, forwarded))
    }
}

/// `None` when there are two places, or none, or a scheme that has to be looked at: [`authority::of`] judges those.
fn spelling(parts: &Parts) -> Option<Spelt<'_>> {
    let mut fields = parts.headers.get_all(HOST).iter();
    match (parts.uri.authority(), fields.next(), fields.next()) {
        (None, Some(field), None) => Some(Spelt::Field(field)),
        (Some(authority), None, None)
            if parts.version >= http::Version::HTTP_2 && matches!(parts.uri.scheme_str(), Some("http" | "https")) =>
        {
            Some(Spelt::Target(authority))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use super::*;

    fn parts(host: &str) -> Parts {
        Request::builder().uri("/").header(HOST, host).body(()).unwrap().into_parts().0
    }

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    fn client(address: &str, via_trusted_proxy: bool) -> Client {
        Client { address: address.parse().unwrap(), via_trusted_proxy }
    }

    #[test]
    fn another_host_or_scheme_on_the_same_connection_is_read_anew() {
        let (known, ada) = (Known::default(), client("192.0.2.1", false));
        let ask = |host: &str, secure| known.of(&parts(host), &ada, PEER, secure).unwrap();
        let (first, told) = ask("A.example:80", false);
        assert_eq!(first.to_string(), "a.example");
        assert!(Arc::ptr_eq(&told, &ask("A.example:80", false).1), "kept");
        assert_eq!(ask("A.example:80", true).0.to_string(), "a.example:80");
        assert_eq!(ask("b.example", false).1.host, "b.example");
        assert_eq!(ask("A.example:80", false).1.host, "a.example");
    }

    #[test]
    fn a_broken_request_is_refused_after_a_good_one() {
        let (known, ada) = (Known::default(), client("192.0.2.1", false));
        known.of(&parts("a.example"), &ada, PEER, false).unwrap();
        let mut doubled = parts("a.example");
        doubled.headers.append(HOST, HeaderValue::from_static("a.example"));
        assert!(known.of(&doubled, &ada, PEER, false).is_err());
        let mut contradicting = parts("a.example");
        contradicting.uri = "http://b.example/".parse().unwrap();
        assert!(known.of(&contradicting, &ada, PEER, false).is_err());
        let mut foreign =
            Request::builder().uri("ftp://a.example/").version(Version::HTTP_2).body(()).unwrap().into_parts().0;
        assert!(known.of(&foreign, &ada, PEER, false).is_err());
        foreign.uri = "http://a.example/".parse().unwrap();
        assert!(known.of(&foreign, &ada, PEER, false).is_ok());
    }

    #[test]
    fn what_is_remembered_does_not_keep_the_buffer_it_came_in() {
        let buffer = bytes::Bytes::from(b"a.example, and eight kibibytes more".to_vec());
        let known = Known::default();
        let mut parts = parts("x");
        parts.headers.insert(HOST, HeaderValue::from_maybe_shared(buffer.slice(..9)).unwrap());
        known.of(&parts, &client("192.0.2.1", false), PEER, false).unwrap();
        assert!(!buffer.is_unique());
        drop(parts);
        assert!(buffer.is_unique());
    }

    #[test]
    fn clients_of_a_trusted_proxy_are_never_taken_for_each_other() {
        let known = Known::default();
        for address in ["192.0.2.1", "192.0.2.2"] {
            let (_, told) = known.of(&parts("a.example"), &client(address, true), PEER, true).unwrap();
            assert!(told.written.fields().iter().any(|(name, value)| name == "x-real-ip" && *value == address));
        }
    }
}
