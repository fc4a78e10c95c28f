//! A clock of the program's own, which tests move: libfaketime reads the offset from a file at every look.

use std::{path::PathBuf, time::Duration};

/// The wall clock of one program under test. Monotonic time is left alone, so that timers go on.
#[derive(Debug)]
pub struct MovedClock {
    file: PathBuf,
    ahead: std::sync::Mutex<Duration>,
}

impl MovedClock {
    /// A clock that is right, until it is moved.
    pub fn new(folder: &std::path::Path) -> Self {
        let clock = Self { file: folder.join("faketime"), ahead: std::sync::Mutex::default() };
        clock.write(Duration::ZERO);
        clock
    }

    /// Moves it forward.
    pub fn advance(&self, span: Duration) {
        let mut ahead = self.ahead.lock().unwrap();
        *ahead += span;
        self.write(*ahead);
    }

    fn write(&self, ahead: Duration) {
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("+{}\n", ahead.as_secs_f64())).unwrap();
        std::fs::rename(fresh, &self.file).unwrap();
    }

    /// What the program's environment needs.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
        let library = if std::path::Path::new(library).exists() {
            library.to_owned()
        } else {
            let arch = std::env::consts::ARCH;
            format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketimeMT.so.1")
        };
        assert!(
            std::path::Path::new(&library).exists(),
            "faketime is missing: run `cargo xtask test`, which installs it"
        );
        vec![
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }
}
