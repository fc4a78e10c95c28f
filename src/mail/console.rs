//! Mail for trying out: printed to the terminal, clearly marked, with each link on a line of its own.

use std::io::Write;

use super::{Letter, letter::one_line};

/// Prints the mail. A closed terminal is no reason to fail.
pub(super) fn print(letter: &Letter) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(page(letter).as_bytes()).and_then(|()| out.flush());
}

/// What is printed. Names in a mail are typed by strangers: nothing in it may steer the terminal.
fn page(letter: &Letter) -> String {
    let text: String = letter.text.chars().filter(|&c| c == '\n' || !c.is_control()).collect();
    let to = one_line(letter.to.as_ref());
    let subject = one_line(&letter.subject);
    let body = text.trim_end().lines().map(links_apart).collect::<Vec<_>>().join("\n");
    format!("\n── Trying out: a mail to {to} ──\nSubject: {subject}\n\n{body}\n── end of the mail ──\n\n")
}

/// The line with every link moved onto its own line, ready to be clicked or copied.
fn links_apart(line: &str) -> String {
    let is_link = |word: &str| word.starts_with("http://") || word.starts_with("https://");
    if !line.split(' ').any(is_link) {
        return line.to_owned();
    }
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        if is_link(word) {
            lines.push(word.to_owned());
            lines.push(String::new());
        } else if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(text: &str) -> Letter {
        Letter {
            to: "ada@example.org".parse().unwrap(),
            subject: "Confirm your address".into(),
            text: text.into(),
            html: String::new(),
            patience: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn the_link_stands_on_its_own_line_and_the_mail_is_marked_as_for_trying_out() {
        let page = page(&letter("Hello Ada,\nopen http://localhost:8080/x?token=abc to finish.\n"));
        assert!(page.lines().any(|line| line == "http://localhost:8080/x?token=abc"), "{page}");
        assert!(page.contains("── Trying out: a mail to ada@example.org ──"));
        assert!(page.contains("Subject: Confirm your address"));
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert!(!page(&letter("Hello \u{1b}[2J\rAda\u{9b}31m")).contains(|c: char| c != '\n' && c.is_control()));
    }
}
