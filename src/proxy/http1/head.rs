//! The head of an answer, and what it says of the body that follows (RFC 9112 §6.3).

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, StatusCode, Version, header, response::Parts};
use memchr::memchr_iter;

use super::{Asked, Chunks, Framing, Unreadable, fields};

/// See the head of this file.
pub(super) struct Head {
    pub parts: Parts,
    pub framing: Framing,
    /// Whether the connection may serve another request.
    pub persists: bool,
}

/// Takes a head off the front of `input`; `None`: not all of it is there.
pub(super) fn take(input: &mut BytesMut, asked: Asked) -> Result<Option<Head>, Unreadable> {
    let common = input.len().min(BEGINNING.len());
    if input.get(..common) != BEGINNING.get(..common) {
        return Err("it does not speak HTTP/1".into());
    }
    let length = match end(input) {
        Some(length) if length <= LONGEST => length,
        None if input.len() <= LONGEST => return Ok(None),
        _ => return Err("its head is too long".into()),
    };
    let bytes = input.split_to(length).freeze();
    let mut lines = [MaybeUninit::uninit(); LINES];
    let mut answer = httparse::Response::new(&mut []);
    let strict = httparse::ParserConfig::default();
    if strict.parse_response_with_uninit_headers(&mut answer, &bytes, &mut lines)? != httparse::Status::Complete(length)
    {
        return Err("its head is not one".into());
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(answer.code.unwrap_or_default())?;
    parts.version = if answer.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut said = Said::default();
    parts.headers.reserve(answer.headers.len());
    for line in fields(answer.headers, &bytes) {
        let (name, value) = line?;
        if said.passes(&name, &value, parts.status)? {
            parts.headers.append(name, value);
        }
    }
    for name in &said.named {
        parts.headers.remove(name);
    }
    let framing = said.framing(&mut parts, asked)?;
    let persists = said.persists && parts.version == Version::HTTP_11;
    Ok(Some(Head { parts, framing, persists }))
}

/// The length of the head, its empty line included.
fn end(input: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', input).map(|at| at + 1).find_map(|next| match input.get(next..)? {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

/// What the lines say of the message and of its connection; read in passing.
struct Said {
    length: Option<u64>,
    chunked: bool,
    /// Nothing speaks against another request on the connection.
    persists: bool,
    /// What `Connection` names: no field of these names leaves the connection (RFC 9110 §7.6.1).
    named: Vec<HeaderName>,
}

impl Default for Said {
    fn default() -> Self {
        Self { length: None, chunked: false, persists: true, named: Vec::new() }
    }
}

impl Said {
    /// Whether the line belongs to the message rather than to the connection.
    fn passes(&mut self, name: &HeaderName, value: &HeaderValue, status: StatusCode) -> Result<bool, Unreadable> {
        Ok(match name.as_str() {
            "content-length" => {
                let length = number(value.as_bytes()).ok_or("its Content-Length is no number")?;
                match self.length.replace(length) {
                    None => true,
                    // Said once is enough (RFC 9110 §8.6).
                    Some(before) if before == length => false,
                    Some(_) => return Err("it says two lengths".into()),
                }
            }
            "transfer-encoding" => {
                // Another coding would stay in the body, and nobody would be told.
                if self.chunked || !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err("the answer's Transfer-Encoding is not `chunked`".into());
                }
                self.chunked = true;
                false
            }
            "connection" => {
                self.options(value);
                false
            }
            "upgrade" => status == StatusCode::SWITCHING_PROTOCOLS,
            "te" | "keep-alive" | "proxy-connection" => false,
            _ => true,
        })
    }

    fn options(&mut self, value: &HeaderValue) {
        for option in value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.persists = false;
            } else if !USUAL.iter().any(|usual| option.eq_ignore_ascii_case(usual))
                && let Ok(name) = HeaderName::from_bytes(option)
                // What frames the message or guards the client is not the upstream's to take away.
                && !KEPT.contains(&name)
            {
                self.named.push(name);
            }
        }
    }

    fn framing(&mut self, parts: &mut Parts, asked: Asked) -> Result<Framing, Unreadable> {
        let empty = asked.head
            || parts.status.is_informational()
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if self.chunked {
            if parts.version == Version::HTTP_10 {
                return Err("a chunked answer of HTTP/1.0".into());
            }
            // Two things were said of the length: whoever disagrees with us about it must not get another request.
            self.persists &= self.length.is_none();
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        Ok(match (self.chunked, self.length) {
            _ if empty => Framing::Length(0),
            (true, _) => Framing::Chunked(Chunks::default()),
            (false, Some(length)) => Framing::Length(length),
            (false, None) => {
                self.persists = false;
                Framing::Close
            }
        })
    }
}

/// Digits only: Rust would take a sign as well.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

/// Their fields have rules of their own.
const USUAL: [&[u8]; 2] = [b"keep-alive", b"upgrade"];
const KEPT: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::SET_COOKIE, header::CACHE_CONTROL, header::CONTENT_SECURITY_POLICY];
const BEGINNING: &[u8] = b"HTTP/1.";
/// Bytes.
const LONGEST: usize = 64 << 10;
const LINES: usize = 128;
