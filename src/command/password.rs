//! Where a command gets a password from: standard input, the terminal without echo, or made up here.

use std::io::{BufRead, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

use super::exit::{DATA, Failure, INPUT, complain};
use crate::world::Entropy;

/// A password, and whether nobody knows it yet.
pub(super) struct Chosen {
    pub(super) password: SecretString,
    pub(super) generated: bool,
}

/// From standard input with `stdin`, asked for twice on a terminal, made up otherwise (and on an empty answer).
pub(super) fn choose(stdin: bool, entropy: &Entropy) -> Result<Chosen, Failure> {
    if stdin {
        return Ok(Chosen { password: from_stdin()?, generated: false });
    }
    if at_a_terminal() {
        let password = ask("Password (empty: one is made up): ")?;
        if !password.expose_secret().is_empty() {
            if ask("The same again: ")?.expose_secret() != password.expose_secret() {
                return Err(Failure::new(DATA, "The two passwords differ."));
            }
            return Ok(Chosen { password, generated: false });
        }
    }
    Ok(Chosen { password: make_up(entropy)?, generated: true })
}

/// Whether somebody is there to be asked.
pub(super) fn at_a_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The first line of standard input, without its end.
pub(super) fn from_stdin() -> Result<SecretString, Failure> {
    let line = line()?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::new(DATA, "Standard input holds no password."));
    }
    Ok(SecretString::from(password))
}

/// A line typed by a person, shown while typed.
pub(super) fn ask_openly(question: &str) -> Result<String, Failure> {
    prompt(question);
    Ok(line()?.trim().to_owned())
}

fn ask(question: &str) -> Result<SecretString, Failure> {
    prompt(question);
    let line = {
        let _silence = Silence::begin();
        line()
    };
    // The person's own line end was not echoed.
    complain("");
    Ok(SecretString::from(line?.trim_end_matches(['\r', '\n'])))
}

fn line() -> Result<String, Failure> {
    let mut line = String::new();
    match std::io::stdin().lock().take(LONGEST).read_line(&mut line) {
        Ok(_) => Ok(line),
        Err(error) => Err(Failure::new(INPUT, format!("Standard input cannot be read: {error}"))),
    }
}

fn prompt(question: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = write!(terminal, "{question}").and_then(|()| terminal.flush());
}

/// The terminal without echo, until dropped.
struct Silence {
    before: Option<Termios>,
}

impl Silence {
    fn begin() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet);
        }
        Self { before }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Twenty characters that are hard to mistake for each other, in groups of five: 100 bits.
fn make_up(entropy: &Entropy) -> Result<SecretString, Failure> {
    let bytes = entropy.bytes::<20>().map_err(crate::app::ServeError::from)?;
    let mut text = String::with_capacity(24);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32: every character is as likely.
        text.push(char::from(ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'a')));
    }
    Ok(SecretString::from(text))
}

const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LONGEST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_password_is_long_and_never_the_same() {
        let one = make_up(&Entropy::System).unwrap();
        let other = make_up(&Entropy::System).unwrap();
        assert_eq!(one.expose_secret().len(), 23);
        assert_ne!(one.expose_secret(), other.expose_secret());
    }
}
