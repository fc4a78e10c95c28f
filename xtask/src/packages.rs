//! Installs what a chore needs through the system's package manager, and only what is missing.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::Failure;

/// A package of Debian, and how to see that it is there.
pub(crate) struct Need {
    package: &'static str,
    is_there: fn() -> bool,
}

/// For `cargo xtask test`.
pub(crate) const FOR_TESTS: &[Need] = &[
    Need { package: "redis-server", is_there: || on_path("redis-server") },
    Need { package: "postgresql", is_there: || postgres_programs().is_some() },
    Need { package: "chromium", is_there: || on_path("chromium") },
    Need { package: "chromium-driver", is_there: || on_path("chromedriver") },
    // Without any font, Chromium draws pages without words.
    Need { package: "fonts-dejavu-core", is_there: || Path::new("/usr/share/fonts/truetype/dejavu").exists() },
    Need { package: "faketime", is_there: faketime_is_there },
    // An authenticator app that is not ours.
    Need { package: "oathtool", is_there: || on_path("oathtool") },
    // `setpriv --pdeathsig`: children of a killed test end with it.
    Need { package: "util-linux", is_there: || on_path("setpriv") },
];

/// For `cargo xtask bench`.
pub(crate) const FOR_BENCH: &[Need] = &[
    Need { package: "nginx", is_there: || on_path("nginx") },
    Need { package: "haproxy", is_there: || on_path("haproxy") },
    Need { package: "wrk", is_there: || on_path("wrk") },
    Need { package: "nghttp2-client", is_there: || on_path("h2load") },
    Need { package: "redis-server", is_there: || on_path("redis-server") },
    Need { package: "openssl", is_there: || on_path("openssl") },
    // `setpriv` and `taskset`.
    Need { package: "util-linux", is_there: || on_path("setpriv") && on_path("taskset") },
];

/// Installs what is missing; says what to do where that cannot be done.
pub(crate) fn install_missing(needs: &[Need]) -> Result<(), Failure> {
    let missing: Vec<_> = needs.iter().filter(|need| !(need.is_there)()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !on_path("apt-get") {
        return Err(format!("this needs {list} (Debian's names), and there is no apt-get here: install them by hand"));
    }
    println!("xtask: installing {list}");
    apt(&missing)?;
    let still: Vec<_> = needs.iter().filter(|need| !(need.is_there)()).map(|need| need.package).collect();
    if still.is_empty() { Ok(()) } else { Err(format!("installed, and still not found: {}", still.join(" "))) }
}

fn apt(packages: &[&str]) -> Result<(), Failure> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let mut command = Command::new(if root { "sh" } else { "sudo" });
    if !root {
        command.arg("sh");
    }
    command.args(["-c", INSTALL, "install"]).args(packages);
    let status = command.status().map_err(|error| format!("the package manager does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`apt-get install {}` failed", packages.join(" "))) }
}

/// Installs its arguments. Debian starts servers as soon as they are installed; the tests start their own, and nothing is to be
/// left running: for that time a policy (invoke-rc.d(8)) forbids it, unless the machine has one of its own.
const INSTALL: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"
"#;

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/bin"), PathBuf::from("/usr/sbin")])
        .any(|folder| folder.join(program).is_file())
}

fn faketime_is_there() -> bool {
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    Path::new(&library).exists()
}

/// The folder with `initdb` and `postgres` of the newest installed PostgreSQL server.
pub(crate) fn postgres_programs() -> Option<PathBuf> {
    let mut folders: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    folders.sort();
    folders.pop()
}
