//! A form that may be acted on: read within its limit, from this very origin, with its token (OWASP CSRF Cheat Sheet).
//!
//! [`Form`] is the proof; only [`read`] makes one. What fails the check still gives back what was typed, so that the page can
//! show it again; secrets are in `SecretString`s that pages never put back.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use secrecy::SecretString;

use super::visit::Visit;
use crate::{config::portal::PortalUrl, inbound::View};

/// The fields of one page's form.
pub(super) trait Fields: Sized + Send + Sync {
    /// Takes its own fields; the rest is dropped.
    fn take(sent: &mut Sent) -> Self;
}

/// A form that came from our own page.
#[derive(Debug)]
pub(super) struct Form<T> {
    fields: T,
}

impl<T> Form<T> {
    /// What was typed.
    pub(super) fn into_fields(self) -> T {
        self.fields
    }
}

/// Why there is no [`Form`].
#[derive(Debug)]
pub(super) enum Unread<T> {
    /// The body is no form of ours.
    Broken(Broken),
    /// Well-formed, but not from our page: it is shown anew, with what was typed.
    Forged(T, Forgery),
}

/// What is wrong with the body itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// 415
    NotUrlencoded,
    /// 413
    TooLarge,
    /// 408
    Stalled,
    /// 400: the client broke off.
    CutOff,
    /// 400: not UTF-8, or control bytes no form field sends.
    NotText,
    /// 400: one name twice, which two readers would read differently.
    Repeated,
    /// 400
    TooManyFields,
}

/// Which check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgery {
    /// The flow cookie did not come back.
    NoCookie,
    /// `Origin` or `Sec-Fetch-Site` name another site.
    OtherOrigin,
    /// The token does not belong to this browser and session.
    Token,
}

/// Reads and checks a form.
pub(super) async fn read<T: Fields, B>(visit: &Visit<'_>, body: B) -> Result<Form<T>, Unread<T>>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut sent = collect(&visit.fields, body, visit.room.settings.form_limit, visit.room.settings.form_timeout)
        .await
        .map_err(Unread::Broken)?;
    let token = sent.text("csrf");
    let fields = T::take(&mut sent);
    match check(visit, &token) {
        Ok(()) => Ok(Form { fields }),
        Err(forgery) => Err(Unread::Forged(fields, forgery)),
    }
}

fn check(visit: &Visit<'_>, token: &str) -> Result<(), Forgery> {
    // The cookie first: who opened another address than `portal.url` fails every check, and this one explains it.
    let Some(flow) = visit.flow.carried() else { return Err(Forgery::NoCookie) };
    if !same_origin(&visit.view, &visit.room.settings.portal.url, visit.token_in_url) {
        return Err(Forgery::OtherOrigin);
    }
    if !visit.room.sessions.form_token_valid(token, flow, visit.bound_to()) {
        return Err(Forgery::Token);
    }
    Ok(())
}

/// Whether what the browser says of the sender, if it says anything, is this very origin.
///
/// `token_in_url`: the page sent `no-referrer`, which turns the `Origin` of its own form into `null` (Fetch §3.2); there
/// `null` says nothing, and `Sec-Fetch-Site` and the token decide.
fn same_origin(view: &View, url: &PortalUrl, token_in_url: bool) -> bool {
    let site = view.fetch.site.as_deref().is_none_or(|site| site == "same-origin");
    let origin = view.fetch.origin.as_deref().is_none_or(|origin| {
        // Behind a proxy that ends TLS we may see http; never the other way round.
        let secure = url.secure || view.secure;
        let here = format!("{}://{}", if secure { "https" } else { "http" }, view.authority);
        origin.eq_ignore_ascii_case(&here) || origin == url.origin() || (token_in_url && origin == "null")
    });
    site && origin
}

/// What was sent, by name.
#[derive(Debug, Default)]
pub(super) struct Sent(BTreeMap<String, String>);

impl Sent {
    /// A text field; empty when it was not sent.
    pub(super) fn text(&mut self, name: &str) -> String {
        self.0.remove(name).unwrap_or_default()
    }

    /// A password; empty when it was not sent.
    pub(super) fn secret(&mut self, name: &str) -> SecretString {
        SecretString::from(self.text(name))
    }

    /// A field, if it was sent.
    pub(super) fn maybe(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// What stands after `prefix` in the names of ticked boxes.
    pub(super) fn ticked(&mut self, prefix: &str) -> Vec<String> {
        let names: Vec<_> = self.0.keys().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect();
        names.into_iter().filter(|name| self.flag(&format!("{prefix}{name}"))).collect()
    }

    /// A ticked box or a pressed button: sent and not empty.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some_and(|value| !value.is_empty())
    }
}

async fn collect<B>(fields: &HeaderMap, body: B, limit: usize, within: Duration) -> Result<Sent, Broken>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Before the body is polled: polling sends 100 (Continue).
    if !urlencoded(fields) {
        return Err(Broken::NotUrlencoded);
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(Broken::TooLarge);
    }
    match tokio::time::timeout(within, Limited::new(body, limit).collect()).await {
        Err(_) => Err(Broken::Stalled),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Broken::TooLarge),
        Ok(Err(_)) => Err(Broken::CutOff),
        Ok(Ok(whole)) => parse(&whole.to_bytes()),
    }
}

