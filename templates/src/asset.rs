//! The stylesheet, the script and the icon, named by their content so that browsers may keep them for a year.

use std::sync::OnceLock;

/// One file served at `<portal path>/assets/<name>.<hash>.<ext>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// `style`, `script`, `icon`, `passkey`
    pub name: &'static str,
    /// 16 hex digits that change with the content.
    pub hash: String,
    /// `css`, `js`, `svg`
    pub ext: &'static str,
    /// For the field `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub body: &'static [u8],
}

impl Asset {
    /// `<name>.<hash>.<ext>`, the last segment of its path.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.{}.{}", self.name, self.hash, self.ext)
    }
}

/// Every asset: stylesheet, script, icon, the script of pages that ask for passkeys, in this order.
pub fn assets() -> &'static [Asset; 4] {
    static ASSETS: OnceLock<[Asset; 4]> = OnceLock::new();
    ASSETS.get_or_init(|| {
        [
            asset("style", "css", "text/css; charset=utf-8", lean_style(include_str!("../assets/style.css"))),
            asset("script", "js", "text/javascript; charset=utf-8", lean_script(include_str!("../assets/script.js"))),
            asset("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg").trim().to_owned()),
            asset("passkey", "js", "text/javascript; charset=utf-8", lean_script(include_str!("../assets/passkey.js"))),
        ]
    })
}

/// The asset with that last path segment (`style.0123456789abcdef.css`).
#[must_use]
pub fn find(file_name: &str) -> Option<&'static Asset> {
    assets().iter().find(|asset| asset.file_name() == file_name)
}

fn asset(name: &'static str, ext: &'static str, content_type: &'static str, source: String) -> Asset {
    // Once per process, so it may live as long as the process.
    let body: &'static [u8] = source.leak().as_bytes();
    Asset { name, hash: format!("{:016x}", fnv1a(body)), ext, content_type, body }
}

/// A script without the indentation, comments and blank lines of its source. Comments stand on lines of their own there, and
/// no string spans lines (a test holds that).
fn lean_script(source: &str) -> String {
    let lines = source.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("// ")).collect::<Vec<_>>().join("\n")
}

/// A stylesheet on one line. Its source has a whole rule, or one declaration, selector or brace to a line, and comments on
/// their own; no string holds a colon or semicolon.
pub(crate) fn lean_style(source: &str) -> String {
    let lines = source.lines().map(str::trim).filter(|line| !line.starts_with("/*"));
    let lean = lines.fold(String::with_capacity(source.len()), |lean, line| {
        lean + &match line.split_once(" {") {
            Some((selector, rule)) => format!("{selector}{{{}", declarations(rule)),
            None => declarations(line),
        }
    });
    lean.replace(";}", "}").replace("; }", "}")
}

fn declarations(text: &str) -> String {
    text.trim().replace("; ", ";").replace(": ", ":")
}

/// FNV-1a, 64 bits: a name that follows the content, not a defence.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaning_takes_indentation_and_comments_only() {
        let style =
            "/* a */\na > b,\nc :hover {\n  color: red;\n  font: 1rem \"A b\";\n}\n\n.w { top: 5s; left: 0 1px; }\n";
        assert_eq!(lean_style(style), "a > b,c :hover{color:red;font:1rem \"A b\"}.w{top:5s;left:0 1px}");
        assert_eq!(lean_script("// b\nif (a) {\n  f(\"// c\");\n}\n\n"), "if (a) {\nf(\"// c\");\n}");
    }

    #[test]
    fn comments_stand_on_lines_of_their_own() {
        for source in [include_str!("../assets/style.css"), include_str!("../assets/demo.css")] {
            assert!(source.lines().all(|line| !line.contains("/*") || line.starts_with("/*") && line.ends_with("*/")));
        }
        for script in [include_str!("../assets/script.js"), include_str!("../assets/passkey.js")] {
            assert!(script.lines().all(|line| !line.contains("// ") || line.trim().starts_with("// ")));
            assert!(script.lines().all(|line| line.matches('`').count() % 2 == 0));
        }
    }
}
