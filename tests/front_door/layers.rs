//! DESIGN §5: a room imports only rooms of a lower layer.

use std::{collections::BTreeMap, fs, path::Path};

const LAYERS: &[&[&str]] = &[
    &["config", "world"],
    &["telemetry"],
    &["inbound", "storage", "mail", "verify"],
    &["identity", "listener"],
    &["session"],
    &["policy", "assertion"],
    &["proxy", "portal"],
    &["gateway"],
    &["app"],
    &["command"],
];

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Every room of the crate named in a source text: in `use crate::{a, b::c}` trees and in plain `crate::room::` paths.
fn rooms_named(source: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            continue;
        };
        let mut depth = 0;
        let mut name = String::new();
        let mut fresh = true;
        for character in group.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if depth == 0 && fresh && (c.is_alphanumeric() || c == '_') => name.push(c),
                _ if name.is_empty() => {}
                _ => fresh = false,
            }
            if !fresh || character == ',' {
                rooms.extend((!name.is_empty()).then(|| std::mem::take(&mut name)));
            }
        }
        rooms.extend((!name.is_empty()).then_some(name));
    }
    rooms
}

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_room_imports_only_rooms_of_a_lower_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let room = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let Some(own) = layer_of(&room) else {
            assert!(["lib", "main"].contains(&room.as_str()), "`{room}` is not in the table of layers");
            continue;
        };
        let source = fs::read_to_string(&file).unwrap();
        for named in rooms_named(&source) {
            if named != room && layer_of(&named).is_some_and(|other| other >= own) {
                wrong.entry(relative.display().to_string()).or_insert_with(Vec::new).push(named);
            }
        }
    }
    assert!(wrong.is_empty(), "rooms reach upwards or sideways: {wrong:#?}");
}

#[test]
fn grouped_and_nested_imports_are_read() {
    let source =
        "use crate::{\n config::{self, verify::Channel},\n session, policy::Grant,\n};\nlet x = crate::proxy::y();";
    assert_eq!(rooms_named(source), ["config", "session", "policy", "proxy"]);
}
