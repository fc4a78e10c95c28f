//! What sites are told of a person, ready to be sent: made once for a record, whatever names the fields have.
//!
//! Values are UTF-8 without control bytes; what would be empty is absent.

use std::sync::OnceLock;

use http::HeaderValue;

use super::record::Record;

/// The values of the identity fields.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Username.
    pub user: Option<HeaderValue>,
    /// Full name.
    pub name: Option<HeaderValue>,
    /// Only once confirmed.
    pub email: Option<HeaderValue>,
    /// Comma separated.
    pub groups: Option<HeaderValue>,
    /// `sub`
    pub id: Option<HeaderValue>,
}

/// Follows from the rest of its record: it takes no part in comparisons, and a copy, which may be changed, begins without.
#[derive(Debug, Default)]
pub(crate) struct Once(OnceLock<Told>);

impl Clone for Once {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Once {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Once {}

impl Record {
    /// The person in words that fields can carry.
    pub fn told(&self) -> &Told {
        self.told.0.get_or_init(|| Told {
            user: value(&self.username),
            name: value(&self.name),
            email: self.email.as_deref().and_then(value),
            groups: value(&groups(&self.groups)),
            id: value(&self.account.0),
        })
    }
}

/// A name with a comma would read as two groups. None is ever made; none is ever sent.
fn groups(all: &[String]) -> String {
    all.iter().map(String::as_str).filter(|group| !group.contains(',')).collect::<Vec<_>>().join(",")
}

/// `None`: nothing to say.
fn value(text: &str) -> Option<HeaderValue> {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = clean.trim();
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

    #[test]
    fn a_changed_copy_tells_its_own() {
        let record = Record::for_testing();
        assert_eq!(record.told().groups.as_ref().unwrap(), "staff");
        let mut changed = record.clone();
        changed.groups = vec!["board".into(), "a,b".into(), "staff".into()];
        changed.email = None;
        assert_eq!(changed.told().groups.as_ref().unwrap(), "board,staff");
        assert_eq!(changed.told().email, None);
    }
}
