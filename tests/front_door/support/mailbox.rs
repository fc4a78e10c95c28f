//! A real SMTP server inside the test that keeps what it gets.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{eventually, free_ports};

/// One mail as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Envelope recipients.
    pub to: Vec<String>,
    /// Subject.
    pub subject: String,
    /// `text/plain`
    pub text: String,
    /// `text/html`
    pub html: String,
}

impl Mail {
    /// The first link in the text part.
    pub fn link(&self) -> String {
        let start = self.text.find("http").expect("a link in the mail");
        self.text[start..].split(|c: char| c.is_whitespace() || c == '>').next().unwrap().to_owned()
    }
}

/// The SMTP sink.
pub struct Mailbox {
    /// Its port on 127.0.0.1.
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    stop: tokio_util::sync::CancellationToken,
}

impl Mailbox {
    /// A sink that takes everything.
    pub async fn start() -> Self {
        let [port] = free_ports();
        Self::start_on(port).await
    }

    /// The same on a port that was known before.
    pub async fn start_on(port: u16) -> Self {
        let mut server = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
        let stop = server.token.clone();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = mails.clone();
        tokio::spawn(async move {
            while let Ok(message) = server.rx.recv().await {
                let json = serde_json::to_value(&message).unwrap();
                let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
                let to = json["envelope_recipients"].as_array().into_iter().flatten();
                let to = to.filter_map(|one| one.as_str()).map(str::to_owned).collect();
                kept.lock().await.push(Mail { to, subject: text("subject"), text: text("text"), html: text("html") });
            }
        });
        let mailbox = Self { port, mails, stop };
        eventually("the SMTP sink to listen", Duration::from_secs(20), async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        mailbox
    }

    /// `smtp://127.0.0.1:port`
    pub fn transport(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Everything that came so far.
    pub async fn all(&self) -> Vec<Mail> {
        self.mails.lock().await.clone()
    }

    /// Waits for the newest mail to that address whose subject contains `subject`.
    pub async fn wait_for(&self, to: &str, subject: &str) -> Mail {
        eventually(&format!("a mail to {to} about {subject}"), Duration::from_secs(30), async || {
            let mails = self.mails.lock().await;
            mails
                .iter()
                .rev()
                .find(|mail| {
                    mail.to.iter().any(|one| one.contains(to))
                        && mail.subject.to_lowercase().contains(&subject.to_lowercase())
                })
                .cloned()
        })
        .await
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
