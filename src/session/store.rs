//! Where sessions are kept: the contract, and the choice between the backends.

use std::path::Path;

/// The backend, chosen in `app`.
#[derive(Clone, Debug)]
pub enum Store {}

/// Why a store could not be opened at all. (A Redis that is down is no reason.)
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The URL cannot be read.
    #[error("`session.store` is not a Redis URL")]
    Url(#[source] redis::RedisError),
    /// Another process has the file open.
    #[error("{0} is in use by another Vestibule")]
    InUse(std::path::PathBuf),
    /// The file system says no.
    #[error("{0} cannot be opened")]
    Io(std::path::PathBuf, #[source] std::io::Error),
    /// SQLite says no.
    #[error("{0} cannot be opened")]
    Sql(std::path::PathBuf, #[source] sqlx::Error),
}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Store {
    /// `data_dir/sessions.db`. Call it on the service runtime.
    ///
    /// # Errors
    /// When the file cannot be opened, or another process has it.
    pub async fn embedded(data_dir: &Path) -> Result<Self, NotOpened> {
        todo!()
    }

    /// A Redis server; connects at first use, so that it may be down now.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn redis(url: &str) -> Result<Self, NotOpened> {
        todo!()
    }
}
