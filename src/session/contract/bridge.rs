//! A way to Redis that tests can break: refuse, swallow everything, swallow only what Redis tells of changes, or lead to another
//! server from now on.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use super::redis_url;

pub(in crate::session) struct Bridge {
    address: SocketAddr,
    /// Nothing more arrives anywhere, and nothing closes.
    pub silent: Arc<AtomicBool>,
    /// The same for connections that asked to be told of changes.
    pub deaf: Arc<AtomicBool>,
    /// Where new connections lead.
    target: watch::Sender<String>,
    task: tokio::task::JoinHandle<()>,
}

/// What one connection looks at.
#[derive(Clone)]
struct Switches {
    silent: Arc<AtomicBool>,
    deaf: Arc<AtomicBool>,
    listens: Arc<AtomicBool>,
}

impl Bridge {
    pub async fn at(address: SocketAddr) -> Self {
        Self::between(address, redis_url().trim_start_matches("redis://").trim_end_matches('/')).await
    }

    /// To a server of the test's own.
    pub async fn to(port: u16) -> Self {
        Self::between("127.0.0.1:0".parse().unwrap(), &format!("127.0.0.1:{port}")).await
    }

    async fn between(address: SocketAddr, target: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (silent, deaf) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (target, leads) = watch::channel(target.to_owned());
        let switches = (Arc::clone(&silent), Arc::clone(&deaf));
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (silent, deaf) = switches.clone();
                let (switches, leads) = (Switches { silent, deaf, listens: Arc::default() }, leads.clone());
                open.spawn(carry(client, leads, switches));
            }
        });
        Self { address, silent, deaf, target, task }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// New connections lead to another server, and all but those that asked to be told of changes have to be made anew.
    pub fn lead_to(&self, port: u16) {
        self.target.send(format!("127.0.0.1:{port}")).unwrap();
    }

    /// Every connection breaks, new ones are refused.
    pub async fn down(self) -> SocketAddr {
        self.task.abort();
        let _ = self.task.await;
        self.address
    }
}

impl Switches {
    fn swallow(&self, bytes: &[u8]) -> bool {
        if bytes.windows(8).any(|word| word == b"TRACKING") {
            self.listens.store(true, Ordering::SeqCst);
        }
        let deaf = self.deaf.load(Ordering::SeqCst) && self.listens.load(Ordering::SeqCst);
        deaf || self.silent.load(Ordering::SeqCst)
    }
}

async fn carry(client: TcpStream, mut leads: watch::Receiver<String>, switches: Switches) {
    let target = leads.borrow_and_update().clone();
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut client_in, mut client_out) = client.into_split();
    let (mut server_in, mut server_out) = server.into_split();
    let up = pump(&mut client_in, &mut server_out, &switches);
    let down = pump(&mut server_in, &mut client_out, &switches);
    let elsewhere = async {
        let led = leads.changed().await;
        if led.is_err() || switches.listens.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! { () = up => {}, () = down => {}, () = elsewhere => {} }
}

async fn pump(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, switches: &Switches) {
    let mut bytes = [0; 4096];
    loop {
        let read = match from.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        if switches.swallow(&bytes[..read]) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
