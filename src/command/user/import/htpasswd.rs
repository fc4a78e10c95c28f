//! Apache's and nginx's files of `name:hash` lines (`htpasswd(1)`).

use super::{Imported, Listed};

pub(super) fn read(text: &str) -> Listed {
    let mut listed = Listed::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = format!("line {}", index + 1);
        match line.split_once(':') {
            Some((name, hash)) => {
                listed.people.push(Imported { username: name.to_owned(), hash: hash.into(), at, ..Imported::default() })
            }
            // Not repeated: it may be a password.
            None => listed.tell(at, "", "This is no line of name:hash."),
        }
    }
    listed
}
