//! What stands behind a site, as it is written.

use std::{path::PathBuf, time::Duration};

use super::{FULL, load, refuses};
use crate::config::site::{Address, Check, Upstream, UpstreamTls, Wire};

fn upstream(value: &str) -> Upstream {
    load(&format!("[[site]]\nupstream = {value}\n"), &[]).unwrap().sites[0].upstream.clone()
}

#[test]
fn every_kind_of_upstream_is_read() {
    for (value, wire, written) in [
        ("\"http://App:80/\"", Wire::Plain, "http://app"),
        ("\"h2c://127.0.0.1:50051\"", Wire::PriorKnowledge, "h2c://127.0.0.1:50051"),
        ("\"https://[::1]:8443\"", Wire::Tls, "https://[::1]:8443"),
        ("\"unix:/run/wiki.sock\"", Wire::Plain, "unix:/run/wiki.sock"),
        ("\"unix:///run/wiki.sock\"", Wire::Plain, "unix:/run/wiki.sock"),
        ("[\"https://a\", \"https://b:8443\"]", Wire::Tls, "https://a, https://b:8443"),
        ("[\"http://a\", \"unix:/run/b.sock\"]", Wire::Plain, "http://a, unix:/run/b.sock"),
    ] {
        let read = upstream(value);
        assert_eq!(read.to_string(), written);
        assert!(matches!(read, Upstream::Servers { wire: own, .. } if own == wire), "{value}");
    }
    assert_eq!(upstream("\"demo\""), Upstream::Demo);
    assert_eq!(Address::Unix("/run/a".into()).authority(Wire::Plain), "localhost");
}

#[test]
fn every_key_of_an_upstream_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["wiki.pem", "wiki.key"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let config = load(&FULL.replace("DIR", &folder.path().to_string_lossy()), &[]).unwrap();
    let [wiki, any] = &config.sites[..] else { panic!("two sites") };
    let (every, timeout) = (Duration::from_secs(1), Duration::from_millis(500));
    assert_eq!(wiki.check, Some(Check { path: "/health".into(), every, timeout }));
    assert_eq!(wiki.strip_prefix.as_deref(), Some("/wiki"));
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let client = Some((file("client.pem"), file("client.key")));
    let expected = UpstreamTls { ca: Some(file("ca.pem")), server_name: Some("app.internal".into()), client };
    assert_eq!((&any.tls, &any.check, &any.strip_prefix), (&expected, &None, &None));
    assert_eq!(config.limits.upstream_stall, Duration::from_secs(60));
    assert_eq!(config.limits.total, Some(Duration::from_secs(3600)));
}

#[test]
fn each_trap_of_upstreams_has_its_own_sentence() {
    let https = "[[site]]\nupstream = \"https://a\"\n";
    refuses(&[
        ("[[site]]\nupstream = \"unix:wiki.sock\"", &[], &["site.0.upstream", "whole path"]),
        ("[[site]]\nupstream = \"h2c://a/path\"", &[], &["site.0.upstream", "holds a path"]),
        ("[[site]]\nupstream = \"ftp://a\"", &[], &["site.0.upstream", "no scheme for an upstream"]),
        ("[[site]]\nupstream = []", &[], &["site.0.upstream", "empty"]),
        ("[[site]]\nupstream = [\"http://a\", \"demo\"]", &[], &["site.0.upstream", "stands alone"]),
        ("[[site]]\nupstream = [\"http://a\", \"https://a\"]", &[], &["site.0.upstream", "mixes http and https"]),
        ("[[site]]\nupstream = [\"http://a\", \"http://a:80\"]", &[], &["site.0.upstream", "twice"]),
        ("[[site]]\nupstream = [\"http://a\", \"http://localhost:8080\"]", &[], &["site.0.upstream", "own"]),
        ("[[site]]\nupstream = \"http://a\"\n[site.tls]\nca = \"x\"", &[], &["site.0.tls.ca", "https://"]),
        (&format!("{https}tls = {{ cert = \"x\" }}"), &[], &["site.0.tls.cert", "site.tls.key"]),
        (&format!("{https}tls = {{ key = \"x\" }}"), &[], &["site.0.tls.key", "site.tls.cert"]),
        (&format!("{https}tls = {{ server_name = \"a b\" }}"), &[], &["site.0.tls.server_name", "no name"]),
        (&format!("{https}check = {{ path = \"health\" }}"), &[], &["site.0.check.path", "begins with `/`"]),
        ("[[site]]\ncheck = { path = \"/\" }\nupstream = \"demo\"", &[], &["site.0.check.path", "demo"]),
        (&format!("{https}strip_prefix = \"/\""), &[], &["site.0.strip_prefix", "no prefix"]),
        (&format!("{https}strip_prefix = \"=/a\""), &[], &["site.0.strip_prefix", "everything below"]),
    ]);
}
