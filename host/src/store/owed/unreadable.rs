//! What the history of a work says when the record that it works on can't be read.
//!
//! Pure. That record is the one that would name the source, handler or endpoint of the work: so the
//! last record of its history names it, where an answer or the lines of a plugin would stand. Never
//! says what the work was about.

use std::time::Duration;

use crate::effect::{LogLevel, LogLine};
use crate::event::Timestamp;
use crate::failure::{AttemptDetail, Reason};
use crate::ids::Name;
use crate::retry::{Outcome, Verdict};
use crate::store::log::record::Record;
use crate::store::report::{Attempt, Try};

/// Why such a work is dead.
pub(in crate::store) const UNREADABLE: &str = "unreadable";

fn outcome() -> Outcome {
    Outcome::Permanent { reason: UNREADABLE.to_owned() }
}

/// The last try of a parse or a run of this group.
pub(in crate::store) fn tried(group: &Name, at: Timestamp) -> Try {
    let line = LogLine { level: LogLevel::Error, message: group.to_string() };
    let (plugin, duration, reason) = (None, Duration::ZERO, Some(Reason::Unreadable));
    let (verdict, log) = (Verdict::Dead, vec![line]);
    Try { at, duration, plugin, outcome: outcome(), verdict, log, reason }
}

/// The last attempt of a delivery to this endpoint.
pub(in crate::store) fn attempted(endpoint: &Name, at: Timestamp) -> Attempt {
    let (status, answer, verdict) = (None, endpoint.to_string(), Verdict::Dead);
    let reason = Some(Reason::Unreadable);
    let (duration, detail) = (Duration::ZERO, AttemptDetail { reason, ..AttemptDetail::default() });
    Attempt { at, duration, status, answer, outcome: outcome(), verdict, detail }
}

/// Whom a work was for, by the last record of its history; `None` if its own record says it.
pub(in crate::store) fn group(last: &Record) -> Option<Name> {
    let (outcome, group) = match last {
        Record::Try(tried) => (&tried.outcome, tried.log.first()?.message.as_str()),
        Record::Attempt(attempt) => (&attempt.outcome, &*attempt.answer),
        _ => return None,
    };
    if outcome.reason() == Some(UNREADABLE) { group.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::record::{AttemptRecord, TryRecord};
    use crate::store::log::segment::{RecordKind, SegmentWriter};

    /// The record as it is read back.
    fn read(kind: RecordKind, record: &impl serde::Serialize) -> Record {
        let mut writer = SegmentWriter::new(1);
        writer.push(kind, 1, record);
        let segment = writer.finish_and_read();
        Record::read(&segment.find(1).unwrap(), 0).unwrap()
    }

    #[test]
    fn the_last_record_of_a_history_names_whom_the_work_was_for() {
        let (ledger, crm) = ("ledger".parse::<Name>().unwrap(), "crm".parse::<Name>().unwrap());
        let at = Timestamp(5);
        let tried = tried(&ledger, at);
        let tried = read(RecordKind::Try, &TryRecord::of(&tried, 7, None));
        let attempt = attempted(&crm, at);
        let attempted = read(RecordKind::Attempt, &AttemptRecord::of(&attempt, 8, None));
        assert_eq!((group(&tried), group(&attempted)), (Some(ledger), Some(crm)));

        let refused = Outcome::Permanent { reason: "410".to_owned() };
        let other = Attempt { outcome: refused, ..attempt };
        let other = read(RecordKind::Attempt, &AttemptRecord::of(&other, 8, None));
        assert_eq!(group(&other), None, "an endpoint may answer with any text");
    }
}
