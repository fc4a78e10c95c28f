//! One large body: down from a file, or up into a server of our own that reads it to its end before it answers.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::Failure;

/// Figures: bytes of the body, seconds.
pub(super) fn download(port: u16, target: &str, fields: &[&str]) -> Result<Vec<f64>, Failure> {
    let start = Instant::now();
    let bytes = fetch(port, target, fields).map_err(|error| format!("download: {error}"))?;
    Ok(vec![bytes as f64, start.elapsed().as_secs_f64()])
}

fn fetch(port: u16, target: &str, fields: &[&str]) -> io::Result<u64> {
    let mut stream = send_head(port, &format!("GET {target}"), fields, "")?;
    let length = head_length(&mut stream)?;
    drain(&mut stream, length)?;
    Ok(length)
}

/// Figures: bytes of the body, seconds.
pub(super) fn upload(port: u16, bytes: u64, fields: &[&str]) -> Result<Vec<f64>, Failure> {
    let start = Instant::now();
    send(port, bytes, fields).map_err(|error| format!("upload: {error}"))?;
    Ok(vec![bytes as f64, start.elapsed().as_secs_f64()])
}

fn send(port: u16, bytes: u64, fields: &[&str]) -> io::Result<()> {
    let length = format!("Content-Length: {bytes}\r\nContent-Type: application/octet-stream\r\n");
    let mut stream = send_head(port, "POST /upload", fields, &length)?;
    let piece = vec![b'x'; PIECE];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        stream.get_mut().write_all(piece.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    let length = head_length(&mut stream)?;
    drain(&mut stream, length)
}

/// Reads every request's body to its end, then answers 200; one connection at a time per thread, until it is ended.
pub(super) fn sink(port: u16) -> Result<Vec<f64>, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|error| format!("sink: {error}"))?;
    for stream in listener.incoming().filter_map(Result::ok) {
        std::thread::spawn(move || {
            let mut stream = BufReader::with_capacity(PIECE, stream);
            while swallow(&mut stream).is_ok() {}
        });
    }
    Ok(Vec::new())
}

fn swallow(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let length = head_length(stream)?;
    drain(stream, length)?;
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

fn send_head(port: u16, line: &str, fields: &[&str], more: &str) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let own: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    stream.write_all(format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{own}{more}\r\n").as_bytes())?;
    Ok(BufReader::with_capacity(PIECE, stream))
}

/// Reads a head; gives its `Content-Length`. An answer other than 200 is an error.
fn head_length(stream: &mut BufReader<TcpStream>) -> io::Result<u64> {
    let mut length = 0;
    for number in 0.. {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if number == 0 && line.starts_with("http/") && !line.contains(" 200") {
            return Err(io::Error::other(line));
        }
        if line.is_empty() {
            break;
        }
        length = line.strip_prefix("content-length:").and_then(|text| text.trim().parse().ok()).unwrap_or(length);
    }
    Ok(length)
}

fn drain(stream: &mut BufReader<TcpStream>, length: u64) -> io::Result<()> {
    let drained = io::copy(&mut stream.take(length), &mut io::sink())?;
    if drained == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

const PIECE: usize = 256 * 1024;
