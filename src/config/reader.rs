//! Reads one table of the tree key by key; what nobody asked for at the end is an unknown key.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{
    problem::{Place, Problems},
    tree::{Node, Value},
};

/// A table being read. Call [`Section::finish`] last.
pub(super) struct Section<'t> {
    path: String,
    node: Option<&'t Node>,
    known: Vec<&'static str>,
    problems: &'t Problems,
}

impl<'t> Section<'t> {
    pub(super) fn root(root: &'t Node, problems: &'t Problems) -> Self {
        Self { path: String::new(), node: Some(root), known: Vec::new(), problems }
    }

    /// The dotted name of a key in this table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Says what is wrong with `key`.
    pub(super) fn refuse(&self, key: &str, message: impl Into<String>) {
        let place = self.peek(key).or(self.node).map_or(Place::Default, |node| node.place.clone());
        self.problems.add(&place, &self.key(key), message);
    }

    fn peek(&self, key: &str) -> Option<&'t Node> {
        match &self.node?.value {
            Value::Table(entries) => entries.get(key),
            _ => None,
        }
    }

    /// The value under `key`, which is now known.
    fn take(&mut self, key: &'static str) -> Option<&'t Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.peek(key)
    }

    /// Whether anybody gave `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.peek(key).is_some()
    }

    /// Whether `key` holds a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.peek(key).is_some_and(|node| matches!(node.value, Value::List(_)))
    }

    /// A table within this one.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'t> {
        let node = self.take(key);
        let path = self.key(key);
        Section {
            node: node.and_then(|node| self.table(node, &path)),
            path,
            known: Vec::new(),
            problems: self.problems,
        }
    }

    /// A list of tables within this one, in order.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'t>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.wrong(key, node, &format!("a list of tables: write [[{}]]", self.key(key)));
            return Vec::new();
        };
        let path = self.key(key);
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let path = format!("{path}.{index}");
                let node = Some(self.table(item, &path)?);
                Some(Section { node, path, known: Vec::new(), problems: self.problems })
            })
            .collect()
    }

    fn table(&self, node: &'t Node, path: &str) -> Option<&'t Node> {
        if matches!(node.value, Value::Table(_)) {
            return Some(node);
        }
        let hint = match &node.place {
            Place::Environment(name) => format!("; a key of it is {name}__KEY"),
            _ => String::new(),
        };
        self.problems.add(&node.place, path, format!("expected a table here, found {}{hint}", node.value.kind()));
        None
    }

    /// A text, parsed.
    pub(super) fn parse<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let node = self.take(key)?;
        let Some(text) = text(node) else {
            // What a number without its unit means, the parser of the text knows best.
            let hint = match node.value {
                Value::Integer(number) => parse(&number.to_string()).err(),
                _ => None,
            };
            self.wrong(
                key,
                node,
                &hint.map_or_else(|| "a text in quotes".into(), |hint| format!("a text in quotes: {hint}")),
            );
            return None;
        };
        parse(text).map_err(|message| self.problems.add(&node.place, &self.key(key), message)).ok()
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.parse(key, |text| if text.trim().is_empty() { Err("is empty".into()) } else { Ok(text.to_owned()) })
    }

    /// A path of a file or directory.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        match node.value {
            Value::Boolean(truth) => Some(truth),
            _ => {
                self.wrong(key, node, "true or false, without quotes");
                None
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn number(&mut self, key: &'static str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let node = self.take(key)?;
        let Value::Integer(number) = node.value else {
            self.wrong(key, node, "a whole number, without quotes");
            return None;
        };
        let number = u32::try_from(number).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.refuse(key, format!("has to lie between {} and {}", range.start(), range.end()));
        }
        number
    }

    /// A list of texts, each parsed; in the environment commas separate them as well.
    pub(super) fn list<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let node = self.take(key)?;
        if let (Value::Text(all), Some(_)) = (&node.value, &node.raw) {
            let parts = all.split(',').map(str::trim).filter(|part| !part.is_empty());
            return Some(parts.filter_map(|part| self.item(key, &node.place, part, &parse)).collect());
        }
        let Value::List(items) = &node.value else {
            self.wrong(key, node, "a list: [\"…\", \"…\"]");
            return None;
        };
        let mut parsed = Vec::with_capacity(items.len());
        for item in items {
            match text(item) {
                Some(text) => parsed.extend(self.item(key, &item.place, text, &parse)),
                None => self.wrong(key, item, "a text in quotes"),
            }
        }
        Some(parsed)
    }

    fn item<T>(&self, key: &str, place: &Place, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        parse(text).map_err(|message| self.problems.add(place, &self.key(key), message)).ok()
    }

    /// Every key of this table with its text: for tables whose keys the operator makes up.
    pub(super) fn entries(&mut self) -> Vec<(&'t str, &'t str)> {
        let Some(Node { value: Value::Table(entries), .. }) = self.node else { return Vec::new() };
        let mut texts = Vec::new();
        for (key, node) in entries {
            match text(node) {
                Some(text) => texts.push((key.as_str(), text)),
                None => self.wrong(key, node, "a text in quotes"),
            }
        }
        texts
    }

    /// A secret: `key` itself or, in `file_key`, the file that holds it. The higher layer wins; both in one is an error.
    pub(super) fn secret(&mut self, key: &'static str, file_key: &'static str) -> Option<SecretString> {
        let (inline, file) = (self.take(key), self.take(file_key));
        if let (Some(inline), Some(file)) = (inline, file) {
            if inline.place.layer() == file.place.layer() {
                let message = format!("given twice: here and as `{file_key}` at {}. Keep one", file.place);
                self.problems.add(&inline.place, &self.key(key), message);
                return None;
            }
            if inline.place.layer() > file.place.layer() {
                return self.inline_secret(key);
            }
        }
        if file.is_some() { self.secret_file(file_key) } else { self.inline_secret(key) }
    }

    fn inline_secret(&mut self, key: &'static str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    fn secret_file(&mut self, key: &'static str) -> Option<SecretString> {
        let path = self.path(key)?;
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim_end().is_empty() => self.refuse(key, format!("{} is empty", path.display())),
            // The newline that editors and `echo` leave at the end is no part of a secret.
            Ok(text) => return Some(SecretString::from(text.trim_end_matches(['\r', '\n']))),
            Err(error) => self.refuse(key, format!("{} cannot be read: {error}", path.display())),
        }
        None
    }

    fn wrong(&self, key: &str, node: &Node, expected: &str) {
        // Never the value itself: it may be a secret under the wrong type.
        let message = format!("expected {expected}; found {}", node.value.kind());
        self.problems.add(&node.place, &self.key(key), message);
    }

    /// Whatever is left is unknown.
    pub(super) fn finish(self) {
        let Some(Node { value: Value::Table(entries), .. }) = self.node else { return };
        for (key, node) in entries {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            let near = self.known.iter().map(|known| (distance(known, key), *known)).min();
            let hint = match near {
                Some((far, known)) if far <= 2 => format!("; did you mean `{known}`?"),
                _ if self.known.is_empty() => String::new(),
                _ => format!("; known here are {}", self.known.join(", ")),
            };
            self.problems.add(&node.key_place, &self.key(key), format!("unknown key{hint}"));
        }
    }
}

fn text(node: &Node) -> Option<&str> {
    match (&node.value, &node.raw) {
        (Value::Text(text), _) | (_, Some(text)) => Some(text),
        _ => None,
    }
}

/// Levenshtein's, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(0);
            let left = row.get(j).copied().unwrap_or(0);
            let best = (above + 1).min(left + 1).min(diagonal + usize::from(x != *y));
            diagonal = above;
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
        }
    }
    row.last().copied().unwrap_or(0)
}
