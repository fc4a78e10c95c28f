//! WebSocket handshakes, and other upgrades: asked for and answered in one form on one side, in another on the other.
//!
//! HTTP/1.1 has `Upgrade`, a key and its digest (RFC 6455 §4); HTTP/2 has extended CONNECT and neither (RFC 8441). What
//! follows the handshake is the same bytes ([`super::tunnel`]).

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, StatusCode, header, request::Parts, response};
use hyper::upgrade::OnUpgrade;

use super::{ProxyError, fields::Sink};
use crate::world::Entropy;

/// A wish to speak something else afterwards.
pub(super) struct Upgrade {
    /// As it may be offered: `websocket`.
    pub offer: HeaderValue,
    /// The client's side.
    pub client: OnUpgrade,
    pub asked: Asked,
    /// The client's, or ours where it has none.
    key: Option<HeaderValue>,
}

/// How the client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// HTTP/1.1
    Upgrade,
    /// HTTP/2
    Connect,
}

impl Upgrade {
    pub fn new(offer: &Arc<str>, client: OnUpgrade, parts: &Parts) -> Option<Self> {
        let asked = if parts.method == Method::CONNECT { Asked::Connect } else { Asked::Upgrade };
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked == Asked::Upgrade).cloned();
        Some(Self { offer: HeaderValue::from_str(offer).ok()?, client, asked, key })
    }

    /// Whether HTTP/2 has a form for it. A client without a key would get no answer it could check.
    pub fn is_web_socket(&self) -> bool {
        let named = self.offer.as_bytes().eq_ignore_ascii_case(PROTOCOL.as_bytes());
        named && (self.key.is_some() || self.asked == Asked::Connect)
    }

    /// HTTP/1.1 upstreams want a key; a client of HTTP/2 has none.
    pub fn make_key(&mut self, entropy: &Entropy) -> Result<(), ProxyError> {
        if self.asked == Asked::Connect {
            let random: [u8; 16] = entropy.bytes().map_err(ProxyError::broken)?;
            self.key = Some(HeaderValue::try_from(STANDARD.encode(random)).map_err(ProxyError::broken)?);
        }
        Ok(())
    }

    /// What the upstream consents to. `http2`: how it was asked.
    ///
    /// # Errors
    /// Something else than was asked for.
    pub fn agreed(&self, parts: &response::Parts, http2: bool) -> Result<HeaderValue, ProxyError> {
        if http2 { Ok(HeaderValue::from_static(PROTOCOL)) } else { self.chosen(parts) }
    }

    /// Turns the cleaned head of the upstream's consent into what the client waits for.
    ///
    /// # Errors
    /// The upstream does not speak WebSocket after all.
    pub fn consent(&self, parts: &mut response::Parts, agreed: HeaderValue, http2: bool) -> Result<(), ProxyError> {
        let accept = self.key.as_ref().map(accept).transpose()?;
        let fields = &mut parts.headers;
        if self.asked == Asked::Connect {
            // The client cannot check a digest of our key: we do.
            if !http2 && fields.remove(header::SEC_WEBSOCKET_ACCEPT) != accept {
                return Err(ProxyError::Broken("a 101 whose Sec-WebSocket-Accept is not of our key".into()));
            }
            fields.remove(header::CONTENT_LENGTH);
            parts.status = StatusCode::OK;
            return Ok(());
        }
        if let Some(accept) = accept.filter(|_| http2) {
            fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        parts.status = StatusCode::SWITCHING_PROTOCOLS;
        fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        fields.insert(header::UPGRADE, agreed);
        Ok(())
    }

    /// The protocol of the 101, when it is one of those offered.
    fn chosen(&self, parts: &response::Parts) -> Result<HeaderValue, ProxyError> {
        let mut said = parts.headers.get_all(header::UPGRADE).iter();
        let one = said.next().filter(|_| said.next().is_none());
        let offered = one.filter(|one| {
            let name = one.as_bytes().trim_ascii();
            let mut offers = self.offer.as_bytes().split(|&byte| byte == b',');
            offers.any(|token| token.trim_ascii().eq_ignore_ascii_case(name))
        });
        offered.cloned().ok_or_else(|| ProxyError::Broken("a 101 to a protocol that was not offered".into()))
    }
}

/// Puts what an HTTP/1.1 upstream has to be told. [`Names::put_end_to_end`](super::fields::Names::put_end_to_end) passed on
/// the client's key, if it has one.
pub(super) fn put_question(upgrade: &Upgrade, sink: &mut impl Sink) {
    sink.put_text(&header::CONNECTION, "upgrade");
    sink.put(&header::UPGRADE, &upgrade.offer);
    if let Some(key) = upgrade.key.as_ref().filter(|_| upgrade.asked == Asked::Connect) {
        sink.put(&header::SEC_WEBSOCKET_KEY, key);
    }
}

/// RFC 6455 §4.2.2: the digest is no secret and no signature.
fn accept(key: &HeaderValue) -> Result<HeaderValue, ProxyError> {
    let mut digest = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key.as_bytes());
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    HeaderValue::try_from(STANDARD.encode(digest.finish())).map_err(ProxyError::broken)
}

/// The only protocol extended CONNECT is served for.
pub(super) const PROTOCOL: &str = "websocket";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_key_is_the_rfcs() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
