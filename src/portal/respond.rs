//! How every answer of the portal leaves: status, fields that guard it, body.
//!
//! OWASP HTTP Headers and Content Security Policy Cheat Sheets. Nothing inline, nothing from elsewhere, never framed,
//! never stored. Redirects are 303, so that a form is never sent twice.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use templates::{Asset, Markup};

use crate::{
    inbound::answer::{Answer, Outgoing},
    world::UnixMillis,
};

/// What a page needs beyond the fields that all of them have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// An ordinary page.
    Page,
    /// Sign-in pages: Chrome applies `form-action` to the redirect after, which may lead to another site.
    SignIn,
    /// Pages whose URL holds a token: nothing of it may leave in `Referer`.
    Token,
}

/// An HTML page.
pub(super) fn page(status: StatusCode, guard: Guard, markup: Markup) -> Answer {
    let mut answer = whole(status, "text/html; charset=utf-8", markup.into_string());
    let fields = answer.headers_mut();
    let policy = if guard == Guard::SignIn { POLICY } else { POLICY_WITH_FORMS };
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    fields.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    set(fields, "cross-origin-opener-policy", "same-origin");
    set(fields, "permissions-policy", PERMISSIONS);
    let referrer = if guard == Guard::Token { "no-referrer" } else { "same-origin" };
    fields.insert(header::REFERRER_POLICY, HeaderValue::from_static(referrer));
    answer
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    typed_json(status, "application/json", value)
}

/// RFC 9457.
pub(super) fn problem_json(status: StatusCode, detail: &str, reference: &str) -> Answer {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail, "reference": reference,
    });
    typed_json(status, "application/problem+json", &body)
}

/// 303 See Other.
pub(super) fn see_other(location: &str) -> Answer {
    let mut answer = bare(StatusCode::SEE_OTHER);
    // Whatever is no field value was refused by `ReturnTo`; this is the second line of defence.
    let location = HeaderValue::from_str(location).unwrap_or_else(|_| HeaderValue::from_static("/"));
    answer.headers_mut().insert(header::LOCATION, location);
    set(answer.headers_mut(), "referrer-policy", "same-origin");
    answer
}

/// The public keys of assertions (RFC 7517 §8.5), for verifiers to keep that long.
pub(super) fn key_set(document: bytes::Bytes, keep: std::time::Duration) -> Answer {
    let mut answer = whole(StatusCode::OK, "application/jwk-set+json", document);
    // Digits and words always are a field's value; without one, the answer is not kept.
    if let Ok(keep) = HeaderValue::try_from(format!("public, max-age={}", keep.as_secs())) {
        answer.headers_mut().insert(header::CACHE_CONTROL, keep);
    }
    answer
}

/// The stylesheet, the script, the icon: named by content, kept for a year.
pub(super) fn asset(asset: &'static Asset) -> Answer {
    let mut answer = whole(StatusCode::OK, asset.content_type, asset.body);
    let fields = answer.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    set(fields, "cross-origin-resource-policy", "same-origin");
    // An SVG opened on its own is a document.
    fields.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    answer
}

/// An answer without a body.
pub(super) fn bare(status: StatusCode) -> Answer {
    let mut answer = Answer::new(Outgoing::Empty);
    *answer.status_mut() = status;
    guarded(answer.headers_mut());
    answer
}

/// With `Retry-After`: at least a second from now.
pub(super) fn retry_at(answer: Answer, until: UnixMillis, now: UnixMillis) -> Answer {
    retry_after(answer, seconds_between(now, until))
}

/// With `Retry-After`.
pub(super) fn retry_after(mut answer: Answer, seconds: u64) -> Answer {
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    answer
}

/// With one more `Set-Cookie`.
pub(super) fn with_cookie(mut answer: Answer, cookie: HeaderValue) -> Answer {
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    answer
}

/// The answer to HEAD: the same fields, no body.
pub(super) fn without_body(answer: Answer) -> Answer {
    let (mut parts, body) = answer.into_parts();
    if let Outgoing::Full(Some(bytes)) = &body {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Answer::from_parts(parts, Outgoing::Empty)
}

/// Whole seconds until then, rounded up.
pub(super) fn seconds_between(now: UnixMillis, until: UnixMillis) -> u64 {
    u64::try_from(until.since(now).as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

fn whole(status: StatusCode, content_type: &'static str, body: impl Into<bytes::Bytes>) -> Answer {
    let mut answer = Answer::new(Outgoing::from(body));
    *answer.status_mut() = status;
    guarded(answer.headers_mut());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

fn typed_json(status: StatusCode, content_type: &'static str, value: &impl Serialize) -> Answer {
    // Our own types always serialize; an empty object would still be well-formed.
    whole(status, content_type, serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec()))
}

fn guarded(fields: &mut HeaderMap) {
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn set(fields: &mut HeaderMap, name: &'static str, value: &'static str) {
    fields.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
}

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
const POLICY_WITH_FORMS: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
