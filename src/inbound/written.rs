//! Fields that are the same for many requests, written out once.

use http::{HeaderName, HeaderValue};

/// Fields in two forms: for a map, and as lines of HTTP/1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    fields: Vec<(HeaderName, HeaderValue)>,
    lines: Vec<u8>,
}

impl Written {
    /// In their order.
    #[must_use]
    pub fn of(fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        let fields: Vec<_> = fields.into_iter().collect();
        let mut lines = Vec::new();
        for (name, value) in &fields {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                lines.extend_from_slice(part);
            }
        }
        Self { fields, lines }
    }

    /// Each of them.
    #[must_use]
    pub fn fields(&self) -> &[(HeaderName, HeaderValue)] {
        &self.fields
    }

    /// All of them, each with its CRLF.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }
}
