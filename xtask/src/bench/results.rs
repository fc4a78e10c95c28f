//! `benches/RESULTS.md`: an overview of every row against its goals, then a section for each. A run replaces the rows it
//! measured and leaves the others as they are.

use std::{fs, path::PathBuf};

use super::{
    report::{OVERVIEW, Section},
    rows::{ROWS, Row},
};
use crate::Failure;

/// The file, row by row.
pub(super) struct Results {
    path: PathBuf,
    parts: Vec<Part>,
}

/// What the file says of one row.
#[derive(Clone, Default)]
struct Part {
    overview: Vec<String>,
    section: String,
}

impl Results {
    /// Reads what is there.
    pub(super) fn open() -> Result<Self, Failure> {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/RESULTS.md"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        Ok(Self { path, parts: ROWS.iter().map(|row| Part::read(&text, row.name)).collect() })
    }

    /// Replaces one row.
    pub(super) fn put(&mut self, row: &Row, section: &Section, ran_on: &str) {
        let overview = section.verdicts.iter().map(|verdict| verdict.line(row.name)).collect();
        let note = if section.note.is_empty() { String::new() } else { format!("{}\n\n", section.note) };
        let text = format!("## {}\n\n{}.\n\n{note}{}\n{ran_on}\n", row.name, row.what, section.table.shown());
        for (place, part) in ROWS.iter().zip(&mut self.parts) {
            if place.name == row.name {
                *part = Part { overview, section: text.clone() };
                return;
            }
        }
    }

    pub(super) fn write(&self) -> Result<(), Failure> {
        let overview: Vec<_> = self.parts.iter().flat_map(|part| part.overview.clone()).collect();
        let sections: Vec<_> =
            self.parts.iter().map(|part| part.section.as_str()).filter(|text| !text.is_empty()).collect();
        let text = format!("{INTRODUCTION}\n{OVERVIEW}\n{}\n\n{}", overview.join("\n"), sections.join("\n"));
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        fs::write(&self.path, text).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

impl Part {
    fn read(text: &str, name: &str) -> Self {
        let own = format!("| {name} | ");
        let overview = text.lines().filter(|line| line.starts_with(&own)).map(str::to_owned).collect();
        let mut inside = false;
        let mut section = String::new();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("## ") {
                inside = title == name;
            }
            if inside {
                section += &format!("{line}\n");
            }
        }
        let section = if section.is_empty() { section } else { format!("{}\n", section.trim_end()) };
        Self { overview, section }
    }
}

const INTRODUCTION: &str = "# What the door costs

Written by `cargo xtask bench`; do not edit. Every proxy stands before the same upstream (nginx, 1 KiB), pinned to one core; load
and upstream share another. Rounds alternate between the proxies, and medians are shown. `nginx` is a plain proxy without
authentication and without a log; Vestibule has a live session, sets the identity fields and writes its access log. CPU is what
`/proc` counts in the proxy's processes, the kernel's work for them included.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_again_in_what_was_written() {
        let text = "# t\n\n| h1 | a | b |\n| h2 | c | d |\n\n## h1\n\nfigures\n\n## h2\n\nothers\n";
        let part = Part::read(text, "h1");
        assert_eq!(part.overview, ["| h1 | a | b |"]);
        assert_eq!(part.section, "## h1\n\nfigures\n");
    }
}
