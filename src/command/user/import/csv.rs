//! Comma separated values with a header (RFC 4180): what any database can export.

use super::{Imported, Listed};

/// Where each column stands.
#[derive(Debug, Default)]
struct Columns {
    places: [Option<usize>; NAMES.len()],
    count: usize,
}

pub(super) fn read(text: &str) -> Listed {
    let mut listed = Listed::default();
    let mut reader = ::csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut columns = None;
    let mut counted = Counted { text, byte: 0, line: 1 };
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                listed.tell("", "", format!("{error}"));
                return listed;
            }
        };
        let at = format!("line {}", counted.line_of(record.position().map_or(0, ::csv::Position::byte)));
        match &columns {
            None => match header(&record, &at, &mut listed) {
                Some(found) => columns = Some(found),
                None => return listed,
            },
            Some(columns) => person(&record, columns, at, &mut listed),
        }
    }
    listed
}

/// The crate's own count is one less where lines end in CR LF, and where empty ones went before.
struct Counted<'a> {
    text: &'a str,
    byte: usize,
    line: usize,
}

impl Counted<'_> {
    /// The line of the record that begins there, or after the ends of lines that stand there; forwards only.
    fn line_of(&mut self, byte: u64) -> usize {
        let bytes = self.text.as_bytes();
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let ends = bytes.get(byte..).unwrap_or_default().iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let begin = byte.saturating_add(ends.count());
        let passed = bytes.get(self.byte..begin).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.byte = begin;
        self.line
    }
}

fn header(record: &::csv::StringRecord, at: &str, listed: &mut Listed) -> Option<Columns> {
    let mut columns = Columns { count: record.len(), ..Columns::default() };
    for (place, column) in record.iter().enumerate() {
        let column = column.trim();
        let known = NAMES.iter().position(|name| *name == column).and_then(|index| columns.places.get_mut(index));
        match known {
            Some(known @ None) => *known = Some(place),
            Some(Some(_)) => listed.tell(at, column, "This column is there twice."),
            None => {
                let column: String = column.chars().take(64).collect();
                let message = format!("`{column}` is no column here. There can be {}.", NAMES.join(", "));
                listed.tell(at, "", message);
            }
        }
    }
    if listed.problems.is_empty() && columns.places[USERNAME].is_none() {
        listed.tell(at, NAMES[USERNAME], "This column is missing.");
    }
    listed.problems.is_empty().then_some(columns)
}

fn person(record: &::csv::StringRecord, columns: &Columns, at: String, listed: &mut Listed) {
    if record.len() != columns.count {
        let message = format!("Here are {} columns, and {} in the header.", record.len(), columns.count);
        return listed.tell(at, "", message);
    }
    let whole = |index: usize| {
        let place = columns.places.get(index).copied().flatten();
        place.and_then(|place| record.get(place)).unwrap_or_default()
    };
    // A quote that never closes makes one field of the lines that follow.
    for (index, name) in NAMES.iter().enumerate() {
        if whole(index).contains(['\n', '\r']) {
            return listed.tell(at, name, "There is a line break in it: is a quote missing?");
        }
    }
    let field = |index: usize| whole(index).trim();
    let disabled = match field(DISABLED).to_ascii_lowercase().as_str() {
        "" | "0" | "false" | "f" | "no" | "n" => false,
        "1" | "true" | "t" | "yes" | "y" => true,
        _ => {
            listed.tell(&at, NAMES[DISABLED], "Say true or false.");
            false
        }
    };
    let groups = field(GROUPS).split(';').map(str::trim).filter(|group| !group.is_empty());
    listed.people.push(Imported {
        username: field(USERNAME).to_owned(),
        email: field(EMAIL).to_owned(),
        first_name: field(FIRST_NAME).to_owned(),
        last_name: field(LAST_NAME).to_owned(),
        groups: groups.map(str::to_owned).collect(),
        hash: field(PASSWORD_HASH).into(),
        disabled,
        at,
        ..Imported::default()
    });
}

const NAMES: [&str; 7] = ["username", "email", "first_name", "last_name", "groups", "password_hash", "disabled"];
const USERNAME: usize = 0;
const EMAIL: usize = 1;
const FIRST_NAME: usize = 2;
const LAST_NAME: usize = 3;
const GROUPS: usize = 4;
const PASSWORD_HASH: usize = 5;
const DISABLED: usize = 6;
