//! Where a benchmark plays: a temporary folder, a certificate, and processes pinned to cores that end with this one.
//!
//! Every process asks the kernel to be ended when this one dies (`setpriv --pdeathsig`); a small shell that outlives us
//! removes the folder. So nothing is left behind, whether the run ends, fails, or is interrupted.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::usage::Usage;
use crate::Failure;

/// The folder, until dropped.
pub(super) struct Stage {
    folder: PathBuf,
    sweeper: Child,
}

/// Which core a process runs on.
#[derive(Clone, Copy)]
pub(super) enum Core {
    /// Whatever is measured.
    Proxy,
    /// Load, upstream, Redis.
    Load,
}

/// A running process; dropping it ends it.
pub(super) struct Process {
    name: String,
    log: PathBuf,
    /// How it was started, to be started again.
    command: Command,
    child: Child,
}

impl Stage {
    pub(super) fn open() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("vestibule-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut sweeper = Command::new("sh");
        // A process group of its own: Ctrl-C at the terminal must not reach it. `read` ends when we do.
        sweeper.args(["-c", r#"read -r _; rm -rf "$0""#]).arg(&folder).stdin(Stdio::piped()).process_group(0);
        let sweeper = sweeper.spawn().map_err(|error| format!("sh does not start: {error}"))?;
        let stage = Self { folder, sweeper };
        stage.make_certificate()?;
        Ok(stage)
    }

    /// A path in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A new folder within the folder; empty even if there was one.
    pub(super) fn fresh(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// Writes a file and gives its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// Starts a process; what it says goes to `NAME.log`.
    pub(super) fn spawn<I>(&self, name: &str, core: Core, program: &Path, arguments: I) -> Result<Process, Failure>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log(name));
        let log = log.map_err(|error| format!("{name}.log: {error}"))?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = self.pinned(core, program);
        command.args(arguments).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        Ok(Process { name: name.into(), log: self.log(name), command, child })
    }

    /// Runs a program to its end, and gives what it wrote.
    pub(super) fn run<I>(&self, core: Core, program: &Path, arguments: I) -> Result<String, Failure>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let mut command = self.pinned(core, program);
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{} does not start: {error}", program.display()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("{} failed: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// A command on one core, with room for many sockets, that ends when we do. The exec chain keeps one process id.
    pub(super) fn pinned(&self, core: Core, program: &Path) -> Command {
        let core = match core {
            Core::Proxy => "0",
            Core::Load => "1",
        };
        let mut command = Command::new("sh");
        command.current_dir(&self.folder);
        command.args(["-c", r#"ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@""#, "bench"]);
        command.args(["taskset", "-c", core, "setpriv", "--pdeathsig", "TERM"]).arg(program);
        let foreign = ["VESTIBULE_", "TWILIO_", "RUST_LOG"];
        for (name, _) in std::env::vars().filter(|(name, _)| foreign.iter().any(|start| name.starts_with(start))) {
            command.env_remove(name);
        }
        command
    }

    /// What the process of that name said so far.
    pub(super) fn said(&self, name: &str) -> String {
        fs::read_to_string(self.log(name)).unwrap_or_default()
    }

    /// Where a process writes what it says.
    fn log(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.log"))
    }

    /// Empties every log; who writes appends. Minutes of access log would fill the disk.
    pub(super) fn forget_logs(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        for path in entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "log")) {
            if let Ok(file) = fs::OpenOptions::new().write(true).open(path) {
                let _ = file.set_len(0);
            }
        }
    }

    /// P-256, self-signed; haproxy wants both in one file.
    fn make_certificate(&self) -> Result<(), Failure> {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
                       -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout";
        let words = request.split_whitespace().map(OsStr::new);
        self.run(
            Core::Load,
            Path::new("openssl"),
            words.chain([key.as_os_str(), OsStr::new("-out"), cert.as_os_str()]),
        )?;
        let read = |path: &Path| fs::read_to_string(path).map_err(|error| error.to_string());
        self.write("both.pem", &format!("{}{}", read(&cert)?, read(&key)?)).map(|_| ())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its input ends, and it sweeps.
        drop(self.sweeper.stdin.take());
        let _ = self.sweeper.wait();
    }
}

impl Process {
    /// What it and its children used so far.
    pub(super) fn usage(&self) -> Usage {
        Usage(self.child.id())
    }

    /// Ends it and starts it again as it was; waits until it accepts connections on `port`.
    pub(super) fn restart(&mut self, port: u16) -> Result<(), Failure> {
        self.end();
        self.child = self.command.spawn().map_err(|error| format!("{} does not start again: {error}", self.name))?;
        self.listens_on(port)
    }

    /// Fails when it is gone: a load on nothing would measure nothing.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended, {status}: {}", self.name, self.last_words())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Waits until it accepts connections on `port`.
    pub(super) fn listens_on(&mut self, port: u16) -> Result<(), Failure> {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            self.check()?;
            if start.elapsed() > PATIENCE * 6 {
                return Err(format!("{} does not answer on port {port}: {}", self.name, self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
    }

    /// Asks it to end, and insists after a while. Ending twice does nothing.
    pub(super) fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).stderr(Stdio::null()).status();
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command to its end with one line on its input, and gives what it wrote.
pub(super) fn fed(mut command: Command, line: &str) -> Result<String, Failure> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("{command:?} does not start: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(format!("{line}\n").as_bytes()).map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Before a process that does not end is killed.
const PATIENCE: Duration = Duration::from_secs(5);
