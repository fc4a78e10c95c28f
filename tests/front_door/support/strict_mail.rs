//! A mail server that takes mail only under TLS and only with a password, and remembers what it was told.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::services::tls_acceptor;

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// With TLS.
    Implicit,
    /// In the open; STARTTLS is offered.
    StartTls,
    /// In the open, and stays there: nothing is taken.
    None,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What `AUTH PLAIN` held: NUL, user, NUL, password.
    pub credentials: String,
    /// Head and body as sent.
    pub text: String,
}

#[derive(Default)]
struct Memory {
    taken: Vec<Taken>,
    open: Vec<String>,
}

/// The server. It ends when dropped.
pub struct StrictMail {
    /// On 127.0.0.1.
    pub port: u16,
    memory: Arc<Mutex<Memory>>,
    task: JoinHandle<()>,
}

impl StrictMail {
    /// Listens on a free port.
    pub async fn start(protection: Protection, cert: &Path, key: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tls_acceptor(cert, key);
        let memory = Arc::<Mutex<Memory>>::default();
        let kept = memory.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, protection, acceptor.clone(), kept.clone()));
            }
        });
        Self { port, memory, task }
    }

    /// Mails so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.memory.lock().unwrap().taken.clone()
    }

    /// Every command that came without TLS, but STARTTLS and greetings where it is offered.
    pub fn told_in_the_open(&self) -> Vec<String> {
        self.memory.lock().unwrap().open.clone()
    }
}

impl Drop for StrictMail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    socket: TcpStream,
    protection: Protection,
    acceptor: tokio_rustls::TlsAcceptor,
    memory: Arc<Mutex<Memory>>,
) -> Option<()> {
    let socket = match protection {
        Protection::Implicit => socket,
        Protection::StartTls | Protection::None => in_the_open(socket, protection, &memory).await?,
    };
    let secure = acceptor.accept(socket).await.ok()?;
    under_tls(secure, protection == Protection::Implicit, &memory).await
}

/// Until STARTTLS.
async fn in_the_open(socket: TcpStream, protection: Protection, memory: &Mutex<Memory>) -> Option<TcpStream> {
    let mut socket = BufReader::new(socket);
    say(&mut socket, "220 localhost").await?;
    loop {
        let line = line(&mut socket).await?;
        let answer = match (line.split(' ').next()?, protection) {
            ("EHLO", Protection::StartTls) => "250-localhost\r\n250 STARTTLS",
            ("STARTTLS", Protection::StartTls) => {
                say(&mut socket, "220 go ahead").await?;
                return Some(socket.into_inner());
            }
            _ => {
                memory.lock().unwrap().open.push(line.clone());
                if line.starts_with("EHLO") { "250-localhost\r\n250 AUTH PLAIN" } else { "530 not in the open" }
            }
        };
        say(&mut socket, answer).await?;
    }
}

async fn under_tls(stream: impl AsyncRead + AsyncWrite + Unpin, greets: bool, memory: &Mutex<Memory>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut credentials = None;
    if greets {
        say(&mut stream, "220 localhost").await?;
    }
    loop {
        let line = line(&mut stream).await?;
        let answer = match line.split(' ').next()? {
            "EHLO" => "250-localhost\r\n250 AUTH PLAIN",
            "AUTH" => {
                let told = STANDARD.decode(line.strip_prefix("AUTH PLAIN ")?).ok()?;
                credentials = String::from_utf8(told).ok();
                "235 welcome"
            }
            "MAIL" | "RCPT" if credentials.is_none() => "530 who are you?",
            "DATA" => {
                say(&mut stream, "354 go ahead").await?;
                let text = text(&mut stream).await?;
                memory.lock().unwrap().taken.push(Taken { credentials: credentials.clone()?, text });
                "250 taken"
            }
            _ => "250 fine",
        };
        say(&mut stream, answer).await?;
    }
}

async fn text(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut text = String::new();
    loop {
        match line(stream).await?.as_str() {
            "." => return Some(text),
            line => text = text + line + "\n",
        }
    }
}

async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
    Some(line.trim_end().to_owned())
}

async fn say(stream: &mut (impl AsyncWriteExt + Unpin), words: &str) -> Option<()> {
    stream.write_all(format!("{words}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}
