//! The exit code of a command: what it failed of, so that a script need not read what it said.
//!
//! The table in `docs/cli.md` is this list. A code that is there never gets another meaning.

use serde_json::{Value, json};

use super::http::{Absent, Refused, Unreachable};
use super::output::{Ink, note, note_parts};
use super::{endpoint, plugin, store, subject};
use crate::causes;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It failed, of nothing that has a code of its own.
    Failed,
    /// It did nothing: the arguments are wrong, a store can't be looked at, a plan was not applied,
    /// a plugin was not tried, or nobody said that a subject shall be forgotten.
    NotDone,
    /// It can't reach the gateway, or the connection broke.
    Unreachable,
    /// The gateway knows no token that was sent, or the token may not do this.
    NotAllowed,
    /// The gateway has nothing of that name or id.
    NotFound,
    /// The gateway refuses what it was asked for, as things stand.
    Refused,
    /// The gateway can't do it now, and may later.
    Unavailable,
}

impl Exit {
    /// Of this error.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        // What these commands promise comes before why: nothing was looked at, applied or tried.
        let is_not_done = error.is::<store::NotChecked>()
            || error.is::<endpoint::NotApplied>()
            || error.is::<plugin::NotRehearsed>()
            || error.is::<subject::NotErased>();
        if is_not_done {
            return Self::NotDone;
        }
        if error.is::<Unreachable>() {
            return Self::Unreachable;
        }
        if error.is::<Absent>() {
            return Self::NotFound;
        }
        match error.downcast_ref::<Refused>().map(|refused| refused.status) {
            Some(401 | 403) => Self::NotAllowed,
            Some(404 | 410) => Self::NotFound,
            Some(429 | 500..) => Self::Unavailable,
            Some(_) => Self::Refused,
            None => Self::Failed,
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::NotDone => 2,
            Self::Unreachable => 3,
            Self::NotAllowed => 4,
            Self::NotFound => 5,
            Self::Refused => 6,
            Self::Unavailable => 7,
        }
    }

    /// As the JSON of an error has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotDone => "not_done",
            Self::Unreachable => "unreachable",
            Self::NotAllowed => "not_allowed",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Says on standard error why a command failed, with all that led to it: for a person, or for
/// programs as one JSON document on a line.
pub(super) fn tell(error: &anyhow::Error, exit: Exit, is_json: bool) {
    let said = causes::chain(error.as_ref());
    match is_json {
        true => note(format_args!("{}", document(&said, exit))),
        false => note_parts(&[(Ink::Bad, "hookgate:"), (Ink::Plain, &format!(" {said}"))]),
    }
}

/// An error for programs.
pub(super) fn document(said: &str, exit: Exit) -> Value {
    json!({ "error": said, "cause": exit.name(), "code": exit.code() })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    const ALL: [Exit; 7] = [
        Exit::Failed,
        Exit::NotDone,
        Exit::Unreachable,
        Exit::NotAllowed,
        Exit::NotFound,
        Exit::Refused,
        Exit::Unavailable,
    ];

    #[test]
    fn the_cause_decides_wherever_it_stands_in_the_chain() {
        let refused = |status: u16| anyhow::Error::new(Refused { status, said: String::new() });
        for (status, exit) in [
            (400, Exit::Refused),
            (401, Exit::NotAllowed),
            (403, Exit::NotAllowed),
            (404, Exit::NotFound),
            (409, Exit::Refused),
            (429, Exit::Unavailable),
            (503, Exit::Unavailable),
        ] {
            assert_eq!(Exit::of(&refused(status).context("further out")), exit, "{status}");
        }
        let broken = anyhow!("refused by peer").context(Unreachable::Connect("a".to_owned()));
        assert_eq!(Exit::of(&broken.context("further out")), Exit::Unreachable);
        assert_eq!(Exit::of(&anyhow!("something else")), Exit::Failed);
        assert_eq!(Exit::of(&Absent("no such".to_owned()).into()), Exit::NotFound);
        let documented = refused(503).context(plugin::NotRehearsed);
        assert_eq!(Exit::of(&documented), Exit::NotDone);
    }

    /// Guards the table that operators read.
    #[test]
    fn every_code_stands_in_the_table() {
        let table = include_str!("../../../docs/cli.md");
        for exit in ALL {
            let row = format!("| {} | `{}` | ", exit.code(), exit.name());
            assert!(table.contains(&row), "docs/cli.md has no row `{row}`");
        }
    }
}
