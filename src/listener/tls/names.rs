//! The certificate for the name a client asks for: one look into a map, however many there are.
//!
//! The first certificate answers clients that send no name or one that no certificate holds. RFC 6066 §3; a wildcard stands for
//! exactly one label, RFC 9525 §6.3.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwapOption;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::pair::Pair;

/// Every certificate, by its names.
#[derive(Debug)]
pub(super) struct ByName {
    exact: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// `*.example.com` stands under `example.com`.
    wildcards: HashMap<Box<str>, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ByName {
    /// Where two hold the same name the earlier one has it. `None` without any.
    pub fn of<'p>(pairs: impl Iterator<Item = &'p Pair> + Clone) -> Option<Self> {
        let default = Arc::clone(&pairs.clone().next()?.key);
        let (mut exact, mut wildcards) = (HashMap::new(), HashMap::new());
        for (name, key) in pairs.flat_map(|pair| pair.names.iter().map(|name| (name, &pair.key))) {
            let (map, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut wildcards, parent),
                None => (&mut exact, name.as_str()),
            };
            map.entry(name.into()).or_insert_with(|| Arc::clone(key));
        }
        Some(Self { exact, wildcards, default })
    }

    /// `name` in lower case, as rustls gives it.
    fn named(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.exact.get(name).or_else(|| self.wildcards.get(name.split_once('.')?.1))
    }

    fn chosen(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        Arc::clone(name.and_then(|name| self.named(name)).unwrap_or(&self.default))
    }
}

/// What handshakes are answered with at the moment.
#[derive(Debug, Default)]
pub(super) struct Served(ArcSwapOption<ByName>);

impl Served {
    pub fn replace(&self, by: ByName) {
        self.0.store(Some(Arc::new(by)));
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|by_name| by_name.chosen(hello.server_name()))
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs;

    use super::{
        super::{pair::Contents, tests::certificate},
        *,
    };

    fn pairs(names: &[&[&str]]) -> Vec<Pair> {
        let folder = tempfile::tempdir().unwrap();
        let provider = aws_lc_rs::default_provider();
        let read = |(index, names): (usize, &&[&str])| {
            let files = certificate(folder.path(), names);
            Contents::read(index, &files).unwrap().pair(index, &files, &provider).unwrap()
        };
        names.iter().enumerate().map(read).collect()
    }

    #[test]
    fn the_certificate_is_chosen_by_name() {
        let pairs =
            pairs(&[&["a.example.com"], &["*.example.org", "Example.org"], &["x.example.org"], &["a.example.com"]]);
        let by_name = ByName::of(pairs.iter()).unwrap();
        let chosen = |name| pairs.iter().position(|pair| Arc::ptr_eq(&pair.key, &by_name.chosen(name))).unwrap();
        for (name, index) in [
            ("a.example.com", 0),
            ("a.example.com.", 0),
            ("wiki.example.org", 1),
            ("example.org", 1),
            ("x.example.org", 2),
            ("deep.wiki.example.org", 0),
            ("b.example.com", 0),
            ("org", 0),
        ] {
            assert_eq!(chosen(Some(name)), index, "{name}");
        }
        assert_eq!(chosen(None), 0);
    }
}
