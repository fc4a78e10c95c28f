//! Values before they mean anything: one tree, laid layer over layer, every value knowing its place.

use std::{collections::BTreeMap, sync::Arc};

use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problems};

/// A value and where it and its key stand.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
    pub(super) key_place: Place,
    /// As written, where the layer knows no types: a password of digits is still a password.
    pub(super) raw: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// A date or a float: no key wants one.
    Other(&'static str),
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "a truth value",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

impl Node {
    pub(super) fn new(value: Value, place: Place) -> Self {
        Self { value, key_place: place.clone(), place, raw: None }
    }

    pub(super) fn empty() -> Self {
        Self::new(Value::Table(BTreeMap::new()), Place::Default)
    }

    /// Puts `node` at `path`, making tables and lists on the way. `Err` says why there is no such place.
    pub(super) fn set(&mut self, path: &[&str], node: Self) -> Result<(), String> {
        let Some((first, rest)) = path.split_first() else {
            *self = node;
            return Ok(());
        };
        if let Ok(index) = first.parse::<usize>() {
            if !matches!(self.value, Value::List(_)) {
                *self = Self::new(Value::List(Vec::new()), node.place.clone());
            }
            let Value::List(items) = &mut self.value else { return Ok(()) };
            if index == items.len() {
                items.push(Self::new(Value::Table(BTreeMap::new()), node.place.clone()));
            }
            let len = items.len();
            let item = items.get_mut(index).ok_or(format!("there are only {len} items; they are counted from 0"))?;
            return item.set(rest, node);
        }
        if !matches!(self.value, Value::Table(_)) {
            *self = Self::new(Value::Table(BTreeMap::new()), node.place.clone());
        }
        if let Value::Table(entries) = &mut self.value {
            let entry = entries
                .entry((*first).to_owned())
                .or_insert_with(|| Self::new(Value::Table(BTreeMap::new()), node.place.clone()));
            return entry.set(rest, node);
        }
        Ok(())
    }

    /// The value at `path`, if anybody gave one.
    pub(super) fn get(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, part| match &node.value {
            Value::Table(entries) => entries.get(part),
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Where `path` was given, or the nearest table around it.
    pub(super) fn place_of(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(node) = self.get(path) {
                return node.place.clone();
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return Place::Default,
            }
        }
    }
}

/// Reads a TOML document; every syntax error becomes a problem, and what could be read is returned.
pub(super) fn parse_file(text: &str, file: &Arc<str>, problems: &Problems) -> Node {
    let (document, errors) = DeTable::parse_recoverable(text);
    let lines = Lines { text, file };
    for error in errors {
        let start = error.span().map_or(0, |span| span.start);
        problems.add_syntax(lines.place(start), error.message().replace('\n', ", "));
    }
    let place = Place::Default;
    table(document.into_inner(), &|at| lines.place(at), place)
}

/// Reads one TOML value (`[1, 2]`, `true`), all of it at `place`. `None` when the text is none.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value.into_inner(), &|_| place.clone(), place.clone()))
}

fn table(table: DeTable<'_>, places: &dyn Fn(usize) -> Place, place: Place) -> Node {
    let entries = table
        .into_iter()
        .map(|(key, value)| {
            let at = places(value.span().start);
            let mut node = convert(value.into_inner(), places, at);
            node.key_place = places(key.span().start);
            (key.into_inner().into_owned(), node)
        })
        .collect();
    Node::new(Value::Table(entries), place)
}

fn convert(value: DeValue<'_>, places: &dyn Fn(usize) -> Place, place: Place) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(truth) => Value::Boolean(truth),
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map_or(Value::Other("a number too large"), Value::Integer),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(entries) => return table(entries, places, place),
        DeValue::Array(items) => Value::List(
            items
                .into_iter()
                .map(|item| {
                    let at = places(item.span().start);
                    convert(item.into_inner(), places, at)
                })
                .collect(),
        ),
    };
    Node::new(value, place)
}

struct Lines<'t> {
    text: &'t str,
    file: &'t Arc<str>,
}

impl Lines<'_> {
    fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::File {
            file: Arc::clone(self.file),
            line: before.matches('\n').count() + 1,
            column: before.get(start..).map_or(1, |line| line.chars().count() + 1),
        }
    }
}
