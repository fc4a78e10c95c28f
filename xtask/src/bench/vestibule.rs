//! The program measured, set up as anybody would: a person added by the command line, who signs in over HTTP.
//!
//! One data thread, because it sees one core. Identity fields are set; the access log goes to a file.

use std::{path::PathBuf, time::Instant};

use super::{
    Bench,
    fronts::Front,
    http::{Answer, Client},
    redis::Redis,
    stage::Core,
};
use crate::{Failure, services::free_port};

/// How a node is set up.
pub(super) struct Wanted {
    name: &'static str,
    /// The folder's name, and the log's.
    folder: &'static str,
    plain: u16,
    secure: u16,
    /// The port in `portal.url`; nodes of one portal share it.
    portal: u16,
    upstream: u16,
    store: String,
    /// The end of the configuration.
    more: &'static str,
}

impl Wanted {
    pub(super) fn embedded(name: &'static str, folder: &'static str, upstream: u16) -> Self {
        // Ports are settled when it starts.
        Self { name, folder, plain: 0, secure: 0, portal: 0, upstream, store: "embedded".into(), more: "" }
    }

    pub(super) fn with_redis(name: &'static str, folder: &'static str, upstream: u16, redis: &Redis) -> Self {
        Self { store: redis.url(), ..Self::embedded(name, folder, upstream) }
    }

    /// One more node of the portal on that port.
    pub(super) fn beside(self, portal: u16) -> Self {
        Self { portal, ..self }
    }

