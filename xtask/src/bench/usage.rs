//! What a process and all its children used: proc(5).

use std::fs;

/// A process and everything below it.
#[derive(Clone, Copy)]
pub(super) struct Usage(pub(super) u32);

impl Usage {
    /// CPU time of all threads, in microseconds; `/proc` counts in hundredths of a second.
    pub(super) fn cpu_us(self) -> f64 {
        self.sum(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name in parentheses may hold blanks; after it come state, and eleven fields later utime and stime.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
            let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
            Some((user + system) * TICK_US)
        })
    }

    /// Proportional set size, in KiB: pages shared with others count in parts.
    pub(super) fn pss_kib(self) -> f64 {
        self.sum(|pid| line_kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:"))
    }

    /// Resident set size, in KiB.
    pub(super) fn rss_kib(self) -> f64 {
        self.sum(|pid| line_kib(&format!("/proc/{pid}/status"), "VmRSS:"))
    }

    /// The largest resident size since the start or [`Usage::forget_peak`], in KiB.
    pub(super) fn peak_kib(self) -> f64 {
        self.sum(|pid| line_kib(&format!("/proc/{pid}/status"), "VmHWM:"))
    }

    /// Begins the peak anew.
    pub(super) fn forget_peak(self) {
        for pid in family(self.0) {
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    fn sum(self, of: impl Fn(u32) -> Option<f64>) -> f64 {
        family(self.0).into_iter().filter_map(of).sum()
    }
}

fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok()).flat_map(family);
    std::iter::once(pid).chain(children).collect()
}

fn line_kib(path: &str, name: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// `USER_HZ` is 100 on every architecture Debian has.
const TICK_US: f64 = 10_000.0;
