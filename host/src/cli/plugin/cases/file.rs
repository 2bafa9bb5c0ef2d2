//! A case as a file: what a run gets, and what must come out of it.
//!
//! Everything but the event's type has a default, and a key that is not known is an error with its
//! line and column. A file is rewritten whole or not at all, and only its part behind `[expect]`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::document::Document;
use super::produced::{Produced, State};
use crate::config::place_of;
use crate::event::{Money, Timestamp};
use crate::ids::Name;
use crate::regular_file::{self, ReadError};
use crate::route;
use crate::tenant::Tenant;

/// Most bytes of a file: an event has at most a few MiB.
const BYTES_MAX: usize = 16 << 20;
/// The start of 2026, when a run is if its case does not say.
const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// A recorded test of a handler.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows.
    #[serde(default)]
    pub(super) about: String,
    /// The handler's `config`; if left out, that of the command.
    #[serde(default, deserialize_with = "Document::object")]
    pub(super) settings: Option<Document>,
    /// The time of the run.
    #[serde(default = "start_of_2026")]
    pub(super) now: Timestamp,
    /// The number of the try.
    #[serde(default = "first")]
    pub(super) attempt: u32,
    /// Who requested the run again.
    pub(super) replay_by: Option<String>,
    /// Whose the event is.
    pub(super) tenant: Option<Tenant>,
    /// The state of the event's subject.
    #[serde(default)]
    pub(super) state: State,
    /// What it runs on.
    pub(super) event: Given,
    /// What must come out.
    #[serde(default)]
    pub(super) expect: Produced,
}

/// The event that a case gives to a handler.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    #[serde(rename = "type", deserialize_with = "event_type")]
    pub(super) event_type: String,
    #[serde(default = "an_id")]
    pub(super) id: String,
    #[serde(default = "a_source")]
    pub(super) source: Name,
    pub(super) subject: Option<String>,
    /// When it happened; if left out, the time of the run.
    pub(super) time: Option<Timestamp>,
    #[serde(default, deserialize_with = "money")]
    pub(super) money: Option<Money>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "Document::json")]
    pub(super) data: Document,
}

/// Why a case can't be read, or not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaseError {
    /// Its file can't be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: ReadError },
    /// It is not a case.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Invalid {
        path: PathBuf,
        /// From 1, in characters.
        line: usize,
        column: usize,
        /// What stands there, and what could.
        reason: String,
    },
    /// What it expects can't be replaced.
    #[error(
        "failed to rewrite `{}`: let `[expect]` and `[[expect.…]]` be its last tables", .0.display()
    )]
    Order(PathBuf),
    /// Its file can't be written.
    #[error("failed to write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// A case, and the text that it was read from.
#[derive(Debug)]
pub(super) struct CaseFile {
    path: PathBuf,
    text: String,
    pub(super) case: Case,
}

impl CaseFile {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, CaseError> {
        let bytes = regular_file::read(path, BYTES_MAX)
            .map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let case = parse(path, &text)?;
        Ok(Self { path: path.to_owned(), text, case })
    }

    /// The same case with another expectation, which is not written yet. All in front of the old
    /// one stays as it is.
    pub(super) fn expecting(&self, produced: &Produced) -> Result<Self, CaseError> {
        let (before, gap) = match expectation(&self.text) {
            Some(at) => (&self.text[..at], ""),
            None if self.text.ends_with('\n') => (self.text.as_str(), "\n"),
            None => (self.text.as_str(), "\n\n"),
        };
        let text = [before, gap, &produced.to_toml()].concat();
        let order = || CaseError::Order(self.path.clone());
        let case = parse(&self.path, &text).map_err(|_| order())?;
        let given = |case: &Case| Case { expect: Produced::default(), ..case.clone() };
        // What stood behind the expectation would be lost, and what stood beside it doubled.
        if given(&case) != given(&self.case) {
            return Err(order());
        }
        Ok(Self { path: self.path.clone(), text, case })
    }

    /// Puts it into the place of its file, whole.
    pub(super) fn write(&self) -> Result<(), CaseError> {
        let Self { path, text, .. } = self;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let write = || -> io::Result<()> {
            let mut builder = tempfile::Builder::new();
            let mut part =
                builder.prefix(".case-").tempfile_in(folder.unwrap_or(Path::new(".")))?;
            io::Write::write_all(&mut part, text.as_bytes())?;
            fs::set_permissions(part.path(), fs::metadata(path)?.permissions())?;
            part.persist(path)?;
            Ok(())
        };
        write().map_err(|source| CaseError::Write { path: path.clone(), source })
    }
}

/// Reads the text of the file at this path.
fn parse(path: &Path, text: &str) -> Result<Case, CaseError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let (line, column) = place_of(text, at.min(text.len()));
        CaseError::Invalid {
            path: path.to_owned(),
            line,
            column,
            reason: error.message().to_owned(),
        }
    })
}

