//! What fuzzing starts from (`fuzz/seeds/TARGET`) and what it found (`fuzz/regressions/TARGET`), checked again by the tests.

use std::{fs, path::Path};

/// Gives every kept input of a target to its check; there has to be one.
pub(crate) fn replay(target: &str, check: impl Fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let folders = ["seeds", "regressions"].map(|kind| root.join(kind).join(target));
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut count = 0;
    for file in files {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        check(&bytes);
        count += 1;
    }
    assert!(count > 0, "nothing is kept for {target}");
}
