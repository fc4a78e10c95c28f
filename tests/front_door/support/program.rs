//! The program under test: started with a configuration of its own, in a folder of its own, on free ports.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    clock::MovedClock,
    eventually, free_ports, loopback,
    services::{Guarded, tied},
};

/// What a test wants of the configuration; each field is the text of a TOML section without its header.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `portal.url`; `{port}` stands for the plain listener's port, `{tls}` for the TLS one's.
    pub url: String,
    /// More of `[listen]`.
    pub listen: String,
    /// `[[site]]` tables, whole.
    pub sites: String,
    /// `[session]`
    pub session: String,
    /// `[accounts]`
    pub accounts: String,
    /// `[password]`
    pub password: String,
    /// `[verify]`
    pub verify: String,
    /// `[mail]`
    pub mail: String,
    /// `[limits]`
    pub limits: String,
    /// Whole further sections.
    pub extra: String,
    /// More environment.
    pub environment: Vec<(String, String)>,
    /// Whether the test moves the program's clock.
    pub moved_clock: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            url: "http://localhost:{port}".into(),
            listen: String::new(),
            sites: "[[site]]\nhost = \"*\"\nupstream = \"demo\"\n".into(),
            session: String::new(),
            accounts: String::new(),
            password: String::new(),
            verify: String::new(),
            mail: String::new(),
            limits: String::new(),
            extra: String::new(),
            environment: Vec::new(),
            moved_clock: false,
        }
    }
}

impl Setup {
    /// The demo site, everything else by default.
    pub fn demo() -> Self {
        Self::default()
    }

    /// One site in front of `upstream` (`http://…`), registration open.
    pub fn before(upstream: &str) -> Self {
        Self {
            sites: format!("[[site]]\nhost = \"*\"\nupstream = \"{upstream}\"\n"),
            accounts: "registration = \"open\"\n".into(),
            ..Self::default()
        }
    }

    /// The whole `config.toml`.
    pub fn toml(&self, http: u16, tls: u16, operations: u16, data: &std::path::Path) -> String {
        let fill = |text: &str| text.replace("{port}", &http.to_string()).replace("{tls}", &tls.to_string());
        let mut toml = format!("data_dir = {:?}\n", data.display().to_string());
        toml += &format!("[listen]\nhttp = \"127.0.0.1:{http}\"\n{}\n", fill(&self.listen));
        toml += &format!("[operations]\nlisten = \"127.0.0.1:{operations}\"\n");
        toml += &format!("[portal]\nurl = \"{}\"\n", fill(&self.url));
        toml += &fill(&self.sites);
        for (name, text) in [
            ("session", &self.session),
            ("accounts", &self.accounts),
            ("password", &self.password),
            ("verify", &self.verify),
            ("mail", &self.mail),
            ("limits", &self.limits),
        ] {
            if !text.is_empty() {
                toml += &format!("[{name}]\n{}\n", fill(text));
            }
        }
        toml += &fill(&self.extra);
        toml
    }

    /// Starts the program and waits until its listener answers.
    pub async fn start(self) -> Program {
        let [http, tls, operations] = free_ports();
        let folder = tempfile::tempdir().unwrap();
        let clock = self.moved_clock.then(|| MovedClock::new(folder.path()));
        let data = folder.path().join("data");
        let config = folder.path().join("config.toml");
        std::fs::write(&config, self.toml(http, tls, operations, &data)).unwrap();
        let mut program = Program {
            http: loopback(http),
            tls: loopback(tls),
            operations: loopback(operations),
            data,
            config,
            clock,
            environment: self.environment,
            output: Arc::default(),
            unread: Arc::default(),
            child: None,
            folder,
        };
        program.resume().await;
        program
    }
}

/// The running program. Killed when dropped.
#[derive(Debug)]
pub struct Program {
    /// The plain listener.
    pub http: SocketAddr,
    /// The TLS listener, where the set-up has one.
    pub tls: SocketAddr,
    /// `/healthz`, `/readyz`
    pub operations: SocketAddr,
    /// `data_dir`
    pub data: PathBuf,
    /// `config.toml`
    pub config: PathBuf,
    /// The moved clock, where the set-up asked for one.
    pub clock: Option<MovedClock>,
    environment: Vec<(String, String)>,
    output: Arc<Mutex<String>>,
    unread: Arc<AtomicBool>,
    child: Option<Guarded>,
    folder: tempfile::TempDir,
}

