//! A body in chunks (RFC 9112 §7.1): what they hold, and the trailers after the last one.
//!
//! Extensions are left out. Lines end in CRLF and nothing else: whoever takes a bare LF for one reads other chunks than we do.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use memchr::{memchr, memmem};

use super::{Unreadable, fields};

/// What comes next.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Chunks(Next);

#[derive(Debug, Default)]
enum Next {
    /// A line with a size.
    #[default]
    Size,
    /// So many bytes, then the end of their line.
    Data(u64),
    /// The end of a chunk's line.
    EndOfLine,
    Trailers,
    End,
}

/// What a body is made of.
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

impl Chunks {
    /// Takes the next piece off the front of `input`; `None`: not all of it is there.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, Unreadable> {
        loop {
            self.0 = match self.0 {
                Next::Size => match size(input)? {
                    Some(0) => Next::Trailers,
                    Some(size) => Next::Data(size),
                    None => return Ok(None),
                },
                Next::Data(_) if input.is_empty() => return Ok(None),
                Next::Data(left) => {
                    let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                    self.0 = match left - take as u64 {
                        0 => Next::EndOfLine,
                        left => Next::Data(left),
                    };
                    return Ok(Some(Piece::Data(input.split_to(take).freeze())));
                }
                Next::EndOfLine => match &**input {
                    [b'\r', b'\n', ..] => {
                        input.advance(2);
                        Next::Size
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err("a chunk is longer than it said".into()),
                },
                Next::Trailers => {
                    let Some(trailers) = trailers(input)? else { return Ok(None) };
                    self.0 = Next::End;
                    return Ok(Some(if trailers.is_empty() { Piece::End } else { Piece::Trailers(trailers) }));
                }
                Next::End => return Ok(Some(Piece::End)),
            };
        }
    }

    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        matches!(self.0, Next::End)
    }
}

/// Of the next chunk, whose line is taken off.
fn size(input: &mut BytesMut) -> Result<Option<u64>, Unreadable> {
    let Some(end) = memchr(b'\n', input) else {
        return if input.len() > LONGEST_LINE { Err("a chunk's size has no end".into()) } else { Ok(None) };
    };
    let line = input.split_to(end + 1);
    let line = line.strip_suffix(b"\r\n").filter(|line| line.len() <= LONGEST_LINE && !line.contains(&b'\r'));
    let line = line.ok_or("the line of a chunk's size is not one")?;
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, extensions) = line.split_at(digits);
    if !matches!(extensions.trim_ascii_start(), [] | [b';', ..]) {
        return Err("a chunk's size is no number".into());
    }
    let digits = std::str::from_utf8(digits)?;
    Ok(Some(u64::from_str_radix(digits, 16)?))
}

fn trailers(input: &mut BytesMut) -> Result<Option<HeaderMap>, Unreadable> {
    if input.starts_with(b"\r\n") {
        input.advance(2);
        return Ok(Some(HeaderMap::new()));
    }
    // Two ends of lines in a row end it; until then nothing has to be read.
    let end = match memmem::find(input, b"\r\n\r\n") {
        Some(end) if end <= LONGEST_TRAILERS => end,
        None if input.len() <= LONGEST_TRAILERS => return Ok(None),
        _ => return Err("its trailers are too long".into()),
    };
    let bytes = input.split_to(end + 4).freeze();
    let mut lines = [httparse::EMPTY_HEADER; TRAILERS];
    match httparse::parse_headers(&bytes, &mut lines)? {
        httparse::Status::Complete((length, lines)) if length == bytes.len() => {
            let mut trailers = HeaderMap::with_capacity(lines.len());
            for line in fields(lines, &bytes) {
                let (name, value) = line?;
                trailers.append(name, value);
            }
            Ok(Some(trailers))
        }
        _ => Err("its trailers cannot be read".into()),
    }
}

/// A size and its extensions.
const LONGEST_LINE: usize = 4096;
const LONGEST_TRAILERS: usize = 16 << 10;
const TRAILERS: usize = 64;
