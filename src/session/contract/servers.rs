//! Redis servers of the tests' own: a Cluster of three for the whole run, Sentinels for a test.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::ports::free_port;

/// Servers that end with this value, or with this process.
pub(super) struct Servers {
    folder: TempDir,
    children: Vec<Child>,
}

impl Servers {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), children: Vec::new() }
    }

    /// A server that answers; its port.
    pub fn start(&mut self, more: &[&str]) -> u16 {
        let port = free_port().unwrap();
        let folder = self.folder(port);
        let mut command = tied("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir", &folder]).args(more);
        self.run(command, port)
    }

    /// A Sentinel that watches `main` at a port.
    pub fn sentinel(&mut self, primary: u16) -> u16 {
        let port = free_port().unwrap();
        let file = format!("{}/sentinel.conf", self.folder(port));
        let mut config = std::fs::File::create(&file).unwrap();
        write!(
            config,
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {primary} 1\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n"
        )
        .unwrap();
        let mut command = tied("redis-server");
        command.args([&file, "--sentinel"]);
        self.run(command, port)
    }

    fn folder(&self, port: u16) -> String {
        let folder = self.folder.path().join(port.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        folder.display().to_string()
    }

    fn run(&mut self, mut command: Command, port: u16) -> u16 {
        self.children.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("a server to answer", || ask(port, &["PING"]).is_some());
        port
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One command, its answer as text; `None` when there is none.
pub(super) fn ask(port: u16, words: &[&str]) -> Option<String> {
    let mut link = ::redis::Client::open(format!("redis://127.0.0.1:{port}")).ok()?.get_connection().ok()?;
    let answer: ::redis::Value = ::redis::cmd(words[0]).arg(&words[1..]).query(&mut link).ok()?;
    Some(match answer {
        ::redis::Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("{other:?}"),
    })
}

pub(super) fn until(what: &str, mut found: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !found() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The Cluster that all tests share.
pub(super) fn cluster_url() -> &'static str {
    static CLUSTER: OnceLock<String> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (say, hear) = std::sync::mpsc::channel();
        // Children die with the thread that made them: this one lives as long as the process.
        std::thread::spawn(move || {
            let ports: [u16; 3] = std::array::from_fn(|_| free_port().unwrap());
            let buses: [u16; 3] = std::array::from_fn(|_| free_port().unwrap());
            let mut nodes = three_nodes(&ports, &buses);
            say.send(ports).unwrap();
            let _ = nodes.wait();
        });
        let [one, two, three] = hear.recv().unwrap();
        format!("redis+cluster://127.0.0.1:{one},127.0.0.1:{two},127.0.0.1:{three}")
    })
}

fn three_nodes(ports: &[u16; 3], buses: &[u16; 3]) -> Child {
    // No value is dropped when the process ends, so a shell takes the servers and their folder away.
    let script = format!(
        "D=$(mktemp -d); P=; trap 'kill -9 $P; rm -rf \"$D\"; exit 0' TERM; for n in {}:{} {}:{} {}:{}; do p=${{n%:*}}; mkdir $D/$p; \
         redis-server --bind 127.0.0.1 --save '' --port $p --cluster-enabled yes --cluster-port ${{n#*:}} \
         --cluster-node-timeout 5000 --dir $D/$p >/dev/null 2>&1 & P=\"$P $!\"; done; wait",
        ports[0], buses[0], ports[1], buses[1], ports[2], buses[2]
    );
    let mut shell = Command::new("setpriv");
    let shell = shell.args(["--pdeathsig", "TERM", "sh", "-c", &script]).stdin(Stdio::null()).spawn().unwrap();
    for (port, slots) in ports.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
        until("a node to answer", || ask(*port, &["PING"]).is_some());
        ask(*port, &["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]).unwrap();
    }
    for (port, bus) in ports.iter().zip(buses).skip(1) {
        ask(ports[0], &["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus.to_string()]).unwrap();
    }
    let whole = |port: &u16| {
        ask(*port, &["CLUSTER", "INFO"])
            .is_some_and(|info| info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3"))
    };
    until("the cluster", || ports.iter().all(whole));
    shell
}

fn tied(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]).stdin(Stdio::null());
    command
}
