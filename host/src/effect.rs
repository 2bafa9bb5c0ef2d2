//! What a run asks for, before it is committed.
//!
//! Pure values: an effect is a wish that the plugin's grant already allows. Only the store makes it
//! happen, together with the record of the run.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::Money;
use crate::ids::Name;
use crate::json_text::JsonText;
use crate::tenant::Tenant;

/// One thing that a run asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Adds an event.
    Emit(Emission),
    /// Sends bytes to an endpoint, signed.
    Send(Parcel),
    /// Alerts the operator.
    Alert(Alert),
    /// Sets a key of the subject's state, or deletes it (`None`).
    SetState {
        /// The key, 1 to 256 bytes.
        key: String,
        /// The value, at most 256 KiB.
        value: Option<Bytes>,
    },
}

/// All that a run asks for, and what it decided that from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// In the order in which it asked; behind them the state, by key.
    pub effects: Vec<Effect>,
    /// Of what it read of the state; `None` if it read nothing.
    pub state_read: Option<StateHash>,
}

/// Tells what a run read of its state from anything else that it might have read: the first half
/// of a SHA-256 over the keys that it asked for and the values that it was given, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateHash(pub [u8; 16]);

/// An event that a handler adds: an event without identity and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emission {
    /// The type: `customer.payment_failed_notice`.
    pub event_type: String,
    /// The business entity that it is about.
    pub subject: Option<String>,
    /// How much it is about.
    pub money: Option<Money>,
    /// Lower-case names and their values.
    pub labels: Vec<(String, String)>,
    /// What the handler says of the event.
    pub data: JsonText,
    /// Whose the event is.
    pub tenant: Option<Tenant>,
}

impl Emission {
    /// The number of bytes that it counts for.
    pub fn bytes(&self) -> usize {
        let money = self.money.as_ref().map_or(0, |it| it.amount.len() + it.currency.len());
        let labels = self.labels.iter().map(|(name, value)| name.len() + value.len());
        let subject = self.subject.as_ref().map_or(0, String::len);
        let data = self.data.as_str();
        self.event_type.len() + subject + money + labels.sum::<usize>() + data.len()
    }
}

/// What may still be emitted below an event: by all runs on it, by those on what they emit, and so
/// on. Whoever emits divides the rest among what it emitted, so a whole tree never has more than
/// its root was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// The number of events.
    pub events: u32,
    /// The bytes of all of them together, as [`Emission::bytes`] counts.
    pub bytes: u64,
}

impl Allowance {
    /// The share of one among this number.
    #[must_use]
    pub fn share(self, among: usize) -> Self {
        let parts = among.max(1);
        Self {
            events: self.events / u32::try_from(parts).unwrap_or(u32::MAX),
            bytes: self.bytes / parts as u64,
        }
    }

    /// What is left after these events with these bytes; `None` if they are more than there is.
    pub fn after(self, events: usize, bytes: usize) -> Option<Self> {
        let events = self.events.checked_sub(u32::try_from(events).ok()?)?;
        Some(Self { events, bytes: self.bytes.checked_sub(bytes as u64)? })
    }

    /// This allowance, but at least `least`.
    #[must_use]
    pub fn at_least(self, least: Self) -> Self {
        Self { events: self.events.max(least.events), bytes: self.bytes.max(least.bytes) }
    }
}

/// Bytes that a run sends to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The endpoint, which the operator granted.
    pub endpoint: Name,
    /// The content type of the body.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// How much the alert matters.
    pub severity: Severity,
    /// The text, for a person.
    pub message: String,
}

/// How much an alert matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look soon.
    Warning,
    /// Look now.
    Critical,
}

/// A line that a plugin wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The level.
    pub level: LogLevel,
    /// The text, at most 1 KiB, without control characters.
    pub message: String,
}

/// The level of a [`LogLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// A detail for the plugin's author.
    Debug,
    /// An ordinary fact.
    Info,
    /// Something odd that does no harm by itself.
    Warn,
    /// Something that went wrong.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Emits as much as it may on every level, in each of `handlers` runs, and counts.
    fn spend(allowance: Allowance, handlers: usize, depth: u32) -> (u64, u64) {
        let mine = allowance.share(handlers);
        if depth == 0 || mine.events == 0 {
            return (0, 0);
        }
        let count = mine.events.min(64).div_ceil(2) as usize;
        let bytes = usize::try_from(mine.bytes / 2).unwrap();
        let left = mine.after(count, bytes).unwrap().share(count);
        let mut events = 0;
        let mut weight = 0;
        for _ in 0..handlers {
            events += count as u64;
            weight += bytes as u64;
            for _ in 0..count {
                let below = spend(left, handlers, depth - 1);
                events += below.0;
                weight += below.1;
            }
        }
        (events, weight)
    }

    #[test]
    fn a_tree_never_has_more_than_its_root_was_given() {
        let root = Allowance { events: 1_000, bytes: 16 << 20 };
        for handlers in [1, 2, 3, 7] {
            let (events, bytes) = spend(root, handlers, 8);
            assert!(events <= 1_000 && bytes <= 16 << 20, "{handlers}: {events}, {bytes}");
            assert!(events > 0, "{handlers}");
        }
    }

    #[test]
    fn more_than_is_left_is_nothing() {
        let few = Allowance { events: 2, bytes: 10 };
        assert_eq!(few.after(2, 10), Some(Allowance { events: 0, bytes: 0 }));
        assert_eq!(few.after(3, 10), None);
        assert_eq!(few.after(2, 11), None);
        assert_eq!(few.after(usize::MAX, 0), None);
        assert_eq!(few.share(0), few);
    }
}
