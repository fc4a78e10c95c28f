//! The services shared by all tests: one Redis, one PostgreSQL cluster, on free ports, in a temporary folder.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Failure, packages};

#[path = "../../tests/front_door/support/ports.rs"]
mod ports;

/// Running services; they end when this is dropped, or when this process dies.
pub(crate) struct Services {
    folder: PathBuf,
    children: Vec<Child>,
    redis: u16,
    postgres: u16,
}

impl Services {
    /// Starts them and waits until they answer.
    pub(crate) fn start() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("vestibule-tests-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut services = Self { folder, children: Vec::new(), redis: free_port()?, postgres: free_port()? };
        services.start_redis()?;
        services.start_postgres()?;
        wait_for(services.redis, "Redis")?;
        wait_for(services.postgres, "PostgreSQL")?;
        Ok(services)
    }

    /// Where the tests find them.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("VESTIBULE_TEST_REDIS", format!("redis://127.0.0.1:{}", self.redis)),
            ("VESTIBULE_TEST_POSTGRES", format!("postgres://postgres@127.0.0.1:{}/postgres", self.postgres)),
        ]
    }

    fn start_redis(&mut self) -> Result<(), Failure> {
        let port = self.redis.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "redis-server", "--bind", "127.0.0.1", "--port", &port, "--save", ""]);
        command.arg("--dir").arg(&self.folder);
        self.spawn(command, "redis-server")
    }

    fn start_postgres(&mut self) -> Result<(), Failure> {
        let programs = packages::postgres_programs().ok_or("no PostgreSQL server is installed")?;
        let cluster = self.folder.join("postgres");
        fs::create_dir_all(&cluster).map_err(|error| format!("{}: {error}", cluster.display()))?;
        // PostgreSQL refuses to run as root.
        let other = is_root().then_some("postgres");
        if other.is_some() {
            run(Command::new("chown").arg("postgres:postgres").arg(&cluster))?;
        }
        let data = cluster.join("data");
        let mut initdb = as_user(other, "KILL", &programs.join("initdb"));
        initdb
            .args(["--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--no-sync", "--pgdata"])
            .arg(&data);
        run(initdb.stdout(Stdio::null()))?;
        // INT is PostgreSQL's fast shutdown: it takes its own children along.
        let mut server = as_user(other, "INT", &programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &self.postgres.to_string(), "-c", "fsync=off"]);
        server.args(["-c", "max_connections=200", "-k"]).arg(&cluster);
        self.spawn(server, "postgres")
    }

    fn spawn(&mut self, mut command: Command, name: &str) -> Result<(), Failure> {
        let log = fs::File::create(self.folder.join(format!("{name}.log"))).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.children.push(child.map_err(|error| format!("{name} does not start: {error}"))?);
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.children {
            // INT, not KILL: a killed PostgreSQL would leave its children to find out by themselves.
            let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn as_user(user: Option<&str>, at_death: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.args(["--pdeathsig", at_death]).arg(program);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| format!("{command:?} does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed")) }
}

/// A port nobody listens on, nor takes by chance.
pub(crate) fn free_port() -> Result<u16, Failure> {
    ports::free_port().ok_or_else(|| "no ports are left".to_owned())
}

fn wait_for(port: u16, name: &str) -> Result<(), Failure> {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if start.elapsed() > Duration::from_secs(30) {
            return Err(format!("{name} does not answer on port {port}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
