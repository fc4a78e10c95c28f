//! Authelia's file of people, `users_database.yml`.

use super::{
    Imported, Listed,
    yaml::{self, Entry, Node},
};

pub(super) fn read(text: &str) -> Listed {
    let mut listed = Listed::default();
    let root = match yaml::read(text) {
        Ok(root) => root,
        Err(mistake) => {
            listed.tell(line(mistake.line), "", mistake.what);
            return listed;
        }
    };
    let Some(users) = root.iter().find(|entry| entry.key == "users") else {
        listed.tell("", "", "There is no `users:` in it.");
        return listed;
    };
    for entry in root.iter().filter(|entry| entry.key != "users") {
        listed.tell(line(entry.line), "", format!("`{}` is not known here.", short(&entry.key)));
    }
    match &users.node {
        Node::Map(people) => {
            for entry in people {
                match &entry.node {
                    Node::Map(fields) => person(entry, fields, &mut listed),
                    _ => listed.tell(line(entry.line), "", "Here are no fields of a person."),
                }
            }
        }
        Node::Null => {}
        _ => listed.tell(line(users.line), "", "`users` holds no people."),
    }
    listed
}

fn person(entry: &Entry, fields: &[Entry], listed: &mut Listed) {
    let mut person = Imported { username: entry.key.clone(), at: line(entry.line), ..Imported::default() };
    let (mut display, mut given, mut family) = Default::default();
    for field in fields {
        let at = line(field.line);
        let mut text = |into: &mut String, name: &str| match &field.node {
            Node::Text { text, .. } => into.clone_from(text),
            Node::Null => {}
            _ => listed.tell(&at, name, "This is no text."),
        };
        match field.key.as_str() {
            "displayname" => text(&mut display, "first_name"),
            "given_name" => text(&mut given, "first_name"),
            "family_name" => text(&mut family, "last_name"),
            "email" => text(&mut person.email, "email"),
            "password" => {
                let mut hash = String::new();
                text(&mut hash, "password_hash");
                // Older files say so before what crypt(3) knows anyway.
                person.hash = hash.strip_prefix("{CRYPT}").unwrap_or(&hash).into();
            }
            "disabled" => match &field.node {
                Node::Text { text, plain: true } if text == "true" => person.disabled = true,
                Node::Text { text, plain: true } if text == "false" => {}
                Node::Null => {}
                _ => listed.tell(at, "disabled", "Say true or false."),
            },
            "groups" => match &field.node {
                Node::List(groups) => person.groups.clone_from(groups),
                Node::Null => {}
                _ => listed.tell(at, "groups", "This is no list."),
            },
            // Authelia's, and of no use here.
            key if UNUSED.contains(&key) => {}
            key => listed.tell(at, "", format!("`{}` is not known here.", short(key))),
        }
    }
    // What belongs to which is not said: the first word is the given name for most.
    let (first, rest) = display.trim().split_once(' ').unwrap_or((display.trim(), ""));
    let separate = !given.is_empty() || !family.is_empty();
    (person.first_name, person.last_name) = if separate { (given, family) } else { (first.into(), rest.into()) };
    listed.people.push(person);
}

fn line(number: usize) -> String {
    format!("line {number}")
}

fn short(key: &str) -> String {
    key.chars().take(64).collect()
}

const UNUSED: &[&str] = &[
    "address",
    "birthdate",
    "extra",
    "gender",
    "locale",
    "middle_name",
    "nickname",
    "phone_extension",
    "phone_number",
    "picture",
    "profile",
    "website",
    "zoneinfo",
];
