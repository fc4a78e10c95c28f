//! For `fuzz/targets/cookies.rs`: our cookies are read once and never travel; all others do, byte for byte and in order.

use http::{HeaderMap, HeaderValue, header::COOKIE};

use super::cookie::{Cookies, HOPS, Presented};
use crate::config::portal::PortalUrl;

/// Each line is one `Cookie` field.
pub fn cookies(bytes: &[u8]) {
    for (url, session) in [("http://localhost:8080", "vestibule-8080"), ("https://example.com", "__Host-vestibule")] {
        let Ok(url) = PortalUrl::parse(url) else { return };
        let own = |what: &str| session.replace("vestibule", &format!("vestibule-{what}"));
        let ours = [session.to_owned(), own("flow"), own("device"), HOPS.to_owned()];
        check(&Cookies::new(&url, None), &ours, bytes);
    }
}

fn check(cookies: &Cookies, ours: &[String], bytes: &[u8]) {
    let lines = bytes.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let received: HeaderMap = lines.map(|line| (COOKIE, line)).collect();
    let fields: HeaderMap = cookies.others(&received).map(|line| (COOKIE, line)).into_iter().collect();
    assert_eq!(cookies.session.read(&fields), Presented::Absent);
    assert_eq!(cookies.flow.read(&fields), Presented::Absent);
    assert_eq!(cookies.device.read(&fields), Presented::Absent);
    assert_eq!(others(&fields, &[]), others(&received, ours), "other cookies and their order stay");
    let exact = |name: &str| {
        let own = |pair: &Vec<u8>| pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
        others(&received, &[]).iter().filter(|pair| own(pair)).count()
    };
    let count = ours.first().map_or(0, |session| exact(session));
    match cookies.session.read(&received) {
        Presented::Absent => assert_eq!(count, 0),
        Presented::Once(_) => assert_eq!(count, 1),
        Presented::Ambiguous => assert!(count > 1),
    }
    for line in received.get_all(COOKIE) {
        // What reading takes for ours, no upstream may set.
        let alone: HeaderMap = std::iter::once((COOKIE, first(line))).collect();
        assert!(cookies.session.read(&alone) == Presented::Absent || cookies.sets_ours(line), "{line:?}");
    }
}

/// Every pair whose name is not listed.
fn others(fields: &HeaderMap, listed: &[String]) -> Vec<Vec<u8>> {
    let lines = fields.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b';')).map(<[u8]>::trim_ascii);
    let name = |pair: &[u8]| pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii().to_vec();
    let kept = pairs.filter(|pair| !pair.is_empty() && !listed.iter().any(|own| name(pair) == own.as_bytes()));
    kept.map(<[u8]>::to_vec).collect()
}

fn first(line: &HeaderValue) -> HeaderValue {
    let pair = line.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    HeaderValue::from_bytes(pair).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_stays_fixed() {
        crate::world::replay("cookies", super::cookies);
    }
}
