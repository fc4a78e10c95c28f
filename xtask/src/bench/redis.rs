//! A Redis of our own, and just enough of its protocol (inline commands) to count what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
};

use super::{
    Bench,
    stage::{Core, Process},
};
use crate::{Failure, services::free_port};

/// Beside load and upstream, as a service on another machine would be. Keeps nothing on disk.
pub(super) struct Redis {
    pub(super) port: u16,
    _process: Process,
}

impl Redis {
    pub(super) fn start(bench: &Bench) -> Result<Self, Failure> {
        let port = free_port()?;
        let number = port.to_string();
        let words = ["--bind", "127.0.0.1", "--port", &number, "--save", "", "--enable-debug-command", "local"];
        let mut process = bench.stage.spawn("redis", Core::Load, Path::new("redis-server"), words)?;
        process.listens_on(port)?;
        Ok(Self { port, _process: process })
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection of our own.
    pub(super) fn talk(&self) -> Result<Talk, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|error| format!("Redis: {error}"))?;
        stream.set_nodelay(true).map_err(|error| format!("Redis: {error}"))?;
        Ok(Talk(BufReader::new(stream)))
    }
}

/// One connection to Redis.
pub(super) struct Talk(BufReader<TcpStream>);

impl Talk {
    /// Asks in one line; gives the text of a simple or bulk answer.
    pub(super) fn ask(&mut self, line: &str) -> Result<String, Failure> {
        self.exchange(line).map_err(|error| format!("Redis, asked `{line}`: {error}"))
    }

    fn exchange(&mut self, line: &str) -> std::io::Result<String> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        let mut head = String::new();
        self.0.read_line(&mut head)?;
        let Some(length) = head.strip_prefix('$') else { return Ok(head.trim_end().into()) };
        // -1: there is nothing.
        let Ok(length) = length.trim_end().parse::<usize>() else { return Ok(String::new()) };
        let mut body = vec![0; length + 2];
        self.0.read_exact(&mut body)?;
        Ok(String::from_utf8_lossy(&body).trim_end().into())
    }

    /// How often sessions were asked for since the start: calls of `GET` and `MGET`. Pings, scripts that write down activity,
    /// and our own questions do not count.
    pub(super) fn lookups(&mut self) -> Result<u64, Failure> {
        let answer = self.ask("INFO commandstats")?;
        let calls = |command: &str| -> u64 {
            let line = answer.lines().find_map(|line| line.strip_prefix(command));
            let calls = line.and_then(|line| line.strip_prefix("calls=")).and_then(|line| line.split(',').next());
            calls.and_then(|calls| calls.parse().ok()).unwrap_or(0)
        };
        Ok(calls("cmdstat_get:") + calls("cmdstat_mget:"))
    }
}
