//! Who is there, said to the upstream. A field is set or absent; there is no third branch.
//!
//! What the client sent under these names is gone by now ([`super::fields`]). Values are UTF-8 without control bytes.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    assertion::Assertions,
    config::identity::IdentityFields,
    policy::{Site, Subject},
    session::Record,
};

/// Sets the identity fields of `subject` towards `site`, if somebody is signed in.
pub(super) fn set(
    names: &IdentityFields,
    assertions: &Assertions,
    (subject, site): (&Subject, &Site),
    fields: &mut HeaderMap,
) {
    let Subject::Session(live) = subject else { return };
    let record: &Record = &live.record;
    let mut put = |name: &Option<HeaderName>, text: &str| {
        if let Some(name) = name
            && let Some(value) = value(text)
        {
            fields.insert(name, value);
        }
    };
    put(&names.user, &record.username);
    put(&names.name, &record.name);
    put(&names.email, record.email.as_deref().unwrap_or_default());
    put(&names.id, &record.account.0);
    // A name with a comma would read as two groups. None is ever made; none is ever sent.
    let groups: Vec<&str> = record.groups.iter().map(String::as_str).filter(|group| !group.contains(',')).collect();
    put(&names.groups, &groups.join(","));
    if let Some(name) = &names.assertion
        && let Some(assertion) = assertions.field(&live.record, site.index)
    {
        fields.insert(name, assertion);
    }
}

/// `None`: nothing to say.
fn value(text: &str) -> Option<HeaderValue> {
    let clean: String;
    let text = if text.chars().any(char::is_control) {
        clean = text.chars().filter(|c| !c.is_control()).collect();
        &clean
    } else {
        text
    };
    let text = text.trim();
    if text.is_empty() { None } else { HeaderValue::from_bytes(text.as_bytes()).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_utf8_without_control_bytes() {
        assert_eq!(value("Zoë Ōta").unwrap().as_bytes(), "Zoë Ōta".as_bytes());
        assert_eq!(value("a\r\nX-Evil: 1\u{85}\t").unwrap(), "aX-Evil: 1");
        assert_eq!(value(" \u{7} "), None);
    }
}
