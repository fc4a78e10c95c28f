//! `[log]`: in which form the log is written. The level is `RUST_LOG`'s, `info` by default.

/// `[log]`
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// `format`
    pub format: Format,
}

/// `log.format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}
