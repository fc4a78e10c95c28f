//! `[secrets]`: the keys under which cookies and form tokens are signed.

use secrecy::SecretString;

/// `[secrets]`: without `current`, one is generated into `data_dir/secret` (0600) at the first start.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// At least 32 bytes of text; several nodes share it.
    pub current: Option<SecretString>,
    /// Still accepted, never used for new values.
    pub previous: Vec<SecretString>,
}
