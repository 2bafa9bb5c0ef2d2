//! One revision's side: its own benchmark, run for one scenario, and the figures that it wrote.
//!
//! Reads the file that every revision's benchmark writes for programs. Never reads its table.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// Programs and plugins of one revision, laid out as cargo lays out its target folder.
#[derive(Debug)]
pub(super) struct Side {
    folder: PathBuf,
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
    pub(super) fn of(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("{}", folder.display()))?;
        let side = Self { folder };
        let program = side.program();
        ensure!(
            program.exists(),
            "{} is missing: `make bench-compare` builds it",
            program.display()
        );
        Ok(side)
    }

    fn program(&self) -> PathBuf {
        self.folder.join("release/hookgate-bench")
    }

    /// Runs one scenario once, each of its stretches for `seconds`.
    pub(super) fn measure(&self, scenario: &str, seconds: u32) -> anyhow::Result<Vec<Value>> {
        let program = self.program();
        let ran = Command::new(&program)
            .args(["--rounds", "1", "--seconds", &seconds.to_string(), "--only", scenario])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .with_context(|| format!("failed to start {}", program.display()))?;
        let complaint = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "{} failed:\n{complaint}", program.display());
        let written = std::fs::read_to_string(self.folder.join("bench.json"))?;
        values(&written)
    }
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
