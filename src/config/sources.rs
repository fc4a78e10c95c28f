//! Where settings come from: the command line's flags over the environment over the file.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    problem::{Place, Problems},
    tree::{self, Node, Value},
};

/// Everything [`super::Config::load`] looks at. Given, never fetched, so that tests give their own.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config` or `VESTIBULE_CONFIG`: that file has to exist. `None`: `config.toml`, if there is one.
    pub file: Option<PathBuf>,
    /// Names and values; those that are neither `VESTIBULE_…` nor Twilio's are left alone.
    pub environment: Vec<(String, String)>,
    /// `--listen`: `listen.http`
    pub listen: Option<String>,
    /// `--upstream`: the first site's upstream.
    pub upstream: Option<String>,
    /// `--url`: `portal.url`
    pub url: Option<String>,
}

impl Sources {
    /// The process's own environment. Values that are not UTF-8 are taken lossily and fail where they are parsed.
    #[must_use]
    pub fn with_process_environment(mut self) -> Self {
        self.environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        self
    }

    /// The file's path, and whether somebody named it.
    fn path(&self) -> (PathBuf, bool) {
        let named = self.environment.iter().find(|(name, value)| name == "VESTIBULE_CONFIG" && !value.is_empty());
        match (&self.file, named) {
            (Some(file), _) => (file.clone(), true),
            (None, Some((_, file))) => (file.into(), true),
            (None, None) => (DEFAULT_FILE.into(), false),
        }
    }
}

/// Read when nobody names another; may be absent.
pub const DEFAULT_FILE: &str = "config.toml";

/// Lays the layers over each other.
pub(super) fn gather(sources: &Sources, problems: &Problems) -> Node {
    let (path, named) = sources.path();
    let mut root = read_file(&path, named, problems);
    for (key, variables) in TWILIO {
        twilio(&mut root, key, variables, sources, problems);
    }
    for (name, path, value) in variables(sources) {
        let place = Place::Environment(name);
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        put(&mut root, &path, untyped(&value, &place), problems);
    }
    let flags = [
        (&sources.listen, "--listen", &["listen", "http"][..]),
        (&sources.upstream, "--upstream", &["site", "0", "upstream"]),
        (&sources.url, "--url", &["portal", "url"]),
    ];
    for (value, flag, path) in flags {
        if let Some(value) = value {
            put(&mut root, path, Node::new(Value::Text(value.clone()), Place::Flag(flag)), problems);
        }
    }
    root
}

fn put(root: &mut Node, path: &[&str], node: Node, problems: &Problems) {
    let place = node.place.clone();
    let key = path.join(".");
    // A short name and a long one for the same key, both in the environment: neither is meant more.
    if let Some(earlier) = root.get(&key)
        && twice_in_the_environment(earlier, &node)
    {
        problems.add(&place, &key, format!("given twice: in {} and in {place}. Keep one", earlier.place));
    }
    if let Err(message) = root.set(path, node) {
        problems.add(&place, &key, message);
    }
}

/// Under two names. Twilio's own names may say the same thing once more.
fn twice_in_the_environment(earlier: &Node, later: &Node) -> bool {
    match (&earlier.place, &later.place) {
        (Place::Environment(a), Place::Environment(b)) => {
            a != b && !matches!(earlier.value, Value::Table(_) | Value::List(_))
        }
        (Place::Twilio(_), Place::Environment(_)) => {
            !matches!((&earlier.value, later.raw.as_deref()), (Value::Text(a), Some(b)) if a == b)
        }
        _ => false,
    }
}

fn read_file(path: &Path, named: bool, problems: &Problems) -> Node {
    let file: Arc<str> = path.to_string_lossy().into();
    let place = Place::File { file: Arc::clone(&file), line: 1, column: 1 };
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return tree::parse_file(&text, &file, problems),
            Err(_) => problems.add_syntax(place, "this file is not UTF-8 text"),
        },
        Err(error) if error.kind() == ErrorKind::NotFound && !named => {}
        Err(error) => problems.add_syntax(place, unreadable(path, &error)),
    }
    Node::empty()
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    if path.is_dir() {
        return "this is a directory, not a file. Docker makes one when it is told to mount a file that does not \
                exist on the host: remove the directory, create the file, start the container again"
            .into();
    }
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => "this file may not be read by the user Vestibule runs as".into(),
        _ => format!("this file cannot be read: {error}"),
    }
}

/// `VESTIBULE_…` variables as name, path and value: lists in their order, whole sections before their keys.
fn variables(sources: &Sources) -> Vec<(String, Vec<String>, String)> {
    let mut found: Vec<_> = sources
        .environment
        .iter()
        // An empty variable is what compose files leave of one that is not set.
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| {
            let rest = name.strip_prefix("VESTIBULE_")?;
            if rest == "CONFIG" || rest.starts_with("TEST_") {
                return None;
            }
            let path = match rest {
                "UPSTREAM" => vec!["site".into(), "0".into(), "upstream".into()],
                "URL" => vec!["portal".into(), "url".into()],
                "LISTEN" => vec!["listen".into(), "http".into()],
                _ => rest.split("__").map(str::to_ascii_lowercase).collect::<Vec<_>>(),
            };
            Some((name.clone(), path, value.clone()))
        })
        .collect();
    let rank = |path: &[String]| {
        path.iter().map(|part| (part.parse::<usize>().unwrap_or(usize::MAX), part.clone())).collect::<Vec<_>>()
    };
    found.sort_by(|a, b| rank(&a.1).cmp(&rank(&b.1)).then_with(|| a.0.cmp(&b.0)));
    found
}

/// A variable knows no types: what reads as a number, a truth value, a list, a table or a quoted text is one.
fn untyped(value: &str, place: &Place) -> Node {
    let mut node = tree::parse_value(value.trim(), place)
        .filter(|node| !matches!(node.value, Value::Other(_)))
        .unwrap_or_else(|| Node::new(Value::Text(value.to_owned()), place.clone()));
    node.raw = Some(match &node.value {
        Value::Text(text) => text.clone(),
        _ => value.to_owned(),
    });
    node
}

fn twilio(root: &mut Node, key: &str, variables: &[&str], sources: &Sources, problems: &Problems) {
    let mut given = variables
        .iter()
        .filter_map(|variable| sources.environment.iter().find(|(name, value)| name == variable && !value.is_empty()));
    let Some((name, value)) = given.next() else { return };
    let place = Place::Twilio(name.clone());
    if let Some((other, different)) = given.next()
        && different != value
    {
        problems.add(&place, &format!("verify.{key}"), format!("given twice: in {name} and in {other}. Keep one"));
    }
    put(root, &["verify", key], Node::new(Value::Text(value.clone()), place), problems);
}

/// Twilio's customary names.
const TWILIO: [(&str, &[&str]); 3] = [
    ("account_sid", &["TWILIO_ACCOUNT_SID"]),
    ("auth_token", &["TWILIO_AUTH_TOKEN"]),
    ("service_sid", &["TWILIO_VERIFY_SERVICE_SID", "TWILIO_VERIFY_SERVICE_ID"]),
];