fn urlencoded(fields: &HeaderMap) -> bool {
    let mut types = fields.get_all(header::CONTENT_TYPE).iter();
    let Some(Ok(value)) = types.next().map(http::HeaderValue::to_str) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    types.next().is_none() && essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn parse(body: &[u8]) -> Result<Sent, Broken> {
    const MOST: usize = 64;
    let mut sent = BTreeMap::new();
    for (count, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if count >= MOST {
            return Err(Broken::TooManyFields);
        }
        // U+FFFD is what the decoder writes for bytes that are not UTF-8.
        if [&name, &value].into_iter().any(|text| text.contains(['\0', char::REPLACEMENT_CHARACTER])) {
            return Err(Broken::NotText);
        }
        if sent.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Broken::Repeated);
        }
    }
    Ok(Sent(sent))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn form_fields() -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8".parse().unwrap());
        fields
    }

    async fn sent(body: &str) -> Result<Sent, Broken> {
        collect(&form_fields(), Full::new(Bytes::from(body.to_owned())), 64, Duration::from_secs(1)).await
    }

    #[tokio::test]
    async fn fields_are_decoded_and_missing_ones_are_empty() {
        let mut sent = sent("a=1+2%26&b=%C3%A9&c=").await.unwrap();
        assert_eq!(sent.text("a"), "1 2&");
        assert_eq!(sent.text("b"), "é");
        assert!(!sent.flag("c"));
        assert_eq!(sent.text("d"), "");
        assert_eq!(sent.maybe("d"), None);
    }

    #[tokio::test]
    async fn a_field_sent_twice_is_refused() {
        assert_eq!(sent("a=1&b=2&a=1").await.unwrap_err(), Broken::Repeated);
        assert_eq!(sent("a=1&%61=2").await.unwrap_err(), Broken::Repeated);
    }

    #[tokio::test]
    async fn what_is_not_text_is_refused() {
        assert_eq!(sent("a=%FF").await.unwrap_err(), Broken::NotText);
        assert_eq!(sent("a=%00").await.unwrap_err(), Broken::NotText);
    }

    #[tokio::test]
    async fn a_body_over_its_limit_is_refused() {
        assert!(sent(&format!("a={}", "b".repeat(62))).await.is_ok());
        assert_eq!(sent(&format!("a={}", "b".repeat(63))).await.unwrap_err(), Broken::TooLarge);
        // Without a length, too.
        let frames = futures_util::stream::iter(
            (0..9).map(|_| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(b"12345678")))),
        );
        let body = http_body_util::StreamBody::new(frames);
        assert_eq!(collect(&form_fields(), body, 64, Duration::from_secs(1)).await.unwrap_err(), Broken::TooLarge);
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_given_up() {
        let body = http_body_util::StreamBody::new(futures_util::stream::pending::<
            Result<http_body::Frame<Bytes>, std::io::Error>,
        >());
        assert_eq!(collect(&form_fields(), body, 64, Duration::from_millis(5)).await.unwrap_err(), Broken::Stalled);
    }

    #[tokio::test]
    async fn only_one_urlencoded_type_is_taken() {
        for (values, taken) in [
            (&["application/x-www-form-urlencoded"][..], true),
            (&["Application/X-WWW-Form-Urlencoded;x=y"], true),
            (&["multipart/form-data; boundary=x"], false),
            (&["text/plain"], false),
            (&["application/json"], false),
            (&["application/x-www-form-urlencoded", "text/plain"], false),
            (&[], false),
        ] {
            let mut fields = HeaderMap::new();
            for value in values {
                fields.append(header::CONTENT_TYPE, value.parse().unwrap());
            }
            assert_eq!(urlencoded(&fields), taken, "{values:?}");
        }
    }

    #[test]
    fn the_sender_is_this_very_origin_or_silent() {
        let url = |text| PortalUrl::parse(text).unwrap();
        let table = [
            // portal.url, authority, secure, Origin, Sec-Fetch-Site, taken
            ("https://a.test", "a.test", true, None, None, true),
            ("https://a.test", "a.test", true, Some("https://a.test"), Some("same-origin"), true),
            ("https://a.test", "a.test", false, Some("https://a.test"), None, true),
            ("https://a.test", "a.test", false, Some("http://a.test"), None, false),
            ("https://a.test", "a.test", true, Some("https://b.test"), None, false),
            ("https://a.test", "a.test", true, Some("https://a.test"), Some("same-site"), false),
            ("https://a.test", "a.test", true, None, Some("cross-site"), false),
            ("https://a.test", "a.test", true, None, Some("none"), false),
            ("https://a.test", "a.test", true, Some("null"), None, false),
            ("https://a.test", "a.test", true, Some("https://a.test.b.test"), None, false),
            ("https://a.test", "w.test", true, Some("https://w.test"), None, true),
            ("http://localhost:8080", "127.0.0.1:8080", false, Some("http://127.0.0.1:8080"), None, true),
            ("http://localhost:8080", "localhost:8080", false, Some("http://localhost:3000"), None, false),
        ];
        for (portal, authority, secure, origin, site, taken) in table {
            let view = super::super::visit::tests::view(authority, secure, origin, site);
            assert_eq!(same_origin(&view, &url(portal), false), taken, "{portal} {authority} {origin:?} {site:?}");
        }
    }

    #[test]
    fn an_origin_of_null_says_nothing_only_where_our_page_asked_for_it() {
        let url = PortalUrl::parse("https://a.test").unwrap();
        for (site, token_in_url, taken) in [
            (None, false, false),
            (None, true, true),
            (Some("same-origin"), true, true),
            (Some("cross-site"), true, false),
        ] {
            let view = super::super::visit::tests::view("a.test", true, Some("null"), site);
            assert_eq!(same_origin(&view, &url, token_in_url), taken, "{site:?} {token_in_url}");
        }
    }
}
