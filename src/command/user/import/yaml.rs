//! The part of YAML 1.2 that lists of people are written in: block mappings, lists of scalars (block, or flow on one
//! line), plain and quoted scalars on one line, comments.
//!
//! Strict: whatever else YAML knows (anchors, tags, block scalars, flow mappings, scalars over several lines, merge keys,
//! several documents) is refused with its line, never read as something else.

/// A key of a mapping with what it holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// From 1.
    pub(super) line: usize,
    pub(super) node: Node,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Nothing, `null` or `~`.
    Null,
    /// `plain` tells `true` from `"true"`.
    Text { text: String, plain: bool },
    /// Of scalars.
    List(Vec<String>),
    /// In the order of the file, each key once.
    Map(Vec<Entry>),
}

/// What cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mistake {
    /// From 1.
    pub(super) line: usize,
    /// A sentence.
    pub(super) what: &'static str,
}

/// A line that holds something.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    number: usize,
    /// Spaces.
    indent: usize,
    /// Without the indentation and blanks at the end.
    text: &'a str,
}

/// The mapping at the top.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, Mistake> {
    let lines = lines(text)?;
    let mut reader = Reader { lines: &lines, at: 0 };
    let Some(first) = reader.peek() else { return Ok(Vec::new()) };
    let map = reader.map(first.indent, 0)?;
    match reader.peek() {
        None => Ok(map),
        Some(line) => line.wrong(INDENTATION),
    }
}

/// Scalars end on their lines, so comments and empty lines are known by themselves.
fn lines(text: &str) -> Result<Vec<Line<'_>>, Mistake> {
    let mut lines = Vec::new();
    let mut begun = false;
    for (index, raw) in text.split('\n').enumerate() {
        let number = index + 1;
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        let text = raw.trim_start_matches(' ');
        let line = Line { number, indent: raw.len() - text.len(), text: text.trim_end_matches(' ') };
        // Some readers take the last two for ends of lines.
        if raw.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')) {
            return line.wrong("There is a tab or another control character: use spaces.");
        }
        match line.text {
            "" => {}
            comment if comment.starts_with('#') => {}
            marker if !begun && line.indent == 0 && (marker == "---" || marker.starts_with("--- #")) => begun = true,
            marker if line.indent == 0 && (marker.starts_with("---") || marker.starts_with("...")) => {
                return line.wrong("Several documents in one file cannot be read here.");
            }
            directive if directive.starts_with('%') => return line.wrong("Directives cannot be read here."),
            _ => {
                begun = true;
                lines.push(line);
            }
        }
    }
    Ok(lines)
}

impl Line<'_> {
    fn wrong<T>(&self, what: &'static str) -> Result<T, Mistake> {
        Err(Mistake { line: self.number, what })
    }

    /// A `-` of a list.
    fn is_item(&self) -> bool {
        self.text == "-" || self.text.starts_with("- ")
    }
}

struct Reader<'a> {
    lines: &'a [Line<'a>],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Line<'a>> {
        self.lines.get(self.at).copied()
    }

    /// All keys at this indentation.
    fn map(&mut self, indent: usize, depth: usize) -> Result<Vec<Entry>, Mistake> {
        let mut map: Vec<Entry> = Vec::new();
        let mut keys = std::collections::HashSet::new();
        while let Some(line) = self.peek().filter(|line| line.indent == indent) {
            if depth > DEEPEST {
                return line.wrong("This is nested too deep.");
            }
            if line.is_item() {
                return line.wrong("A list cannot stand here.");
            }
            self.at += 1;
            let (key, rest) = key(&line)?;
            if !keys.insert(key.clone()) {
                return line.wrong("This key is there already.");
            }
            let node = if rest.is_empty() { self.beneath(indent, depth)? } else { inline(&line, rest)? };
            map.push(Entry { key, line: line.number, node });
        }
        match self.peek() {
            Some(line) if line.indent > indent => line.wrong(INDENTATION),
            _ => Ok(map),
        }
    }

    /// What a key without anything on its own line holds.
    fn beneath(&mut self, indent: usize, depth: usize) -> Result<Node, Mistake> {
        match self.peek() {
            Some(line) if line.is_item() && line.indent >= indent => self.list(line.indent),
            Some(line) if line.indent > indent => Ok(Node::Map(self.map(line.indent, depth + 1)?)),
            _ => Ok(Node::Null),
        }
    }

    fn list(&mut self, indent: usize) -> Result<Node, Mistake> {
        let mut list = Vec::new();
        while let Some(line) = self.peek().filter(|line| line.indent == indent && line.is_item()) {
            self.at += 1;
            let item = line.text.get(1..).unwrap_or_default().trim_start_matches(' ');
            match inline(&line, item)? {
                Node::Text { text, .. } => list.push(text),
                _ => return line.wrong("Lists can hold words only."),
            }
        }
        match self.peek() {
            Some(line) if line.indent > indent => line.wrong(INDENTATION),
            _ => Ok(Node::List(list)),
        }
    }
}

