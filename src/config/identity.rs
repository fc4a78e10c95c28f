//! `[identity]`: under which names the upstream learns who is there.

use http::HeaderName;

use super::reader::Section;

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
    /// The signed assertion; `None`: nothing is signed.
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

impl IdentityFields {
    /// The names that are set, with their keys.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &HeaderName)> {
        [
            ("user", &self.user),
            ("name", &self.name),
            ("email", &self.email),
            ("groups", &self.groups),
            ("id", &self.id),
            ("assertion", &self.assertion),
        ]
        .into_iter()
        .filter_map(|(key, name)| name.as_ref().map(|name| (key, name)))
    }
}

pub(super) fn read(mut section: Section<'_>) -> IdentityFields {
    let default = IdentityFields::default();
    let fields = IdentityFields {
        user: section.parse("user", field).unwrap_or(default.user),
        name: section.parse("name", field).unwrap_or(default.name),
        email: section.parse("email", field).unwrap_or(default.email),
        groups: section.parse("groups", field).unwrap_or(default.groups),
        id: section.parse("id", field).unwrap_or(default.id),
        assertion: section.parse("assertion", field).unwrap_or(default.assertion),
    };
    let names: Vec<_> = fields.names().collect();
    for (index, (key, name)) in names.iter().enumerate() {
        if let Some((other, _)) = names.iter().take(index).find(|(_, earlier)| folded(earlier) == folded(name)) {
            let message = format!(
                "`{name}` and identity.{other} are one name to many applications, which read `-`, `_` and `.` alike: choose another"
            );
            // The one that was given is the one to change.
            section.refuse(if section.has(key) { key } else { other }, message);
        }
    }
    section.finish();
    fields
}

fn field(text: &str) -> Result<Option<HeaderName>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let name =
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("`{text}` cannot be the name of a field"))?;
    if is_ours(&name) {
        return Err(format!("`{name}` has a meaning of its own in HTTP: choose another, like \"Remote-User\""));
    }
    Ok(Some(name))
}

/// A name as lenient applications read it: `Remote-User`, `REMOTE_USER` and `remote.user` are one.
#[must_use]
pub fn folded(name: &HeaderName) -> String {
    name.as_str().replace(['_', '.'], "-")
}

/// Fields that carry the message itself or that the gateway rebuilds: no setting may take them.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    const OURS: [&str; 22] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-real-ip",
        "x-request-id",
    ];
    OURS.contains(&folded(name).as_str())
}
