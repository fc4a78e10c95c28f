//! `[passkey]`: for which names passkeys are made, and where they may be used.

use url::{Host, Url};

use super::{portal::PortalUrl, reader::Section};

/// `[passkey]`
#[derive(Clone, Debug, Default)]
pub struct Passkey {
    /// `None`: browsers know no passkeys at `portal.url` (an IP address, or plain http beyond this machine).
    pub party: Option<RelyingParty>,
}

/// The relying party of WebAuthn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// RP id: the portal's host, or a domain above it. Passkeys made for another one are worth nothing.
    pub id: String,
    /// The origins whose pages may ask for them; the portal's first.
    pub origins: Vec<String>,
}

/// What the section says.
pub(super) struct Wanted {
    id: Option<String>,
    origins: Vec<String>,
}

pub(super) fn read(mut section: Section<'_>) -> Wanted {
    let id = section.parse("rp_id", |text| match Host::parse(text) {
        Ok(Host::Domain(name)) => Ok(name),
        _ => Err(format!("`{text}` is not a domain: write `example.com`, without scheme and port")),
    });
    let origins = section.list("origins", origin).unwrap_or_default();
    section.finish();
    Wanted { id, origins }
}

fn origin(text: &str) -> Result<String, String> {
    let url = PortalUrl::parse(text)?;
    if url.secure || url.host == "localhost" {
        Ok(url.origin())
    } else {
        Err(format!("`{text}`: browsers know passkeys on https (and on localhost) only"))
    }
}

/// Settles the section with `portal.url`.
///
/// # Errors
/// The key, and a sentence.
pub(super) fn settle(wanted: Wanted, portal: &PortalUrl) -> Result<Passkey, (&'static str, String)> {
    let named = wanted.id.is_some();
    let is_name = Url::parse(&portal.origin()).is_ok_and(|url| url.domain().is_some());
    if !is_name || !(portal.secure || portal.host == "localhost") {
        let why = format!("{} is no address where browsers know passkeys: they need https and a name", portal.origin());
        return if named { Err(("passkey.rp_id", why)) } else { Ok(Passkey::default()) };
    }
    let id = wanted.id.unwrap_or_else(|| portal.host.clone());
    if !is_under(&portal.host, &id) {
        let what = format!("`{id}` is neither the host of portal.url ({}) nor a domain above it", portal.host);
        return Err(("passkey.rp_id", what));
    }
    let mut origins = vec![portal.origin()];
    for origin in wanted.origins {
        let host = Url::parse(&origin).ok().and_then(|url| url.domain().map(str::to_owned)).unwrap_or_default();
        if !is_under(&host, &id) {
            return Err(("passkey.origins", format!("`{origin}` is not under passkey.rp_id, which is `{id}`")));
        }
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    Ok(Passkey { party: Some(RelyingParty { id, origins }) })
}

/// A domain without a dot (but `localhost`) would be a whole top-level domain; browsers refuse it.
fn is_under(host: &str, id: &str) -> bool {
    let whole = id.contains('.') || id == host;
    whole && host.strip_suffix(id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(portal: &str, id: Option<&str>, origins: &[&str]) -> Result<Option<RelyingParty>, &'static str> {
        let portal = PortalUrl::parse(portal).unwrap();
        let wanted = Wanted { id: id.map(Into::into), origins: origins.iter().map(|&one| one.into()).collect() };
        settle(wanted, &portal).map(|passkey| passkey.party).map_err(|(key, _)| key)
    }

    #[test]
    fn passkeys_are_for_the_portals_host_unless_a_domain_above_it_is_named() {
        let party = |id: &str, origins: &[&str]| {
            Ok(Some(RelyingParty { id: id.into(), origins: origins.iter().map(|&one| one.into()).collect() }))
        };
        assert_eq!(
            settled("https://login.example.com", None, &[]),
            party("login.example.com", &["https://login.example.com"])
        );
        assert_eq!(settled("http://localhost:8080", None, &[]), party("localhost", &["http://localhost:8080"]));
        assert_eq!(
            settled("https://login.example.com", Some("example.com"), &["https://www.example.com"]),
            party("example.com", &["https://login.example.com", "https://www.example.com"])
        );
    }

    #[test]
    fn where_browsers_know_none_there_are_none_and_naming_them_is_refused() {
        for portal in ["https://192.0.2.1", "http://127.0.0.1:8080", "http://wiki.lan", "https://[2001:db8::1]"] {
            assert_eq!(settled(portal, None, &[]), Ok(None), "{portal}");
            assert_eq!(settled(portal, Some("wiki.lan"), &[]), Err("passkey.rp_id"), "{portal}");
        }
    }

    #[test]
    fn a_domain_that_is_not_the_portals_is_refused() {
        for id in ["example.org", "ample.com", "com", "a.login.example.com"] {
            assert_eq!(settled("https://login.example.com", Some(id), &[]), Err("passkey.rp_id"), "{id}");
        }
        for origin in ["https://example.com", "https://evillogin.example.com"] {
            assert_eq!(settled("https://login.example.com", None, &[origin]), Err("passkey.origins"), "{origin}");
        }
    }
}
