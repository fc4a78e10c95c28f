//! `manage.py dumpdata auth.user auth.group`: people and groups as JSON, with natural keys or without.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Imported, Listed};

#[derive(Deserialize)]
struct Record {
    model: String,
    /// Absent with `--natural-primary`.
    #[serde(default)]
    pk: Value,
    fields: Map<String, Value>,
}

pub(super) fn read(text: &str) -> Listed {
    let mut listed = Listed::default();
    let records: Vec<Record> = match serde_json::from_str(text) {
        Ok(records) => records,
        Err(error) => {
            // Its sentences repeat no values of ours but those of the wrong type, cut here.
            let sentence: String = error.to_string().chars().take(200).collect();
            listed.tell("", "", format!("This is not what `manage.py dumpdata` writes: {sentence}."));
            return listed;
        }
    };
    let of = |record: &Record, kind: &str| record.model.rsplit_once('.').is_some_and(|(_, model)| model == kind);
    let groups: HashMap<String, &str> = records
        .iter()
        .filter(|record| of(record, "group"))
        .filter_map(|record| Some((record.pk.to_string(), record.fields.get("name")?.as_str()?)))
        .collect();
    for (index, record) in records.iter().enumerate().filter(|(_, record)| of(record, "user")) {
        let at = match &record.pk {
            Value::Number(pk) => format!("user {pk}"),
            Value::String(pk) => format!("user {}", pk.chars().take(64).collect::<String>()),
            _ => format!("record {}", index + 1),
        };
        person(&record.fields, &groups, at, &mut listed);
    }
    if listed.people.is_empty() && listed.problems.is_empty() {
        listed.tell("", "", "There is no user in it: export with `manage.py dumpdata auth.user auth.group`.");
    }
    listed
}

fn person(fields: &Map<String, Value>, groups: &HashMap<String, &str>, at: String, listed: &mut Listed) {
    let mut text = |field: &'static str, name: &'static str| match fields.get(field) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(_) => {
            listed.tell(&at, name, "This is no text.");
            String::new()
        }
    };
    let (username, email) = (text("username", "username"), text("email", "email"));
    let (first_name, last_name) = (text("first_name", "first_name"), text("last_name", "last_name"));
    let hash = text("password", "password_hash");
    let mut flag = |field: &'static str, absent: bool| match fields.get(field) {
        Some(Value::Bool(flag)) => *flag,
        None => absent,
        Some(_) => {
            listed.tell(&at, field, "This is neither true nor false.");
            absent
        }
    };
    let (active, superuser) = (flag("is_active", true), flag("is_superuser", false));
    let mut member = Vec::new();
    match fields.get("groups") {
        None | Some(Value::Null) => {}
        Some(Value::Array(keys)) => {
            for key in keys {
                match named(key, groups) {
                    Some(group) => member.push(group.to_owned()),
                    None => listed.tell(&at, "groups", unnamed(key)),
                }
            }
        }
        Some(_) => listed.tell(&at, "groups", "This is no list."),
    }
    listed.people.push(Imported {
        username,
        email,
        first_name,
        last_name,
        groups: member,
        superuser,
        hash: hash.into(),
        disabled: !active,
        at,
        ..Imported::default()
    });
}

/// By its key, or by its name itself (`--natural-foreign`).
fn named<'a>(key: &'a Value, groups: &HashMap<String, &'a str>) -> Option<&'a str> {
    match key {
        Value::Array(names) => match names.as_slice() {
            [Value::String(name)] => Some(name),
            _ => None,
        },
        key => groups.get(&key.to_string()).copied(),
    }
}

fn unnamed(key: &Value) -> String {
    let key: String = key.to_string().chars().take(64).collect();
    format!("Group {key} is not in the list: export it as well, `manage.py dumpdata auth.user auth.group`.")
}