/// Where the first table of the expectation begins.
fn expectation(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let name = line.trim_start().strip_prefix('[').map(|line| line.trim_start_matches('['));
        let rest = name.and_then(|name| name.trim_start().strip_prefix("expect"));
        if rest.is_some_and(|rest| rest.trim_start().starts_with([']', '.'])) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn start_of_2026() -> Timestamp {
    NOW
}

fn first() -> u32 {
    1
}

fn an_id() -> String {
    "evt_1".to_owned()
}

fn a_source() -> Name {
    "case".parse().expect("it is a name")
}

fn event_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let reason = || format!("`{text}` is not an event type such as payment.failed");
    if route::is_event_type(&text) { Ok(text) } else { Err(D::Error::custom(reason())) }
}

fn money<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parts = text.split_once(' ');
    let (amount, currency) =
        parts.ok_or_else(|| D::Error::custom("must be an amount such as `42.50 EUR`"))?;
    Money::new(amount.to_owned(), currency.to_owned()).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::super::produced::Done;
    use super::*;

    const CASE: &str = "# Ours.\nattempt = 2\n\n[event]\ntype = \"payment.failed\"\n\
                        data = '''\n{\"list\":\n[1]}'''\n";

    fn refused(text: &str) -> String {
        parse(Path::new("a.toml"), text).unwrap_err().to_string()
    }

    fn of(text: &str) -> CaseFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, text).unwrap();
        CaseFile::read(&path).unwrap()
    }

    #[test]
    fn what_a_case_leaves_out_has_a_default() {
        let case = parse(Path::new(""), "event = { type = \"payment.failed\" }").unwrap();
        assert_eq!((case.now.to_string().as_str(), case.attempt), ("2026-01-01T00:00:00.000Z", 1));
        assert_eq!((case.event.id.as_str(), case.event.data.text.as_str()), ("evt_1", "{}"));
        assert_eq!((case.event.source.as_str(), case.expect), ("case", Produced::default()));
    }

    #[test]
    fn what_is_wrong_in_a_case_is_named_with_its_place() {
        let event = "[event]\ntype = \"payment.failed\"\n";
        for (text, begins) in [
            (
                format!("{event}[expect]\nstat = {{}}"),
                "a.toml:4:1: unknown field `stat`, expected ",
            ),
            (format!("{event}[[expect.emit]]\ntyp = \"a.b\""), "a.toml:4:1: unknown field `typ`, "),
            (
                format!("atempt = 1\n{event}"),
                "a.toml:1:1: unknown field `atempt`, expected one of ",
            ),
            ("[event]\ntype = \"a b\"".to_owned(), "a.toml:2:8: `a b` is not an event type such "),
            (format!("{event}money = \"42\""), "a.toml:3:9: must be an amount such as `42.50 EUR`"),
            (format!("{event}data = '{{'"), "a.toml:3:8: the text is not JSON: "),
            (format!("settings = 1\n{event}"), "a.toml:1:12: must be a table, or the text of "),
            (
                format!("state = {{ a = 1 }}\n{event}"),
                "a.toml:1:15: must be a text, or { base64 = ",
            ),
            (format!("{event}[expect]\noutcome = \"no\""), "a.toml:4:11: invalid value: string "),
            ("attempt = 1".to_owned(), "a.toml:1:1: missing field `event`"),
            (format!("{event}a = [1"), "a.toml:3:"),
        ] {
            let said = refused(&text);
            assert!(said.starts_with(begins), "{said}");
        }
    }

    #[test]
    fn only_the_expectation_is_rewritten() {
        let done = Done { ended: Ok(Vec::new()), log: Vec::new() };
        let got = Produced::of(&done, &Produced::default(), &State::default(), None);
        for (behind, gap) in [("", "\n"), ("\n\n[ expect ]\nlog = [\"info: a\"]\n", "\n\n")] {
            let file = of(&format!("{CASE}{behind}"));
            let rewritten = file.expecting(&got).unwrap();
            assert_eq!(rewritten.text, format!("{CASE}{gap}[expect]\n"));
            assert_eq!(rewritten.case.expect, got);
        }
    }

    #[test]
    fn what_would_be_lost_behind_the_expectation_refuses_the_rewriting() {
        let event = "[event]\ntype = \"payment.failed\"\n";
        for text in [
            format!("[expect]\nlog = []\n{event}"),
            format!("expect.log = []\n{event}"),
            format!("expect = {{ log = [] }}\n{event}"),
            format!("about = '''\n[expect]\n'''\n{event}"),
        ] {
            let error = of(&text).expecting(&Produced::default()).unwrap_err();
            assert!(matches!(error, CaseError::Order(_)), "{text}: {error}");
        }
    }

    #[test]
    fn a_rewritten_case_is_in_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, CASE).unwrap();
        let rewritten = CaseFile::read(&path).unwrap().expecting(&Produced::default()).unwrap();
        rewritten.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{CASE}\n[expect]\n"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
