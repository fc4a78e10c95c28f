//! Mails that have not left yet, as files: a restart loses none, and a mail server that is away for long fills no memory.
//!
//! Each is sealed: it may hold a link that opens an account. The folder is this node's own, so that every mail has one sender.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::Letter;
use crate::world::{Clock, Entropy, UnixMillis, vault::Vault};

/// The folder.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    vault: Vault,
    clock: Clock,
    entropy: Entropy,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whose delivery is under way.
    busy: HashSet<String>,
    /// Files, as far as this process knows.
    count: usize,
}

/// One file's content, before it is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    to: String,
    subject: String,
    text: String,
    html: String,
    until: i64,
}

impl Spool {
    /// Opens the folder, which nobody else may read; makes it where it is missing.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: PathBuf, vault: Vault, clock: Clock, entropy: Entropy) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let spool = Self { folder, vault, clock, entropy, state: Mutex::default() };
        spool.lock().count = spool.names()?.len();
        Ok(spool)
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Writes a mail down; answers its name. `busy`: its delivery begins at once.
    pub(super) fn put(&self, letter: &Letter, until: UnixMillis, busy: bool) -> io::Result<String> {
        {
            let mut state = self.lock();
            if state.count >= MOST {
                return Err(io::Error::other("too many mails are waiting"));
            }
            state.count += 1;
        }
        let written = self.write(letter, until, busy);
        if written.is_err() {
            self.lock().count -= 1;
        }
        written
    }

    fn write(&self, letter: &Letter, until: UnixMillis, busy: bool) -> io::Result<String> {
        let random = u64::from_ne_bytes(self.entropy.bytes().map_err(io::Error::other)?);
        // In the order in which they came.
        let name = format!("{:015}-{random:016x}", self.clock.now().0);
        let kept = Kept {
            to: letter.to.to_string(),
            subject: letter.subject.clone(),
            text: letter.text.clone(),
            html: letter.html.clone(),
            until: until.0,
        };
        let nonce = self.entropy.bytes().map_err(io::Error::other)?;
        let sealed = self.vault.seal(&name, &serde_json::to_vec(&kept)?, nonce);
        let sealed = sealed.map_err(|_| io::Error::other("a mail cannot be sealed"))?;
        // Whole, or not at all.
        let fresh = self.folder.join(format!(".{name}"));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        io::Write::write_all(&mut file, &sealed)?;
        if busy {
            self.lock().busy.insert(name.clone());
        }
        fs::rename(&fresh, self.folder.join(&name))?;
        Ok(name)
    }

    /// The oldest of those whose delivery is not under way: it is from now on. At most so many; what ran out, or cannot be
    /// opened any more, is dropped.
    pub(super) fn take(&self, most: usize) -> io::Result<Vec<(String, Letter, UnixMillis)>> {
        let mut taken = Vec::new();
        for name in self.names()? {
            if taken.len() >= most {
                break;
            }
            if !self.lock().busy.insert(name.clone()) {
                continue;
            }
            match self.read(&name) {
                Some((letter, until)) if self.clock.now() < until => taken.push((name, letter, until)),
                read => {
                    let why = if read.is_some() { "it did not leave in time" } else { "it cannot be opened" };
                    tracing::error!(why, "a mail is dropped");
                    self.remove(&name);
                }
            }
        }
        Ok(taken)
    }

    fn read(&self, name: &str) -> Option<(Letter, UnixMillis)> {
        let sealed = fs::read(self.folder.join(name)).ok()?;
        let kept: Kept = serde_json::from_slice(&self.vault.open(name, &sealed)?.document).ok()?;
        let until = UnixMillis(kept.until);
        let patience = until.since(self.clock.now());
        let Kept { to, subject, text, html, .. } = kept;
        Some((Letter { to: to.parse().ok()?, subject, text, html, patience }, until))
    }

    /// It has left, or never will.
    pub(super) fn remove(&self, name: &str) {
        let gone = fs::remove_file(self.folder.join(name));
        let mut state = self.lock();
        state.busy.remove(name);
        if gone.is_ok() {
            state.count = state.count.saturating_sub(1);
        }
    }

    /// Oldest first. What a crash left half written is none.
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            if let Ok(name) = entry?.file_name().into_string()
                && !name.starts_with('.')
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A few hundred megabytes.
const MOST: usize = 20_000;
