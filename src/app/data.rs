//! `data_dir`: made 0700, found writable, and holding the generated secret.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::SecretString;
use tracing::{info, warn};

use crate::{
    config::secrets::Secrets,
    world::{Entropy, NoEntropy},
};

/// The data folder cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Not makeable or not writable.
    #[error("data_dir: {} cannot be written by the user Vestibule runs as (uid {uid}). Run: `chown -R {uid}:{gid} {}`", path.display(), path.display())]
    Forbidden {
        /// The folder.
        path: PathBuf,
        /// Who we are.
        uid: u32,
        /// Our group.
        gid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error("data_dir: {} cannot be used", path.display())]
    Io {
        /// The folder or the file in it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The secret's file holds something else.
    #[error(
        "data_dir: {} does not hold a secret. Restore it from a backup, or remove it: a new one signs everybody out once",
        path.display()
    )]
    BadSecret {
        /// The file.
        path: PathBuf,
    },
    /// No random bytes for a new secret.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// Makes the folder, 0700, where it is missing, and tries to write into it.
///
/// # Errors
/// [`DataError::Forbidden`] names the command to run.
pub fn open(folder: &Path) -> Result<(), DataError> {
    // Whatever is written from here on (databases hold password hashes) is nobody else's, whatever the folder's own mode is.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let at = |source| refused(folder, source);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at)?;
    let probe = folder.join(format!(".writable-{}", std::process::id()));
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&probe).map_err(at)?;
    fs::remove_file(&probe).map_err(at)
}

/// The key of cookies and form tokens: the configuration's, or the one generated at the first start.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn secret(folder: &Path, secrets: &Secrets, entropy: &Entropy) -> Result<SecretString, DataError> {
    if let Some(secret) = &secrets.current {
        return Ok(secret.clone());
    }
    let path = folder.join(SECRET_FILE);
    if let Some(secret) = read(&path)? {
        return Ok(secret);
    }
    generate(folder, &path, entropy)?;
    read(&path)?.ok_or(DataError::BadSecret { path })
}

fn read(path: &Path) -> Result<Option<SecretString>, DataError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(path, error)),
    };
    let open_to_others = fs::metadata(path).is_ok_and(|file| file.mode() & 0o077 != 0);
    if open_to_others {
        warn!(path = %path.display(), "the generated secret can be read by other users of this machine: chmod 600 it");
    }
    let text = text.trim();
    // 32 bytes are 44 characters; a truncated file is no secret.
    if text.len() < 43 { Err(DataError::BadSecret { path: path.into() }) } else { Ok(Some(SecretString::from(text))) }
}

/// Written whole under another name and then linked: no start ever reads half of it, and of two starts one wins.
fn generate(folder: &Path, path: &Path, entropy: &Entropy) -> Result<(), DataError> {
    let text = BASE64_STANDARD.encode(entropy.bytes::<32>()?) + "\n";
    let fresh = folder.join(format!(".{SECRET_FILE}-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&fresh, path));
    // What is left under the other name is of no use to anybody.
    let _ = fs::remove_file(&fresh);
    match written {
        Ok(()) => info!(path = %path.display(), "a secret was generated"),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(path, error)),
    }
    Ok(())
}

fn refused(path: &Path, source: io::Error) -> DataError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::PermissionDenied => {
            let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            DataError::Forbidden { path, uid, gid, source }
        }
        _ => DataError::Io { path, source },
    }
}

const SECRET_FILE: &str = "secret";

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_generated_secret_is_kept_for_the_next_start_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        open(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().mode() & 0o777, 0o700);
        let first = secret(&data, &Secrets::default(), &Entropy::System).unwrap();
        let again = secret(&data, &Secrets::default(), &Entropy::System).unwrap();
        assert_eq!(first.expose_secret(), again.expose_secret());
        assert_eq!(first.expose_secret().len(), 44);
        assert_eq!(fs::metadata(data.join("secret")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_truncated_secret_is_told_and_never_used() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "short").unwrap();
        let refused = secret(folder.path(), &Secrets::default(), &Entropy::System);
        assert!(matches!(refused, Err(DataError::BadSecret { .. })));
    }

    #[test]
    fn a_folder_of_somebody_else_names_the_command_to_run() {
        let refused = refused(Path::new("/data"), ErrorKind::PermissionDenied.into()).to_string();
        assert!(refused.contains("Run: `chown -R ") && refused.ends_with(" /data`"), "{refused}");
    }
}
