//! Methods that a request names besides its own: many frameworks act on `X-HTTP-Method-Override` and its kin instead.
//!
//! The field is left to the application; but where rules go by methods, they are asked about each method named, and the
//! strictest answer wins. `_method` in a form or query is out of sight: README says so.

use http::{HeaderMap, HeaderName, Method};

/// Every method named; `None` when one of them is none, or there are too many to be honest.
pub(super) fn methods(fields: &HeaderMap) -> Option<Vec<Method>> {
    let mut methods = Vec::new();
    for (_, value) in fields.iter().filter(|(name, _)| is_override(name)) {
        for part in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if methods.len() == MOST {
                return None;
            }
            methods.push(Method::from_bytes(&part.to_ascii_uppercase()).ok()?);
        }
    }
    Some(methods)
}

/// Whether any method is named.
pub(super) fn any(fields: &HeaderMap) -> bool {
    fields.keys().any(is_override)
}

/// In any spelling: gateway interfaces (CGI, WSGI) see `_`, `-` and `.` as one.
fn is_override(name: &HeaderName) -> bool {
    let letters = || name.as_str().bytes().filter(u8::is_ascii_alphanumeric);
    // The first letter tells most fields apart.
    name.as_str().starts_with(['x', '-', '_', '.']) && NAMES.iter().any(|known| letters().eq(known.bytes()))
}

const NAMES: [&str; 3] = ["xhttpmethodoverride", "xhttpmethod", "xmethodoverride"];
const MOST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, value: &str) -> Option<Vec<Method>> {
        let name = HeaderName::try_from(name).unwrap();
        methods(&HeaderMap::from_iter([(name, value.parse().unwrap())]))
    }

    #[test]
    fn every_spelling_of_the_field_names_a_method() {
        for name in [
            "X-HTTP-Method-Override",
            "x_http_method_override",
            "X.HTTP-Method",
            "X-Method-Override",
            "x-methodoverride",
        ] {
            assert_eq!(named(name, " delete"), Some(vec![Method::DELETE]), "{name}");
        }
        assert_eq!(named("x-methods", "DELETE"), Some(Vec::new()));
        assert_eq!(named("x-http-method", "PUT, get"), Some(vec![Method::PUT, Method::GET]));
    }

    #[test]
    fn what_is_no_method_is_not_passed_over() {
        for value in ["", "DE LETE", "GET,", "\u{e9}", "a,b,c,d,e"] {
            assert_eq!(named("x-http-method", value), None, "{value}");
        }
    }
}
