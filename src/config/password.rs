//! `[password]`: how long, and what a hash costs.

/// `[password]`
#[derive(Clone, Debug)]
pub struct Password {
    /// In code points, after NFC.
    pub min_length: usize,
    /// Argon2id memory, KiB.
    pub memory_kib: u32,
    /// Argon2id passes.
    pub iterations: u32,
    /// Argon2id lanes.
    pub parallelism: u32,
}

impl Default for Password {
    fn default() -> Self {
        // OWASP Password Storage Cheat Sheet: the 19 MiB configuration.
        Self { min_length: 10, memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}
