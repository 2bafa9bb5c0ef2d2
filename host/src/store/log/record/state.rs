//! What a try did with the state of its subject: the part of its record that few tries have.
//!
//! Pure. The rows of state say how it stands now; by these records it can be told how it stood at
//! any try, as long as the records are kept. Never shows a value to anybody: it may be a secret.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::report::Effects;
use crate::store::state;

/// What a run that is done did with the state of its subject.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct StateRecord<'a> {
    /// Whose state it is. The handler is the plugin of the try.
    scope: Cow<'a, str>,
    /// The keys that it set or deleted (`None`), each once, in the order of keys. None if it only
    /// read.
    writes: Vec<(Cow<'a, str>, Option<Bytes>)>,
}

impl<'a> StateRecord<'a> {
    /// `None` if the run neither wrote nor read state.
    pub(in crate::store) fn of(effects: &'a Effects) -> Option<Self> {
        let Effects { state, state_read, scope, .. } = effects;
        if state.is_empty() && state_read.is_none() {
            return None;
        }
        let last = state::last_words(state).into_iter();
        let writes = last.map(|(key, value)| (Cow::Borrowed(key), value.cloned())).collect();
        Some(Self { scope: Cow::Borrowed(scope), writes })
    }

    /// What stands before a reason, of a try that did nothing with state.
    pub(in crate::store) fn nothing() -> Self {
        Self { scope: Cow::Borrowed(""), writes: Vec::new() }
    }

    /// Whether it changed anything.
    pub(in crate::store) fn writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// The rows that it put, of this handler at this time, or removed (`None`).
    pub(in crate::store) fn rows(
        &self,
        handler: &Name,
        at: Timestamp,
    ) -> impl Iterator<Item = (Vec<u8>, Option<Bytes>)> {
        self.writes.iter().map(move |(key, value)| {
            let key = state::key(handler, &self.scope, key);
            let row = value.as_ref().map(|value| state::row(&key, at, value));
            (key, row)
        })
    }

    /// Whose state it is, and the keys that it set, with their values, or deleted.
    pub(in crate::store) fn into_writes(self) -> (String, Vec<(String, Option<Bytes>)>) {
        let writes = self.writes.into_iter().map(|(key, value)| (key.into_owned(), value));
        (self.scope.into_owned(), writes.collect())
    }

    /// The keys that it set or deleted.
    pub(in crate::store) fn into_keys(self) -> Vec<String> {
        self.writes.into_iter().map(|(key, _)| key.into_owned()).collect()
    }
}
