//! A very small HTTP/1.1 client, enough to sign in and to look at an answer. It trusts what it talks to.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A kept connection to this machine.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Client {
    /// `host`: what `Host` says.
    pub(super) fn open(port: u16, host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::new(stream), host: host.into() })
    }

    /// Sends a request without a body.
    pub(super) fn get(&mut self, target: &str, fields: &[String]) -> io::Result<Answer> {
        self.send("GET", target, fields, "")
    }

    /// Sends a form.
    pub(super) fn post(&mut self, target: &str, fields: &[String], form: &str) -> io::Result<Answer> {
        let mut fields = fields.to_vec();
        fields.push("Content-Type: application/x-www-form-urlencoded".into());
        fields.push(format!("Content-Length: {}", form.len()));
        self.send("POST", target, &fields, form)
    }

    fn send(&mut self, method: &str, target: &str, fields: &[String], body: &str) -> io::Result<Answer> {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for field in fields {
            request += &format!("{field}\r\n");
        }
        self.stream.get_mut().write_all(format!("{request}\r\n{body}").as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head()?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let mut answer = Answer { status, head, body: String::new() };
        let body = if answer.field("transfer-encoding").next().is_some() {
            self.chunks()?
        } else {
            let length = answer.field("content-length").next().and_then(|length| length.parse().ok());
            self.exactly(length.unwrap_or(0))?
        };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }

    fn head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim_end(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
            body.extend(self.exactly(size)?);
            self.exactly(2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Answer {
    /// The values of a field; `name` in lower case.
    pub(super) fn field(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// A `Cookie` line with every cookie this answer sets (and does not remove).
    pub(super) fn cookie_line(&self) -> String {
        let set = self.field("set-cookie").filter_map(|cookie| cookie.split(';').next());
        let kept: Vec<_> = set.filter(|pair| !pair.ends_with('=')).collect();
        format!("Cookie: {}", kept.join("; "))
    }

    /// The value of a form's hidden control.
    pub(super) fn hidden(&self, name: &str) -> Option<&str> {
        let tag = self.body.split("<input").find(|tag| tag.contains(&format!("name=\"{name}\"")))?;
        tag.split_once("value=\"")?.1.split('"').next()
    }
}