/// A key, and what follows its colon.
fn key<'a>(line: &Line<'a>) -> Result<(String, &'a str), Mistake> {
    let (key, rest) = if line.text.starts_with(['"', '\'']) {
        let (key, rest) = quoted(line, line.text)?;
        match rest.trim_start_matches(' ').strip_prefix(':') {
            Some(rest) => (key, rest),
            None => return line.wrong(NO_KEY),
        }
    } else {
        let colon = line.text.match_indices(':').map(|(at, _)| at).find(|at| ends(line.text.get(at + 1..)));
        let Some((key, rest)) = colon.and_then(|at| line.text.split_at_checked(at)) else { return line.wrong(NO_KEY) };
        if key.starts_with(INDICATORS) || special(key) || key.contains(" #") || key == "<<" {
            return line.wrong("This key cannot be read here: put it between quotes.");
        }
        (key.trim_end_matches(' ').to_owned(), rest.get(1..).unwrap_or_default())
    };
    if key.is_empty() || !ends(Some(rest)) {
        return line.wrong(NO_KEY);
    }
    let rest = rest.trim_start_matches(' ');
    Ok((key, if rest.starts_with('#') { "" } else { rest }))
}

/// A scalar or a flow list, to the end of its line.
fn inline(line: &Line<'_>, text: &str) -> Result<Node, Mistake> {
    if let Some(inside) = text.strip_prefix('[') {
        return flow(line, inside);
    }
    if text.starts_with(['"', '\'']) {
        let (text, rest) = quoted(line, text)?;
        finished(line, rest)?;
        return Ok(Node::Text { text, plain: false });
    }
    let text = text.find(" #").and_then(|at| text.get(..at)).unwrap_or(text).trim_end_matches(' ');
    if text.starts_with('#') {
        return Ok(Node::Null);
    }
    if text.starts_with(INDICATORS) || special(text) || text.contains(": ") || text.ends_with(':') {
        return line.wrong(UNREADABLE);
    }
    Ok(plain(text))
}

/// `[a, 'b', "c"]`, after its bracket.
fn flow(line: &Line<'_>, mut rest: &str) -> Result<Node, Mistake> {
    let mut list = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        // Also after a comma: YAML lets the last one stand.
        if let Some(after) = rest.strip_prefix(']') {
            finished(line, after)?;
            return Ok(Node::List(list));
        }
        if rest.starts_with(['"', '\'']) {
            let (text, after) = quoted(line, rest)?;
            list.push(text);
            rest = after.trim_start_matches(' ');
        } else {
            let end = rest.find([',', ']']).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let word = word.trim_end_matches(' ');
            let odd = word.contains(['[', '{', '}', '"', '\'']) || word.contains(" #") || word.contains(": ");
            if odd || word.ends_with(':') || word.starts_with(INDICATORS) || special(word) {
                return line.wrong(UNREADABLE);
            }
            match plain(word) {
                Node::Text { text, .. } => list.push(text),
                _ => return line.wrong("Lists can hold words only."),
            }
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with(']') => {}
            None => return line.wrong("This list does not end on its line."),
        }
    }
}

/// A quoted scalar, and what follows it.
fn quoted<'a>(line: &Line<'_>, text: &'a str) -> Result<(String, &'a str), Mistake> {
    let mut chars = text.chars();
    let quote = chars.next();
    let mut read = String::new();
    loop {
        match chars.next() {
            None => return line.wrong("This quote does not end on its line."),
            Some('\'') if quote == Some('\'') && chars.as_str().starts_with('\'') => {
                chars.next();
                read.push('\'');
            }
            end if end == quote => return Ok((read, chars.as_str())),
            Some('\\') if quote == Some('"') => match escaped(&mut chars) {
                Some(c) => read.push(c),
                None => return line.wrong("This escape cannot be read here."),
            },
            Some(c) => read.push(c),
        }
    }
}

/// What follows a backslash between double quotes.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        c @ ('"' | '\\' | '/' | ' ') => return Some(c),
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut number = 0;
    for _ in 0..digits {
        number = number * 16 + chars.next()?.to_digit(16)?;
    }
    char::from_u32(number)
}

/// After a quoted scalar or a flow list: nothing, or a comment.
fn finished(line: &Line<'_>, rest: &str) -> Result<(), Mistake> {
    let comment = rest.trim_start_matches(' ');
    match comment.is_empty() || (comment.starts_with('#') && comment.len() < rest.len()) {
        true => Ok(()),
        false => line.wrong(UNREADABLE),
    }
}

fn plain(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        text => Node::Text { text: text.to_owned(), plain: true },
    }
}

/// `-`, `?` and `:` begin a plain scalar only when a visible character follows.
fn special(text: &str) -> bool {
    text.starts_with(['-', '?', ':']) && ends(text.get(1..))
}

fn ends(rest: Option<&str>) -> bool {
    rest.is_none_or(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// What no plain scalar begins with.
const INDICATORS: [char; 16] = [',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'];
const DEEPEST: usize = 8;
const INDENTATION: &str = "The indentation fits nothing before it, or a text goes on over several lines.";
const NO_KEY: &str = "Here should be a key and a colon.";
const UNREADABLE: &str = "This cannot be read here: put the text between quotes, on one line.";

#[cfg(test)]
mod tests;
