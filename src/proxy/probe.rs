//! Active checks (`site.check`): asks an address for its health again and again. One prober per process.
//!
//! Whoever answers 2xx or 3xx in time is well. Two failures in a row and it is left out, one success and it is back.

use std::sync::Arc;

use http::{HeaderValue, Request, StatusCode, header, uri::Uri};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::{
    ProxyError,
    body::ClientBody,
    connect::{Opened, Speak},
    fields::Sink,
    http1::Asked,
    upstreams::Target,
};
use crate::config::site::{Check, Wire};

/// Never ends.
pub(super) async fn watch(target: &Arc<Target>, check: &Check) {
    let mut failures = 0_u32;
    loop {
        let found = match timeout(check.timeout, ask(target, &check.path)).await {
            Ok(Ok(status)) if status.is_success() || status.is_redirection() => Ok(()),
            Ok(Ok(status)) => Err(format!("it answers {status}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(late) => Err(late.to_string()),
        };
        match found {
            Ok(()) => {
                failures = 0;
                if target.found(true) {
                    info!(upstream = target.written, "an upstream is well again");
                }
            }
            Err(reason) => {
                failures = failures.saturating_add(1);
                if failures >= ENOUGH && target.found(false) {
                    warn!(upstream = target.written, reason, "an upstream is not well: others are asked instead of it");
                }
            }
        }
        sleep(check.every).await;
    }
}

async fn ask(target: &Target, path: &str) -> Result<StatusCode, ProxyError> {
    let broken = |error: hyper::Error| ProxyError::Broken(error.into());
    let mut request = Request::new(ClientBody::default());
    *request.uri_mut() = path.parse().map_err(|error: http::uri::InvalidUri| ProxyError::Broken(error.into()))?;
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(NAME));
    let answer = match target.connector.connect(Speak::Any).await? {
        Opened::Http1(mut connection) => {
            let mut wire = connection.begin(request.method(), path);
            wire.put(&header::HOST, &target.authority);
            wire.put_text(&header::USER_AGENT, NAME);
            wire.end();
            let asked = Asked { head: false, upgrade: false };
            let answered = connection.exchange(ClientBody::default(), asked).await;
            return answered.map(|(parts, _)| parts.status).map_err(|failed| ProxyError::Broken(failed.into()));
        }
        Opened::Http2(link) => {
            *request.uri_mut() = absolute(target, path).map_err(|error| ProxyError::Broken(error.into()))?;
            link.stream().send(request).await.map_err(|error| broken(error.into_error()))?
        }
    };
    Ok(answer.status())
}

fn absolute(target: &Target, path: &str) -> Result<Uri, http::Error> {
    let scheme = if target.connector.wire() == Wire::Tls { "https" } else { "http" };
    Uri::builder().scheme(scheme).authority(target.authority.as_bytes()).path_and_query(path).build()
}

const NAME: &str = "vestibule";
/// Failures in a row that are no accident.
const ENOUGH: u32 = 2;
