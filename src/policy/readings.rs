//! Every reading a lenient upstream might make of a path.
//!
//! The upstream of a site with rules gets the canonical path. What it makes of it is its own: it may decode once more,
//! take `\` for `/`, cut path parameters, cut dots and blanks at the end of a segment, merge slashes, ignore case, in any
//! combination. Rules are asked about each of these; patterns are read the same way as the path they are held against.
//! What is more, the extension of the last segment may be a format to it ([`cuts`]).
//!
//! A path in which a dot segment comes to light on some reading (`..;`, `%252e%252e`) is nobody's: where it leads hangs on the
//! order in which that reader resolves, merges and cuts (Tomcat merges first, others last), and no honest link holds one.

use std::borrow::Cow;

/// A set of habits, one bit each; they are taken on in the order of [`HABITS`].
pub(super) type Habits = u16;

/// How many sets of habits there are.
pub(super) const SETS: usize = 1 << HABITS.len();

/// Each habit turns a path into what such a reader sees; `None`: nothing changes.
const HABITS: [fn(&str) -> Option<String>; 9] =
    [decoded, decoded, backslash_is_slash, stopped, without_parameters, trimmed, merged, lowered, folded];

/// Readings together may not be longer than this: a path that costs more to read than to serve is nobody's.
const LONGEST: usize = 256 << 10;

/// What a reader with these habits sees.
pub(super) fn read(path: &str, habits: Habits) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(path);
    for (bit, habit) in HABITS.iter().enumerate().filter(|(bit, _)| habits & (1 << bit) != 0) {
        debug_assert!(bit < 16, "one bit each");
        if let Some(changed) = habit(&text) {
            text = Cow::Owned(changed);
        }
    }
    text
}

/// Every different reading with the habits it takes; `matters` are habits that change some pattern, and so count even where they
/// leave the path alone. `None`: too many to ask about, or a dot segment that was hidden.
pub(super) fn all(path: &str, matters: Habits) -> Option<Vec<(Cow<'_, str>, Habits)>> {
    let mut readings = vec![(Cow::Borrowed(path), 0)];
    let mut length = path.len();
    for (bit, habit) in HABITS.iter().enumerate() {
        let bit = 1 << bit;
        let mut more = Vec::new();
        for (text, habits) in &readings {
            match habit(text) {
                Some(changed) if has_dot_segments(&changed) => return None,
                Some(changed) => more.push((Cow::Owned(changed), habits | bit)),
                None if matters & bit != 0 => more.push((text.clone(), habits | bit)),
                None => {}
            }
        }
        length += more.iter().map(|(text, _)| text.len()).sum::<usize>();
        if length > LONGEST {
            return None;
        }
        readings.extend(more);
    }
    Some(readings)
}

/// Whether no habit changes this path (percent-encoded, as requests and patterns are): most are so, and cost one look.
pub(super) fn is_plain(path: &str) -> bool {
    let folds = |byte: u8| byte.is_ascii_uppercase() || !byte.is_ascii();
    let ends = |segment: &str| segment.is_empty() || segment.ends_with(is_trimmed);
    let odd = |byte: u8| folds(byte) || b"%\\;?#\0".contains(&byte);
    path == "/" || !path.bytes().any(odd) && !path.split('/').skip(1).any(ends)
}

/// The path without the extension of its last segment, as a router sees it that takes `/admin.json` for `/admin` in a format:
/// cut at the last dot, and at the first where that is another; blanks before the dot go with it.
pub(super) fn cuts(path: &str) -> impl Iterator<Item = &str> {
    let segment = path.rfind('/').map_or(0, |slash| slash + 1);
    let name = path.get(segment..).unwrap_or("");
    // `.env` is a name and no extension.
    let dots = name.len() - name.trim_start_matches('.').len();
    let stem = move |at: usize| path.get(..segment + at).map(|stem| stem.trim_end_matches(is_trimmed));
    let cut = move |at: Option<usize>| at.filter(|at| *at > dots).and_then(stem);
    let (last, first) = (name.rfind('.'), name.get(dots..).and_then(|name| name.find('.')).map(|at| at + dots));
    cut(last).into_iter().chain(cut(first.filter(|_| first != last)))
}

/// A segment of dots and blanks alone is one as well: who trims blanks and resolves dots afterwards goes up.
fn has_dot_segments(path: &str) -> bool {
    let blank = |c: char| c != '.' && is_trimmed(c);
    let hidden = |segment: &str| segment.contains('.') && segment.contains(blank) && segment.chars().all(is_trimmed);
    path.split('/').any(|segment| matches!(segment, "." | "..") || hidden(segment))
}

fn decoded(path: &str) -> Option<String> {
    path.contains('%').then(|| percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned())
}

fn backslash_is_slash(path: &str) -> Option<String> {
    path.contains('\\').then(|| path.replace('\\', "/"))
}

/// Decoded first and taken apart afterwards: a NUL, a question mark or a hash ends the path.
fn stopped(path: &str) -> Option<String> {
    path.split_once(['\0', '?', '#']).map(|(path, _)| path.to_owned())
}

