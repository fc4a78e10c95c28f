//! haproxy with one thread, as a plain proxy: a second opinion on what a request costs.

use std::path::Path;

use super::{
    Bench,
    fronts::{Front, HAPROXY},
    nginx::Upstream,
    stage::Core,
};
use crate::{Failure, services::free_port};

pub(super) fn start(bench: &Bench, upstream: &Upstream) -> Result<Front, Failure> {
    let (plain, secure) = (free_port()?, free_port()?);
    let text = format!(
        "global
 nbthread 1
 maxconn 9900
 tune.ssl.default-dh-param 2048
defaults
 mode http
 timeout client 600s
 timeout server 600s
 timeout connect 5s
 http-reuse always
frontend all
 bind 127.0.0.1:{plain}
 bind 127.0.0.1:{secure} ssl crt {both} alpn h2,http/1.1 ssl-min-ver TLSv1.3
 default_backend up
backend up
 http-request set-header Remote-User alice
 server up 127.0.0.1:{up}
",
        both = bench.stage.path("both.pem").display(),
        up = upstream.port,
    );
    let config = bench.stage.write("haproxy.cfg", &text)?;
    let words = [Path::new("-db"), Path::new("-f"), &config];
    let mut process = bench.stage.spawn("haproxy", Core::Proxy, Path::new("haproxy"), words)?;
    process.listens_on(plain)?;
    Ok(Front { name: HAPROXY, process, plain, secure, fields: Vec::new() })
}
