//! The built-in upstream: shows exactly the request another upstream would have got.
//!
//! A page for browsers; JSON `{method, target, fields: [[name, value], …], body_bytes}` for programs.

use std::{borrow::Cow, pin::Pin};

use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Body;
use templates::page::demo::Demo;

use super::{ProxyError, body::ClientBody, fields::Names};
use crate::inbound::answer::{Answer, Outgoing};

/// Answers `request`.
pub(super) async fn answer(
    request: Request<ClientBody>,
    portal_path: &str,
    names: &Names,
) -> Result<Answer, ProxyError> {
    let (parts, body) = request.into_parts();
    let body_bytes = measure(body).await?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let fields: Vec<(&str, Cow<'_, str>)> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
    let (kind, text) = if wants_json(&parts.headers) {
        let seen = serde_json::json!({
            "method": parts.method.as_str(), "target": target, "fields": fields, "body_bytes": body_bytes,
        });
        ("application/json", seen.to_string())
    } else {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        let identity: Vec<&str> = Names::all(&names.identity).map(http::HeaderName::as_str).collect();
        let page =
            Demo { portal: portal_path, method: parts.method.as_str(), target, fields: &fields, identity: &identity };
        ("text/html; charset=utf-8", page.render().into_string())
    };
    let mut answer = Response::new(Outgoing::from(text));
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(answer)
}

/// Reads the body and keeps nothing of it; beyond the bound it is left to hyper to close.
async fn measure(mut body: ClientBody) -> Result<u64, ProxyError> {
    let mut read = 0;
    while read < ENOUGH {
        match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            None => break,
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(fault)) => return Err(fault.into()),
        }
    }
    Ok(read)
}

fn wants_json(fields: &HeaderMap) -> bool {
    let accept = fields.get(header::ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    let accepts = |kind: &str| accept.windows(kind.len()).any(|part| part.eq_ignore_ascii_case(kind.as_bytes()));
    accepts("application/json") && !accepts("text/html")
}

/// More than a form, less than a film.
const ENOUGH: u64 = 16 << 20;
