//! Who is there, said to the upstream. A field is set or absent; there is no third branch.
//!
//! What the client sent under these names is gone by now ([`super::fields`]).

use super::fields::Sink;
use crate::{
    assertion::Assertions,
    config::identity::IdentityFields,
    policy::{Site, Subject},
};

/// Puts the identity fields of `subject` towards `site`, if somebody is signed in.
pub(super) fn put(
    names: &IdentityFields,
    assertions: &Assertions,
    (subject, site): (&Subject, &Site),
    sink: &mut impl Sink,
) {
    let Subject::Session(live) = subject else { return };
    let told = live.record.told();
    let assertion = names.assertion.as_ref().and_then(|_| assertions.field(&live.record, site.index));
    for (name, value) in [
        (&names.user, &told.user),
        (&names.name, &told.name),
        (&names.email, &told.email),
        (&names.id, &told.id),
        (&names.groups, &told.groups),
        (&names.assertion, &assertion),
    ] {
        if let (Some(name), Some(value)) = (name, value) {
            sink.put(name, value);
        }
    }
}
