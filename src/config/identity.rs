//! `[identity]`: under which names the upstream learns who is there.

use http::HeaderName;

/// `[identity]`; an empty name in the file leaves that field out (`None`).
#[derive(Clone, Debug)]
pub struct IdentityFields {
    /// `preferred_username`
    pub user: Option<HeaderName>,
    /// Full name.
    pub name: Option<HeaderName>,
    /// E-mail, once confirmed.
    pub email: Option<HeaderName>,
    /// Comma separated.
    pub groups: Option<HeaderName>,
    /// `sub`
    pub id: Option<HeaderName>,
    /// The signed assertion; until it is built, the name is only kept clean.
    pub assertion: Option<HeaderName>,
}

impl Default for IdentityFields {
    fn default() -> Self {
        let name = |name: &'static str| Some(HeaderName::from_static(name));
        Self {
            user: name("remote-user"),
            name: name("remote-name"),
            email: name("remote-email"),
            groups: name("remote-groups"),
            id: name("remote-id"),
            assertion: name("vestibule-assertion"),
        }
    }
}
