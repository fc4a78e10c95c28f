//! Just enough reading of our own pages: the fields of a form, and the words a person would see.

/// The value of the first `<input name="NAME" …>`.
pub fn input_value(page: &str, name: &str) -> Option<String> {
    tags(page, "input")
        .find(|tag| attribute(tag, "name").as_deref() == Some(name))
        .map(|tag| attribute(tag, "value").unwrap_or_default())
}

/// Whether the page has a control of that name (`input`, `select`, `textarea`, `button`).
pub fn has_control(page: &str, name: &str) -> bool {
    ["input", "select", "textarea", "button"]
        .into_iter()
        .any(|element| tags(page, element).any(|tag| attribute(tag, "name").as_deref() == Some(name)))
}

/// The opening tags of one element.
pub fn tags<'a>(page: &'a str, element: &str) -> impl Iterator<Item = &'a str> {
    let open = format!("<{element}");
    let mut rest = page;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(&open)?;
            let tag = &rest[start..];
            let end = tag.find('>')? + 1;
            let (tag, after) = tag.split_at(end);
            rest = after;
            if tag[open.len()..].starts_with([' ', '>', '\n', '/']) {
                return Some(tag);
            }
        }
    })
}

/// One attribute of an opening tag, unescaped.
pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        let at = rest.find(name)?;
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        if before.is_some_and(char::is_whitespace) {
            if let Some(value) = after.strip_prefix('=') {
                let value = match value.strip_prefix('"') {
                    Some(quoted) => quoted.split('"').next()?,
                    None => value.split([' ', '>']).next()?,
                };
                return Some(unescape(value));
            }
            if after.starts_with([' ', '>', '/']) {
                return Some(String::new());
            }
        }
        rest = after;
    }
}

/// The words of a page: tags out, entities resolved, white space folded.
pub fn words(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in page.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            other if !inside => text.push(other),
            _ => {}
        }
    }
    unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a page without how long ago things were: what two looks at the same thing have in common.
pub fn lasting_words(page: &str) -> String {
    let mut kept = String::new();
    for (at, part) in page.split("<time").enumerate() {
        let ago = at > 0 && part.split('>').next().is_some_and(|tag| tag.contains("data-show=\"ago\""));
        let part = if ago { part.split_once("</time>").map_or("", |(_, rest)| rest) } else { part };
        kept.push_str(if at > 0 && !ago { "<time" } else { "" });
        kept.push_str(part);
    }
    words(&kept)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

/// The `action` of the first form that has a control of that name.
pub fn action_of(page: &str, control: &str) -> Option<String> {
    page.split("<form").skip(1).find_map(|rest| {
        let whole = format!("<form{}", rest.split("</form>").next()?);
        let tag = tags(&whole, "form").next()?.to_owned();
        has_control(&whole, control).then(|| attribute(&tag, "action")).flatten()
    })
}