    /// With more at the end of the configuration: rules of the site, or sections not there yet.
    pub(super) fn and(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    fn toml(&self, bench: &Bench) -> String {
        let file = |name: &str| bench.stage.path(name).display().to_string();
        format!(
            "data_dir = {data:?}
[listen]
http = \"127.0.0.1:{plain}\"
https = \"127.0.0.1:{secure}\"
certificates = [{{ cert = {cert:?}, key = {key:?} }}]
trusted_proxies = [\"127.0.0.1/32\"]
[operations]
listen = \"off\"
[portal]
url = \"http://127.0.0.1:{portal}\"
[[site]]
host = \"*\"
upstream = \"http://127.0.0.1:{upstream}\"
[session]
store = {store:?}
[secrets]
current = \"the same for every node of this benchmark\"
{more}",
            data = file(self.folder),
            cert = file("cert.pem"),
            key = file("key.pem"),
            plain = self.plain,
            secure = self.secure,
            portal = self.portal,
            upstream = self.upstream,
            store = self.store,
            more = self.more,
        )
    }
}

/// A running node, with somebody signed in.
pub(super) struct Node {
    pub(super) front: Front,
    /// What requests say in `Host`.
    pub(super) host: String,
    config: PathBuf,
    folder: &'static str,
}

impl Node {
    /// Adds Ada, starts, signs her in, and sees that the door is shut without her cookie.
    pub(super) fn start(bench: &Bench, wanted: &Wanted) -> Result<Self, Failure> {
        let mut node = Self::begin(bench, wanted)?;
        let cookie = node.sign_in(ADA, None)?;
        node.front.fields = vec![cookie];
        node.check_door()?;
        Ok(node)
    }

    fn begin(bench: &Bench, wanted: &Wanted) -> Result<Self, Failure> {
        let (plain, secure) = (free_port()?, free_port()?);
        let portal = if wanted.portal == 0 { plain } else { wanted.portal };
        let settled = Wanted { plain, secure, portal, store: wanted.store.clone(), ..*wanted };
        bench.stage.fresh(wanted.folder)?;
        let config = bench.stage.write(&format!("{}.toml", wanted.folder), &settled.toml(bench))?;
        add(bench, &config, ADA)?;
        let mut process = serve(bench, wanted.folder, &config)?;
        process.listens_on(plain)?;
        let front = Front { name: wanted.name, process, plain, secure, fields: Vec::new() };
        Ok(Self { front, host: format!("127.0.0.1:{portal}"), config, folder: wanted.folder })
    }

    /// Ends it and starts it again with empty memory.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        self.front.process.restart(self.front.plain)
    }

    /// Starts it again after its end, and does not wait.
    pub(super) fn begin_again(&mut self, bench: &Bench) -> Result<(), Failure> {
        self.front.process = serve(bench, self.folder, &self.config)?;
        Ok(())
    }

    /// Adds one more person.
    pub(super) fn add(&self, bench: &Bench, username: &str) -> Result<(), Failure> {
        add(bench, &self.config, username)
    }

    /// Runs a command of the program beside it, to its end.
    pub(super) fn command(&self, bench: &Bench, words: &[&str]) -> Result<(), Failure> {
        let config = ["--config".as_ref(), self.config.as_os_str()];
        let words = config.into_iter().chain(words.iter().map(|word| std::ffi::OsStr::new(*word)));
        bench.stage.run(Core::Load, &bench.program, words).map(drop)
    }

    /// [`PASSWORD`] hashed as the settings say.
    pub(super) fn hash(&self, bench: &Bench) -> Result<String, Failure> {
        let mut command = bench.stage.pinned(Core::Load, &bench.program);
        command.arg("--config").arg(&self.config).arg("hash-password");
        Ok(super::stage::fed(command, PASSWORD)?.trim().to_owned())
    }

    /// Adds the people of a CSV file.
    pub(super) fn import(&self, bench: &Bench, csv: &std::path::Path) -> Result<(), Failure> {
        let words = ["--config".as_ref(), self.config.as_os_str(), "user".as_ref(), "import".as_ref(), csv.as_os_str()];
        bench.stage.run(Core::Load, &bench.program, words).map(drop)
    }

    /// Signs somebody in; gives the `Cookie` line. `from`: the visitor's address, as a proxy before us would tell it.
    pub(super) fn sign_in(&self, username: &str, from: Option<&str>) -> Result<String, Failure> {
        let answer = sign_in(self.front.plain, &self.host, username, from).map_err(|error| error.to_string())?;
        match answer.status {
            303 => Ok(answer.cookie_line()),
            status => Err(format!("{username} cannot sign in: {status}")),
        }
    }

    /// Signs out by the button; gives the moment of the answer.
    pub(super) fn sign_out(&self, cookie: &[String]) -> Result<Instant, Failure> {
        let broken = |error: std::io::Error| error.to_string();
        let mut client = Client::open(self.front.plain, &self.host).map_err(broken)?;
        let page = client.get("/.auth/logout", cookie).map_err(broken)?;
        let token = page.hidden("csrf").ok_or("the sign-out page has no token")?;
        // The page sets a flow cookie; both go back in one line.
        let own = cookie.first().map_or("", String::as_str);
        let both = match page.cookie_line().strip_prefix("Cookie: ") {
            Some(flow) if !flow.is_empty() => format!("{own}; {flow}"),
            _ => own.to_owned(),
        };
        let status = client.post("/.auth/logout", &[both], &format!("csrf={token}")).map_err(broken)?.status;
        if status == 303 { Ok(Instant::now()) } else { Err(format!("signing out is answered {status}")) }
    }

    fn check_door(&self) -> Result<(), Failure> {
        let ask = |fields: &[String]| {
            let mut client = Client::open(self.front.plain, &self.host)?;
            client.get("/", fields)
        };
        let (open, shut) = (ask(&self.front.fields), ask(&[]));
        match (open.map(|answer| answer.status), shut.map(|answer| answer.status)) {
            (Ok(200), Ok(401)) => Ok(()),
            (open, shut) => {
                Err(format!("signed in: {open:?} instead of 200; without a cookie: {shut:?} instead of 401"))
            }
        }
    }
}

/// Opens the page and posts its form, as a browser would.
pub(super) fn sign_in(port: u16, host: &str, username: &str, from: Option<&str>) -> std::io::Result<Answer> {
    let mut client = Client::open(port, host)?;
    let mut fields: Vec<String> = from.map(|from| format!("X-Forwarded-For: {from}")).into_iter().collect();
    let page = client.get("/.auth/login", &fields)?;
    fields.push(page.cookie_line());
    let token = page.hidden("csrf").ok_or(std::io::ErrorKind::InvalidData)?;
    client.post("/.auth/login", &fields, &format!("identifier={username}&password={PASSWORD}&csrf={token}"))
}

fn serve(bench: &Bench, folder: &str, config: &std::path::Path) -> Result<super::stage::Process, Failure> {
    let words = ["--config".as_ref(), config.as_os_str()];
    bench.stage.spawn(folder, Core::Proxy, &bench.program, words)
}

fn add(bench: &Bench, config: &std::path::Path, username: &str) -> Result<(), Failure> {
    let mut command = bench.stage.pinned(Core::Load, &bench.program);
    command.arg("--config").arg(config).args(["user", "add", username, "--password-stdin", "--email"]);
    command.arg(format!("{username}@example.com"));
    super::stage::fed(command, PASSWORD).map(drop)
}

/// Who is signed in.
pub(super) const ADA: &str = "ada";
/// Nobody's; it holds nothing a form would have to escape.
pub(super) const PASSWORD: &str = "Quiet-Lantern-7-Orchard-Tin";
