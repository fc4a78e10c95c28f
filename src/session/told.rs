//! What sites are told of a person, ready to be sent: made once for a record.
//!
//! Values are UTF-8 without control bytes; what would be empty is absent.

use std::sync::OnceLock;

use http::HeaderValue;

use super::record::Record;
use crate::{config::identity::IdentityFields, inbound::Written};

/// Follows from the rest of its record: it takes no part in comparisons, and a copy, which may be changed, begins without.
#[derive(Debug, Default)]
pub(crate) struct Once(OnceLock<Written>);

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
    /// The person, in the identity fields but the assertion. `names`: always the same in one process.
    pub fn told(&self, names: &IdentityFields) -> &Written {
        self.told.0.get_or_init(|| {
            let values = [
                (&names.user, value(&self.username)),
                (&names.name, value(&self.name)),
                (&names.email, self.email.as_deref().and_then(value)),
                (&names.id, value(&self.account.0)),
                (&names.groups, value(&groups(&self.groups))),
            ];
            Written::of(values.into_iter().filter_map(|(name, value)| Some((name.clone()?, value?))))
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
        let names = IdentityFields::default();
        let said = |record: &Record| {
            let fields = record.told(&names).fields().iter();
            fields.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect::<Vec<_>>()
        };
        let record = Record::for_testing();
        assert!(said(&record).contains(&"remote-groups: staff".to_owned()));
        let mut changed = record.clone();
        changed.groups = vec!["board".into(), "a,b".into(), "staff".into()];
        changed.email = None;
        assert_eq!(
            said(&changed),
            ["remote-user: ada", "remote-name: Ada Lovelace", "remote-id: id-of-ada", "remote-groups: board,staff"]
        );
    }
}
