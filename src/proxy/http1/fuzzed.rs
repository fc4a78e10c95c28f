//! For `fuzz/targets/answer.rs`: however an upstream's bytes are cut, they are read alike, and nothing of the connection's own
//! gets through.

use bytes::BytesMut;
use http::HeaderMap;

use super::{
    Asked, Framing,
    chunks::Piece,
    head::{self, Head},
};

/// The first byte says where the rest is cut in two.
pub fn answer(bytes: &[u8]) {
    let Some((&at, bytes)) = bytes.split_first() else { return };
    let cut = usize::from(at) * bytes.len() / 256;
    let (front, back) = bytes.split_at(cut);
    for head in [false, true] {
        let asked = Asked { head, upgrade: false };
        let (whole, halves) = (read(&[bytes], asked), read(&[front, back], asked));
        assert_eq!(whole, halves);
        if let Some(Said { fields, body, .. }) = whole {
            assert!(body.len() <= bytes.len() && (body.is_empty() || !head));
            for name in ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding"] {
                assert!(!fields.contains_key(name), "{name}");
            }
            assert!(fields.get_all("content-length").iter().count() < 2);
        }
    }
}

/// What was understood by the end, whether or not more was to come.
#[derive(Debug, Default, PartialEq)]
struct Said {
    status: u16,
    fields: HeaderMap,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    over: bool,
    persists: bool,
}

/// `None`: it is no answer.
fn read(pieces: &[&[u8]], asked: Asked) -> Option<Said> {
    let (mut input, mut said, mut framing) = (BytesMut::new(), Said::default(), None);
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let Some(framing) = &mut framing else {
                let Some(Head { parts, framing: ahead, persists }) = head::take(&mut input, asked).ok()? else { break };
                if !parts.status.is_informational() {
                    said = Said { status: parts.status.as_u16(), fields: parts.headers, persists, ..Said::default() };
                    framing = Some(ahead);
                }
                continue;
            };
            match framing {
                Framing::Length(left) => {
                    let take = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    *left -= take as u64;
                    said.body.extend_from_slice(&input.split_to(take));
                }
                Framing::Close => said.body.extend_from_slice(&input.split()),
                Framing::Chunked(chunks) => match chunks.take(&mut input).ok()? {
                    Some(Piece::Data(data)) => {
                        said.body.extend_from_slice(&data);
                        continue;
                    }
                    Some(Piece::Trailers(trailers)) => said.trailers = Some(trailers),
                    Some(Piece::End) | None => {}
                },
            }
            said.over = framing.is_over();
            break;
        }
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_stays_fixed() {
        crate::world::replay("answer", super::answer);
    }
}
