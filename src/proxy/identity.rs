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
    let Some(live) = subject.live() else { return };
    sink.put_all(live.record.told(names));
    if let Some(name) = &names.assertion
        && let Some(assertion) = assertions.field(&live.record, site.index)
    {
        sink.put(name, &assertion);
    }
}
