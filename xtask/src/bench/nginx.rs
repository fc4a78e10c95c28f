//! nginx in three parts: the upstream of all, the plain proxy that is the measure (no auth, no log), and the usual trio's
//! `auth_request` with an answer from within the same process, the cheapest it can be. Never the system's own service.

use std::{fs, path::Path};

use super::{
    Bench,
    fronts::{Front, NGINX, NGINX_AUTH},
    load,
    stage::{Core, Process},
};
use crate::{Failure, services::free_port};

/// Answers 1 KiB to everything, and a large file under `/large`.
pub(super) struct Upstream {
    pub(super) port: u16,
    _process: Process,
}

impl Upstream {
    pub(super) fn start(bench: &Bench) -> Result<Self, Failure> {
        let port = free_port()?;
        let body = "x".repeat(1024);
        let folder = bench.stage.fresh("upstream")?;
        let servers = format!(
            "server {{ listen 127.0.0.1:{port} backlog=4096; root {folder};\n  \
             location / {{ return 200 '{body}'; }}\n  location = /large {{ sendfile on; }} }}",
            folder = folder.display()
        );
        let mut process = start(bench, "upstream", Core::Load, &servers)?;
        process.listens_on(port)?;
        Ok(Self { port, _process: process })
    }

    /// Instead: a server that reads whole bodies before it answers (nginx answers too early for that).
    pub(super) fn sink(bench: &Bench) -> Result<Self, Failure> {
        let port = free_port()?;
        let words = ["load".to_owned(), "sink".to_owned(), port.to_string()];
        let mut process = bench.stage.spawn("sink", Core::Load, &load::own_program()?, words)?;
        process.listens_on(port)?;
        Ok(Self { port, _process: process })
    }

    /// Puts a file of that size under `/large`; it holds nothing, and takes no room.
    pub(super) fn put_large(&self, bench: &Bench, bytes: u64) -> Result<(), Failure> {
        let made = fs::File::create(bench.stage.path("upstream/large")).and_then(|file| file.set_len(bytes));
        made.map_err(|error| format!("upstream/large: {error}"))
    }
}

/// The measure: a proxy that protects nothing.
pub(super) fn plain(bench: &Bench, upstream: &Upstream) -> Result<Front, Failure> {
    let (plain, secure) = (free_port()?, free_port()?);
    let servers = format!(
        "{pool} server {{ {listen}
  location = /refused {{ return 400; }}
  location / {{ {PASS} proxy_set_header Remote-User alice; proxy_pass http://up; }} }}",
        pool = pool("up", upstream.port),
        listen = listen(bench, plain, secure),
    );
    front(NGINX, plain, secure, start(bench, "nginx", Core::Proxy, &servers)?)
}

/// Asks before every request, and is answered 204 with a name.
pub(super) fn with_auth_request(bench: &Bench, upstream: &Upstream) -> Result<Front, Failure> {
    let (plain, secure, auth) = (free_port()?, free_port()?, free_port()?);
    let servers = format!(
        "{pool} {auth_pool}
server {{ {listen}
  location / {{ auth_request /_auth; auth_request_set $user $upstream_http_remote_user; {PASS}
    proxy_set_header Remote-User $user; proxy_pass http://up; }}
  location = /_auth {{ internal; proxy_pass http://auth/; proxy_pass_request_body off; proxy_set_header Content-Length \"\";
    proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}
server {{ listen 127.0.0.1:{auth}; location / {{ add_header Remote-User alice; return 204; }} }}",
        pool = pool("up", upstream.port),
        auth_pool = pool("auth", auth),
        listen = listen(bench, plain, secure),
    );
    front(NGINX_AUTH, plain, secure, start(bench, "nginx-auth", Core::Proxy, &servers)?)
}

/// Kept connections to the upstream; bodies stream both ways, without temporary files.
const PASS: &str = "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host; \
                    proxy_request_buffering off; proxy_max_temp_file_size 0; client_max_body_size 0;";

fn pool(name: &str, port: u16) -> String {
    format!("upstream {name} {{ server 127.0.0.1:{port}; keepalive 256; keepalive_requests 1000000000; }}")
}

fn listen(bench: &Bench, plain: u16, secure: u16) -> String {
    format!(
        "listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{secure} ssl http2 backlog=4096;\n  \
         ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.3; ssl_session_cache shared:tls:10m;\n ",
        bench.stage.path("cert.pem").display(),
        bench.stage.path("key.pem").display(),
    )
}

fn front(name: &'static str, plain: u16, secure: u16, mut process: Process) -> Result<Front, Failure> {
    process.listens_on(plain)?;
    Ok(Front { name, process, plain, secure, fields: Vec::new() })
}

fn start(bench: &Bench, name: &str, core: Core, servers: &str) -> Result<Process, Failure> {
    let own = bench.stage.path(&format!("{name}.nginx"));
    bench.stage.fresh(&format!("{name}.nginx"))?;
    let d = own.display();
    let text = format!(
        "daemon off; worker_processes 1; pid {d}/pid; error_log {d}/error.log crit;
events {{ worker_connections 18000; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600; client_body_temp_path {d}/b; proxy_temp_path {d}/p;
fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s; default_type text/plain;
{servers} }}\n"
    );
    let config = bench.stage.write(&format!("{name}.nginx/nginx.conf"), &text)?;
    bench.stage.spawn(name, core, Path::new("nginx"), [Path::new("-c"), &config, Path::new("-p"), &own])
}
