//! `[log]`: in which form the log is written. The level is `RUST_LOG`'s, `info` by default.

use super::reader::Section;

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

pub(super) fn read(mut section: Section<'_>) -> Log {
    let format = section.parse("format", |text| match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        other => Err(format!("`{other}` is neither \"text\" nor \"json\"")),
    });
    section.finish();
    Log { format: format.unwrap_or_default() }
}
