use proptest::prelude::*;

use super::*;

/// A short form of what was read, or the line of the mistake.
fn short(text: &str) -> String {
    fn node(node: &Node) -> String {
        match node {
            Node::Null => "null".into(),
            Node::Text { text, plain: true } => text.clone(),
            Node::Text { text, plain: false } => format!("{text:?}"),
            Node::List(list) => format!("{list:?}"),
            Node::Map(map) => format!("{{{}}}", entries(map)),
        }
    }
    fn entries(map: &[Entry]) -> String {
        map.iter().map(|entry| format!("{}={}", entry.key, node(&entry.node))).collect::<Vec<_>>().join(" ")
    }
    match read(text) {
        Ok(map) => entries(&map),
        Err(mistake) => format!("line {}", mistake.line),
    }
}

#[test]
fn what_lists_of_people_are_written_in_is_read() {
    for (text, expected) in [
        ("", ""),
        ("# nothing\n\n", ""),
        ("---\na: b\n", "a=b"),
        ("--- # people\r\na: b\r\n", "a=b"),
        ("a:\nb: ~\nc: null\nd: ''\n", "a=null b=null c=null d=\"\""),
        ("a: # c\n  b: 1 # c\n  # c\n\n  c: x#y\nd: e", "a={b=1 c=x#y} d=e"),
        ("a: it's: not\n", "line 1"),
        ("a: it's\n", "a=it's"),
        ("a: 'it''s # : x' # c\n", "a=\"it's # : x\""),
        (r#"a: "\"\\\u00e4\x41""#, r#"a="\"\\äA""#),
        ("'a b': c\n\"d:\": e\nf:g: h\n", "a b=c d:=e f:g=h"),
        ("a:\n  - b\n  - 'c d' # c\n", r#"a=["b", "c d"]"#),
        ("a:\n- b\n- c\nd: e\n", r#"a=["b", "c"] d=e"#),
        ("a: []\nb: [ c, 'd, e' , \"f\" ] # c\nc: [g,]\n", r#"a=[] b=["c", "d, e", "f"] c=["g"]"#),
        ("a: https://example.org/x\nb: 12:30\nc: -5\n", "a=https://example.org/x b=12:30 c=-5"),
    ] {
        assert_eq!(short(text), expected, "{text}");
    }
}

#[test]
fn everything_else_is_refused_with_its_line() {
    for (text, line) in [
        ("a: b\n\n# c\nc: *x\n", 4),
        ("a: &x b\n", 1),
        ("a: !!str b\n", 1),
        ("a: |\n  text\n", 1),
        ("a: >-\n  text\n", 1),
        ("a: {b: c}\n", 1),
        ("{a: b}\n", 1),
        ("[a]\n", 1),
        ("a: b\n  more\n", 2),
        ("a: 'b\n  c'\n", 1),
        ("a: \"b\n", 1),
        ("a: \"\\q\"\n", 1),
        ("a: \"\\ud800\"\n", 1),
        ("a: [b,\n c]\n", 1),
        ("a: [b, [c]]\n", 1),
        ("a: [b c\n", 1),
        ("a: [, b]\n", 1),
        ("a: ['b'c]\n", 1),
        ("a: 'b'c\n", 1),
        ("a: 'b'#c\n", 1),
        ("a: b\na: c\n", 2),
        ("\"a\": b\na: c\n", 2),
        ("a:\n  b: c\n d: e\n", 3),
        ("a:\n    b: c\n  d: e\n", 3),
        ("  a: b\nc: d\n", 2),
        ("a:\n\tb: c\n", 2),
        ("a: b\tc\n", 1),
        ("a: b\u{85}c: d\n", 1),
        ("a: b\u{2028}c: d\n", 1),
        ("a: b\rc: d\n", 1),
        ("a: b\n---\nc: d\n", 2),
        ("a: b\n...\n", 2),
        ("%YAML 1.2\n---\na: b\n", 1),
        ("? a\n: b\n", 1),
        ("<<: b\n", 1),
        ("- a\n", 1),
        ("a: - b\n", 1),
        ("a:\n  - b: c\n", 2),
        ("a:\n  - - b\n", 2),
        ("a:\n  -\n", 2),
        ("a:\n  - b\n    c\n", 3),
        ("a:\n  - b\n  c: d\n", 3),
        ("a: @b\n", 1),
        ("a: `b`\n", 1),
        ("a\n", 1),
        (": b\n", 1),
        ("\u{feff}\u{feff}a: b\n", 1),
    ] {
        assert_eq!(short(text), format!("line {line}"), "{text:?}");
    }
}

#[test]
fn nesting_has_an_end() {
    let deep: String = (0..10_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(short(&deep), "line 10");
}

/// What YAML writers write for a text, between double quotes.
fn written(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted + "\""
}

proptest! {
    #[test]
    fn whatever_comes_nothing_breaks(text in "([a-c:\\-?#'\"\\[\\]{},&*!|>%@~\\\\ \t\r\n]|\\PC){0,80}") {
        if let Err(mistake) = read(&text) {
            prop_assert!(mistake.line >= 1 && mistake.line <= text.split('\n').count());
        }
    }

    #[test]
    fn quoted_texts_are_read_as_they_were_written(texts in proptest::collection::vec(any::<String>(), 1..4)) {
        let list: Vec<String> = texts.iter().map(|text| written(text)).collect();
        let text = format!("a:\n  - {}\nb: [{}]\n", list.join("\n  - "), list.join(", "));
        let map = read(&text).unwrap();
        prop_assert_eq!(&map[0].node, &Node::List(texts.clone()));
        prop_assert_eq!(&map[1].node, &Node::List(texts));
    }

    #[test]
    fn single_quoted_texts_as_well(key in "[ -~]{1,20}", text in "[ -~]{0,20}") {
        let text = format!("'{}': '{}'\n", key.replace('\'', "''"), text.replace('\'', "''"));
        prop_assert_eq!(&read(&text).unwrap()[0].key, &key);
    }
}
