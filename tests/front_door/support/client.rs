//! A client that keeps cookies and speaks like a browser: fetch metadata, `Origin`, form posts.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{html, program::Program};

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What a person would read.
    pub fn words(&self) -> String {
        html::words(&self.text())
    }

    /// One field's value, or nothing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `Location`
    pub fn location(&self) -> &str {
        self.field("location")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The `Set-Cookie` lines.
    pub fn set_cookies(&self) -> Vec<String> {
        self.fields.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    /// The same reply, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}\n{}", self.fields, self.text());
        self
    }
}

/// How the client reaches the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1, plain.
    Http1,
    /// HTTP/2 with prior knowledge, plain.
    Http2,
    /// TLS with ALPN `http/1.1`; certificates are not checked.
    Tls1,
    /// TLS with ALPN `h2`; certificates are not checked.
    Tls2,
}

/// A person's browser, as far as HTTP goes.
#[derive(Clone, Debug)]
pub struct Browser {
    /// Where connections go.
    pub address: SocketAddr,
    /// `localhost:8080`: what stands in `Host`.
    pub authority: String,
    /// The name asked for in the TLS handshake; `None`: the authority's host. An address: none is sent.
    pub server_name: Option<String>,
    /// `http` or `https`: for `Origin`.
    pub scheme: &'static str,
    /// How.
    pub wire: Wire,
    /// Cookies by name.
    pub jar: BTreeMap<String, String>,
    /// Fields sent with every request.
    pub always: Vec<(String, String)>,
}

impl Browser {
    /// A fresh browser before the program's plain listener.
    pub fn new(program: &Program) -> Self {
        let authority = format!("localhost:{}", program.http.port());
        Self {
            address: program.http,
            authority,
            server_name: None,
            scheme: "http",
            wire: Wire::Http1,
            jar: BTreeMap::new(),
            always: Vec::new(),
        }
    }

    /// A fresh browser before the program's TLS listener, asking for `host`.
    pub fn tls(program: &Program, host: &str) -> Self {
        let authority = format!("{host}:{}", program.tls.port());
        Self {
            address: program.tls,
            authority,
            server_name: None,
            scheme: "https",
            wire: Wire::Tls1,
            jar: BTreeMap::new(),
            always: Vec::new(),
        }
    }

    /// Opens a document.
    pub async fn get(&mut self, target: &str) -> Reply {
        self.send(Method::GET, target, &navigation("none"), Bytes::new()).await
    }

    /// Follows a link of a page of the same origin.
    pub async fn follow(&mut self, target: &str) -> Reply {
        self.send(Method::GET, target, &navigation("same-origin"), Bytes::new()).await
    }

    /// Asks as a program: no fetch metadata, JSON wanted.
    pub async fn api(&mut self, target: &str) -> Reply {
        self.send(Method::GET, target, &[("accept", "application/json")], Bytes::new()).await
    }

    /// Posts a form from a page of the same origin, exactly these fields.
    pub async fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Reply {
        let origin = format!("{}://{}", self.scheme, self.authority);
        let mut head = navigation("same-origin");
        head.push(("origin", origin.as_str()));
        head.push(("content-type", "application/x-www-form-urlencoded"));
        self.send(Method::POST, target, &head, encode(fields)).await
    }

    /// Opens `page`, takes its form token, and posts the fields with it to `action`.
    pub async fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Reply {
        let form = self.get(page).await;
        let token = html::input_value(&form.text(), "csrf")
            .unwrap_or_else(|| panic!("no form token on {page}: {} {}", form.status, form.words()));
        let mut all = fields.to_vec();
        all.push(("csrf", &token));
        self.post(action, &all).await
    }

    /// Signs in on the portal's page. Nothing is asserted.
    pub async fn sign_in(&mut self, identifier: &str, password: &str) -> Reply {
        self.submit("/.auth/login", "/.auth/login", &[("identifier", identifier), ("password", password)]).await
    }

    /// Signs in; it must succeed.
    pub async fn signed_in(mut self, identifier: &str, password: &str) -> Self {
        self.sign_in(identifier, password).await.expect(303);
        self
    }

    /// Registers on the portal's page. Nothing is asserted.
    pub async fn register(&mut self, username: &str, password: &str) -> Reply {
        let email = format!("{username}@example.com");
        let fields = [
            ("first_name", "Ada"),
            ("last_name", "Lovelace"),
            ("username", username),
            ("email", &email),
            ("password", password),
            ("password_confirm", password),
        ];
        self.submit("/.auth/register", "/.auth/register", &fields).await
    }

    /// One request with exactly these fields (and `Host`, `Cookie`).
    pub async fn send(&mut self, method: Method, target: &str, fields: &[(&str, &str)], body: Bytes) -> Reply {
        let http2 = matches!(self.wire, Wire::Http2 | Wire::Tls2);
        let mut request = Request::builder().method(method);
        request = match http2 {
            true => request.uri(format!("{}://{}{target}", self.scheme, self.authority)),
            false => request.uri(target).header("host", &self.authority),
        };
        let always: Vec<_> = self.always.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for (name, value) in fields.iter().chain(&always) {
            request = request.header(*name, *value);
        }
        if !self.jar.is_empty() {
            let all: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", all.join("; "));
        }
        let reply = self.exchange(request.body(Full::new(body)).unwrap()).await;
        self.keep_cookies(&reply);
        reply
    }

    /// One request on a connection of its own.
    pub async fn exchange(&self, request: Request<Full<Bytes>>) -> Reply {
        let socket = TcpStream::connect(self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let name = self.server_name.as_deref().unwrap_or(&self.authority);
        match self.wire {
            Wire::Http1 => http1(socket, request).await,
            Wire::Http2 => http2(socket, request).await,
            Wire::Tls1 => http1(encrypt(socket, name, b"http/1.1").await, request).await,
            Wire::Tls2 => http2(encrypt(socket, name, b"h2").await, request).await,
        }
    }

    fn keep_cookies(&mut self, reply: &Reply) {
        for line in reply.set_cookies() {
            let (pair, attributes) = line.split_once(';').unwrap_or((&line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
                self.jar.remove(name.trim());
            } else {
                self.jar.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// The session cookie's name and value.
    pub fn session_cookie(&self) -> Option<(String, String)> {
        self.jar
            .iter()
            .find(|(name, _)| {
                let plain =
                    name.strip_prefix("vestibule-").is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
                plain || name.as_str() == "__Host-vestibule" || name.as_str() == "__Secure-vestibule"
            })
            .map(|(name, value)| (name.clone(), value.clone()))
    }
}

/// The fetch metadata of a document navigation.
pub fn navigation(site: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("sec-fetch-site", site),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-user", "?1"),
    ]
}

/// `application/x-www-form-urlencoded`
pub fn encode(fields: &[(&str, &str)]) -> Bytes {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into()
}

async fn http1(
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Reply {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    read(sender.send_request(request).await.unwrap()).await
}

async fn http2(
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Reply {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    read(sender.send_request(request).await.unwrap()).await
}

async fn read(response: http::Response<hyper::body::Incoming>) -> Reply {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: head.status, fields: head.headers, body }
}

/// A TLS connection that checks no certificate.
pub async fn encrypt(socket: TcpStream, authority: &str, alpn: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut settings = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
        .with_no_client_auth();
    settings.alpn_protocols = vec![alpn.to_vec()];
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned();
    let name = rustls_pki_types::ServerName::try_from(host).unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(settings)).connect(name, socket).await.unwrap()
}

#[derive(Debug)]
struct Unchecked(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &[rustls_pki_types::CertificateDer<'_>],
        _: &rustls_pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &rustls_pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &rustls_pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
