//! One revision's side: a benchmark, its own or another's, run for one scenario on its gateway, and
//! the figures that it wrote.
//!
//! Reads the file that every revision's benchmark writes for programs. Never reads its table.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// Programs and plugins of one revision, laid out as cargo lays out its target folder.
#[derive(Debug)]
pub(super) struct Side {
    folder: PathBuf,
    /// Where the benchmark lies that measures it.
    benchmark: PathBuf,
}

/// One value of one line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    /// The line, such as `16 connections`.
    pub(super) what: String,
    /// Which of its values, such as `p99`; the first often has no name.
    pub(super) name: String,
    /// As in the file: `per_s`, `ms`, `us`, `bytes`, `mib`, `ratio`, `percent`,
    /// `count`.
    pub(super) unit: String,
    pub(super) value: f64,
}

#[derive(Deserialize)]
struct File {
    figures: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    what: String,
    values: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    unit: String,
    median: f64,
}

impl Side {
    /// The revision in `folder`, measured by the benchmark of the one in `by`.
    pub(super) fn of(folder: &Path, by: &Path) -> anyhow::Result<Self> {
        let found = |path: &Path| {
            path.canonicalize().with_context(|| {
                format!("{} is missing: `make bench-compare` builds it", path.display())
            })
        };
        Ok(Self { folder: found(folder)?, benchmark: found(&program(by))? })
    }

    /// Whether its benchmark has this scenario: an older one may lack it.
    pub(super) fn knows(&self, scenario: &str) -> anyhow::Result<bool> {
        // It says that before it measures anything.
        let ran = self.run(scenario, "0", "0")?;
        let complaint = String::from_utf8_lossy(&ran.stderr);
        let is_unknown = complaint.contains("there is no scenario");
        ensure!(is_unknown || ran.status.success(), "{self} failed:\n{complaint}");
        Ok(!is_unknown)
    }

    /// Runs one scenario once, each of its stretches for `seconds`.
    pub(super) fn measure(&self, scenario: &str, seconds: u32) -> anyhow::Result<Vec<Value>> {
        let ran = self.run(scenario, "1", &seconds.to_string())?;
        let complaint = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "{self} failed:\n{complaint}");
        let written = std::fs::read_to_string(self.folder.join("bench.json"))?;
        values(&written)
    }

    fn run(&self, scenario: &str, rounds: &str, seconds: &str) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.benchmark);
        command.args(["--rounds", rounds, "--seconds", seconds, "--only", scenario]);
        if !self.benchmark.starts_with(&self.folder) {
            command.arg("--target").arg(&self.folder);
        }
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.output().with_context(|| format!("failed to start {self}"))
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.benchmark.display(), self.folder.display())
    }
}

/// The benchmark of the revision in a folder.
fn program(folder: &Path) -> PathBuf {
    folder.join("release/hookgate-bench")
}

fn values(written: &str) -> anyhow::Result<Vec<Value>> {
    let file: File = serde_json::from_str(written).context("the figures can't be read")?;
    let of = |line: Line| {
        let Line { what, values } = line;
        values.into_iter().map(move |Entry { name, unit, median }| Value {
            what: what.clone(),
            name,
            unit,
            value: median,
        })
    };
    Ok(file.figures.into_iter().flat_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_are_written() {
        let written = r#"{ "cores": 2, "figures": [{
            "scenario": "accepting", "what": "16 connections", "of_ceiling": 0.3,
            "values": [{ "name": "p99", "unit": "ms", "median": 2.5, "rounds": [2.5] }]
        }] }"#;
        let [value] = &values(written).unwrap()[..] else { panic!("there is one value") };
        assert_eq!((value.what.as_str(), value.name.as_str()), ("16 connections", "p99"));
        assert_eq!((value.unit.as_str(), value.value), ("ms", 2.5));
    }
}