fn without_parameters(path: &str) -> Option<String> {
    let cut = |segment: &str| segment.split(';').next().unwrap_or("").to_owned();
    path.contains(';').then(|| path.split('/').map(cut).collect::<Vec<_>>().join("/"))
}

/// As Windows opens files.
fn trimmed(path: &str) -> Option<String> {
    let trim = |segment: &str| segment.trim_end_matches(is_trimmed).to_owned();
    let changes = path.split('/').any(|segment| segment.ends_with(is_trimmed));
    changes.then(|| path.split('/').map(trim).collect::<Vec<_>>().join("/"))
}

fn is_trimmed(c: char) -> bool {
    c == '.' || c <= ' ' || c == '\u{7f}'
}

/// Empty segments dropped, the last one too.
fn merged(path: &str) -> Option<String> {
    if path.len() == 1 || !(path.contains("//") || path.ends_with('/')) {
        return None;
    }
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    Some(format!("/{}", segments.join("/")))
}

fn lowered(path: &str) -> Option<String> {
    path.contains(char::is_uppercase).then(|| path.to_lowercase())
}

/// As whoever compares capitals sees it: `ı` and `ſ` are small letters whose capitals are those of `i` and `s`, `ß` is `ss`. And
/// to some (Go), the small letter of `İ` is a plain `i`.
fn folded(path: &str) -> Option<String> {
    if path.is_ascii() {
        return None;
    }
    let folded = path.to_uppercase().to_lowercase().replace("i\u{307}", "i");
    (folded != path).then_some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str) -> Vec<String> {
        all(path, 0).unwrap().into_iter().map(|(text, _)| text.into_owned()).collect()
    }

    #[test]
    fn a_plain_path_has_one_reading() {
        assert_eq!(texts("/wiki/page.html"), ["/wiki/page.html"]);
        assert_eq!(texts("/"), ["/"]);
    }

    #[test]
    fn lenient_readers_are_followed() {
        for (path, seen) in [
            ("//admin", "/admin"),
            ("/admin/", "/admin"),
            ("/admin;x", "/admin"),
            ("/a%3Bx/b", "/a/b"),
            ("/ADMIN", "/admin"),
            ("/Admin%00.css", "/admin"),
            ("/admin%3Fx", "/admin"),
            ("/%2541DMIN;x//b/", "/admin/b"),
            ("/%C3%89", "/\u{e9}"),
            ("/admin.", "/admin"),
            ("/admin%20/x", "/admin/x"),
            ("/Admin%2520%09.;x/", "/admin"),
            ("/.../admin", "/admin"),
            ("/adm%C4%B1n", "/admin"),
            ("/ADM%C4%B0N", "/admin"),
            ("/%C5%BFecret", "/secret"),
            ("/to%E2%84%AAen", "/token"),
            ("/pa%C3%9Fword", "/password"),
            ("/PA%C3%9Fword", "/pa\u{df}word"),
        ] {
            assert!(texts(path).iter().any(|text| text == seen), "{path}: {:?}", texts(path));
        }
    }

    #[test]
    fn a_hidden_dot_segment_is_nobodys() {
        for path in [
            "/public%2F..%2Fadmin",
            "/public%252F..%252Fadmin",
            "/public%5C..%5Cadmin",
            "/public\\..\\admin",
            "/public/..;a/admin",
            "/public/x//..;/..;/admin",
            "/public/x/%252e%252e;/%252e%252e/admin",
            "/public/.;/x",
            "/public/..%3Fx",
            "/public/..%20/admin",
            "/public/%09..%09/admin",
            "/public/.%20./admin",
        ] {
            assert!(all(path, 0).is_none(), "{path}");
        }
        assert!(all("/a/..b/.c/...;x", 0).is_some());
    }

    #[test]
    fn a_path_is_plain_when_no_habit_changes_it() {
        for plain in ["/", "/a", "/a/b.json", "/.env", "/a-b_c~d/!$&'()*+,=:@"] {
            assert!(is_plain(plain) && all(plain, 0).unwrap().len() == 1, "{plain}");
        }
        for other in ["//", "/a/", "/A", "/a%41", "/a\\b", "/a;b", "/a.", "/a./b", "/...", "/a//b"] {
            assert!(!is_plain(other) && all(other, 0).is_none_or(|all| all.len() > 1), "{other}");
        }
    }

    #[test]
    fn only_the_last_segment_has_an_extension() {
        for (path, cut) in [
            ("/admin.json", &["/admin"][..]),
            ("/a.b/admin.tar.gz", &["/a.b/admin.tar", "/a.b/admin"]),
            ("/a.b/admin", &[]),
            ("/.env", &[]),
            ("/.env.bak", &["/.env"]),
            ("/...", &[]),
            ("/a.b/", &[]),
            ("/admin.", &["/admin"]),
            ("/admin\t.x", &["/admin"]),
            ("/\u{e9}.x", &["/\u{e9}"]),
        ] {
            assert_eq!(cuts(path).collect::<Vec<_>>(), cut, "{path}");
        }
    }

    #[test]
    fn a_path_that_costs_too_much_is_not_read() {
        assert!(all(&"/A;%41\\%5c%253f//b".repeat(1000), 0).is_none());
        assert!(all(&"/a%20b".repeat(5000), 0).is_some());
    }
}