/// Variables a developer may have set must not reach the program under test.
fn clean(command: &mut std::process::Command) {
    for (name, _) in std::env::vars() {
        if name.starts_with("VESTIBULE_") || name.starts_with("TWILIO_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
}

impl Program {
    /// Starts (again) and waits until the listener answers.
    pub async fn resume(&mut self) {
        let mut command = tied(env!("CARGO_BIN_EXE_vestibule"));
        clean(&mut command);
        command.arg("--config").arg(&self.config).current_dir(self.folder.path());
        command.envs(self.environment.iter().cloned());
        command.envs(self.clock.iter().flat_map(MovedClock::environment));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.keep(child.stdout.take().unwrap());
        self.keep(child.stderr.take().unwrap());
        self.child = Some(Guarded(child));
        let start = std::time::Instant::now();
        while tokio::net::TcpStream::connect(self.http).await.is_err() {
            let ended = self.child.as_mut().unwrap().0.try_wait().unwrap();
            assert!(ended.is_none(), "the program ended: {ended:?}\n{}", self.output());
            assert!(start.elapsed() < Duration::from_secs(20), "the program does not listen:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn keep(&self, pipe: impl std::io::Read + Send + 'static) {
        let (output, unread) = (self.output.clone(), self.unread.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                while unread.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                let mut output = output.lock().unwrap();
                output.push_str(&line);
                output.push('\n');
            }
        });
    }

    /// Waits until `/readyz` says 200.
    pub async fn ready(&self) -> &Self {
        eventually("/readyz", Duration::from_secs(20), async || {
            // The public listener is bound first.
            drop(tokio::net::TcpStream::connect(self.operations).await.ok()?);
            let (came, _) = super::raw::exchange(
                self.operations,
                b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                Duration::from_secs(5),
            )
            .await;
            came.starts_with("HTTP/1.1 200").then_some(())
        })
        .await;
        self
    }

    /// From now on nobody reads what it prints (or somebody does again).
    pub fn leave_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::SeqCst);
    }

    /// Everything printed so far, both streams.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until a printed line gives something.
    pub async fn printed<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        eventually(what, Duration::from_secs(10), async || {
            let output = self.output();
            let found: Vec<T> = output.lines().filter_map(&find).collect();
            found.into_iter().next_back()
        })
        .await
    }

    /// The newest code printed by the console provider after the first `skip` bytes of output.
    pub async fn console_code(&self, skip: usize) -> String {
        eventually("a code on the terminal", Duration::from_secs(10), async || {
            let output = self.output();
            let line = output.get(skip..)?.lines().rev().find(|line| line.contains("code"))?.to_owned();
            line.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 6).map(str::to_owned)
        })
        .await
    }

    /// The token of the setup link printed at the start.
    pub async fn setup_token(&self) -> String {
        self.printed("the setup link", |line| {
            let rest = line.split("/setup?token=").nth(1)?;
            Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect())
        })
        .await
    }

    /// Runs a command of the program beside it, with `input` on its standard input.
    pub fn command(&self, words: &[&str], input: &str) -> Output {
        let mut child = self.begin(words);
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// The same, not waited for.
    pub fn begin(&self, words: &[&str]) -> std::process::Child {
        let mut command = tied(env!("CARGO_BIN_EXE_vestibule"));
        clean(&mut command);
        command.arg("--config").arg(&self.config).args(words).current_dir(self.folder.path());
        command.envs(self.environment.iter().cloned());
        command.envs(self.clock.iter().flat_map(MovedClock::environment));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The same, and it must succeed; its standard output.
    pub fn run(&self, words: &[&str], input: &str) -> String {
        let output = self.command(words, input);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "`vestibule {}` failed:\n{out}\n{err}", words.join(" "));
        out.into_owned()
    }

    /// Adds a person by the command line (active at once).
    pub fn add_person(&self, username: &str, password: &str, admin: bool) {
        let email = format!("{username}@example.com");
        let mut words =
            vec!["user", "add", username, "--email", &email, "--first-name", "Test", "--last-name", username];
        words.push("--password-stdin");
        if admin {
            words.push("--admin");
        }
        self.run(&words, &format!("{password}\n"));
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.child = None;
    }

    /// SIGTERM; waits for the end and gives the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        assert!(std::process::Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
        eventually("the program to end", Duration::from_secs(40), async || child.0.try_wait().unwrap()).await.code()
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().0.id()
    }

    /// The canonical origin of the plain listener as people type it.
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.http.port())
    }
}

/// Runs the program with a configuration that should not start. (Exit code, both streams.)
pub fn refused(config: &str, environment: &[(&str, &str)], words: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = tied("timeout");
    clean(&mut command);
    command.args(["10", env!("CARGO_BIN_EXE_vestibule")]).args(words).arg("--config").arg(&path);
    command.current_dir(folder.path()).envs(environment.iter().copied()).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}
