//! What a row found: figures held against the goals, and the table behind them, as Markdown.

use super::rounds::{Measured, named};
use crate::Failure;

/// What one row found.
pub(super) struct Section {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) table: Table,
    /// How it was measured, where that is not obvious.
    pub(super) note: String,
}

/// A figure against what it must and what it should reach.
pub(super) struct Verdict {
    pub(super) what: String,
    /// In words, with units.
    pub(super) figure: String,
    /// What is compared with the goals: a ratio, or the figure itself.
    pub(super) value: f64,
    pub(super) must: Goal,
    pub(super) aim: Goal,
    /// Answers that were not as they should be: then nothing is met.
    pub(super) failed: f64,
}

/// A bound.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// The issue asks nothing.
    Unset,
}

impl Goal {
    fn shown(self) -> String {
        match self {
            Self::AtMost(bound) => format!("≤ {}", figure(bound)),
            Self::AtLeast(bound) => format!("≥ {}", figure(bound)),
            Self::Unset => "–".into(),
        }
    }

    fn met(self, value: f64) -> &'static str {
        let met = match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
            Self::Unset => return "–",
        };
        if met { "yes" } else { "**no**" }
    }
}

impl Verdict {
    /// CPU per request of one proxy against another's.
    pub(super) fn cpu(all: &[Measured], name: &str, other: &str, must: Goal, aim: Goal) -> Result<Self, Failure> {
        let (own, other) = (named(all, name)?, named(all, other)?);
        Ok(Self {
            what: format!("CPU per request, {name}, against {}", other.name),
            figure: format!("{:.1} µs to {:.1} µs", own.cpu_us, other.cpu_us),
            value: own.cpu_us / other.cpu_us,
            must,
            aim,
            failed: own.failed + other.failed,
        })
    }

    /// One line of the overview.
    pub(super) fn line(&self, row: &str) -> String {
        let invalid = self.failed > 0.0;
        let value =
            if invalid { format!("{}; {:.0} failed", figure(self.value), self.failed) } else { figure(self.value) };
        let met = |goal: Goal| if invalid { "**no**" } else { goal.met(self.value) };
        let (must, aim) = (self.must.shown(), self.aim.shown());
        let (must_met, aim_met) = (met(self.must), met(self.aim));
        let (what, words) = (&self.what, &self.figure);
        format!("| {row} | {what} | {words} | {value} | {must} | {must_met} | {aim} | {aim_met} |")
    }
}

/// The head of the overview.
pub(super) const OVERVIEW: &str =
    "| row | what | figure | compared | must | met | aim | met |\n|---|---|---|---|---|---|---|---|";

/// Rows of text under a head.
pub(super) struct Table {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// The usual figures of every proxy; ratios are against the first.
    pub(super) fn of(all: &[Measured]) -> Self {
        let mut table = Self::new(&[
            "target",
            "requests/s",
            "ratio",
            "CPU µs/request",
            "ratio",
            "p50 µs",
            "p99 µs",
            "PSS MiB",
            "failed",
        ]);
        let base = all.first();
        for one in all {
            let ratio = |of: fn(&Measured) -> f64| figure(base.map_or(0.0, |base| of(one) / of(base)));
            table.rows.push(vec![
                one.name.into(),
                format!("{:.0}", one.per_second),
                ratio(|one| one.per_second),
                format!("{:.1}", one.cpu_us),
                ratio(|one| one.cpu_us),
                format!("{:.0}", one.p50_us),
                format!("{:.0}", one.p99_us),
                format!("{:.1}", one.pss_mib),
                format!("{:.0}", one.failed),
            ]);
        }
        table
    }

    /// As Markdown; columns are padded, for the terminal.
    pub(super) fn shown(&self) -> String {
        let all: Vec<&Vec<String>> = std::iter::once(&self.head).chain(&self.rows).collect();
        let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let line = |row: &Vec<String>| {
            let cells =
                row.iter().enumerate().map(|(column, cell)| format!("{cell:<w$}", w = width(column).unwrap_or(0)));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let mut lines = all.iter().map(|row| line(row));
        let rule = format!("|{}\n", "---|".repeat(self.head.len()));
        lines.next().into_iter().chain([rule]).chain(lines).collect()
    }
}

impl Section {
    /// For the terminal.
    pub(super) fn shown(&self) -> String {
        let verdicts: Vec<_> = self.verdicts.iter().map(|verdict| verdict.line("·")).collect();
        format!("{}\n{OVERVIEW}\n{}\n", self.table.shown(), verdicts.join("\n"))
    }
}

/// Two decimals where they say something.
pub(super) fn figure(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(value: f64, failed: f64) -> String {
        let (must, aim) = (Goal::AtMost(1.2), Goal::AtMost(1.0));
        Verdict { what: "CPU".into(), figure: "12 µs".into(), value, must, aim, failed }.line("h1")
    }

    #[test]
    fn a_goal_is_met_missed_or_spoilt() {
        assert_eq!(verdict(1.1, 0.0), "| h1 | CPU | 12 µs | 1.10 | ≤ 1.20 | yes | ≤ 1 | **no** |");
        assert!(verdict(0.5, 3.0).contains("0.50; 3 failed | ≤ 1.20 | **no** | ≤ 1 | **no**"));
        assert_eq!(Goal::AtLeast(0.95).met(0.94), "**no**");
    }
}
