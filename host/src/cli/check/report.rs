//! What a check found: what would run, and every problem with its place, for a person or as JSON.
//!
//! A problem is printed where it is about a part, or with its line and column in the file. Never
//! looks for one.

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::output::{Ink, note_parts, parts};
use crate::config::Flaw;

/// Something that would keep a gateway from running, or a part of it.
#[derive(Debug, Serialize)]
struct Problem {
    /// The part that it is about: `plugins.stripe`; none if it is about a place of the file.
    about: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    reason: String,
}

/// What was found so far.
#[derive(Debug)]
pub(super) struct Report {
    file: String,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// What a person reads of what would run, line by line.
    lines: Vec<String>,
    plugins: Vec<Value>,
    sources: Vec<Value>,
    endpoints: Vec<Value>,
    handlers: Vec<Value>,
}

/// A list of the parts that would run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Plugins,
    Sources,
    Endpoints,
    Handlers,
}

impl Report {
    /// Of this file, with what is worth a look in it.
    pub(super) fn new(file: String, warnings: Vec<String>) -> Self {
        Self {
            file,
            problems: Vec::new(),
            warnings,
            lines: Vec::new(),
            plugins: Vec::new(),
            sources: Vec::new(),
            endpoints: Vec::new(),
            handlers: Vec::new(),
        }
    }

    /// Adds a line for a person.
    pub(super) fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Adds a part that would run: as a line, and as a document.
    pub(super) fn part(&mut self, part: Part, line: String, document: Value) {
        self.lines.push(line);
        let list = match part {
            Part::Plugins => &mut self.plugins,
            Part::Sources => &mut self.sources,
            Part::Endpoints => &mut self.endpoints,
            Part::Handlers => &mut self.handlers,
        };
        list.push(document);
    }

    /// Adds what follows from all of it.
    pub(super) fn end(&mut self) {
        if self.problems.is_empty() {
            self.lines.push("\neverything can run".to_owned());
        }
    }

    /// Adds a problem of a part. Its line is added by whoever finds it.
    pub(super) fn problem(&mut self, about: String, reason: String) {
        self.problems.push(Problem { about: Some(about), line: None, column: None, reason });
    }

    /// Adds what is wrong with the file.
    pub(super) fn flaws(&mut self, flaws: Vec<Flaw>) {
        self.problems.extend(flaws.into_iter().map(|Flaw { place, reason }| Problem {
            about: None,
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            reason,
        }));
    }

    /// Prints all of it, and gives the number of problems.
    pub(super) fn print(&self, is_json: bool) -> anyhow::Result<usize> {
        let found = self.problems.len();
        if is_json {
            say!("{}", self.document())?;
            return Ok(found);
        }
        let of_file = || self.problems.iter().filter(|problem| problem.about.is_none());
        if of_file().next().is_none() {
            say!("the file {} is valid", self.file)?;
        }
        for warning in &self.warnings {
            parts(&[(Ink::Warning, "warn"), (Ink::Plain, &format!("   {warning}"))])?;
        }
        self.lines.iter().try_for_each(|line| say!("{line}"))?;
        // What is about a part stands there already.
        for problem in of_file() {
            note_parts(&[(Ink::Bad, "error"), (Ink::Plain, &format!("  {}", self.said(problem)))]);
        }
        Ok(found)
    }

    fn said(&self, Problem { line, column, reason, .. }: &Problem) -> String {
        match line.zip(*column) {
            Some((line, column)) => format!("{}:{line}:{column}: {reason}", self.file),
            None => format!("{}: {reason}", self.file),
        }
    }

    fn document(&self) -> Value {
        let Self { file, problems, warnings, plugins, sources, endpoints, handlers, .. } = self;
        json!({
            "file": file,
            "valid": problems.is_empty(),
            "problems": problems,
            "warnings": warnings,
            "plugins": plugins,
            "sources": sources,
            "endpoints": endpoints,
            "handlers": handlers,
        })
    }
}
