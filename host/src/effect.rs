//! What a run asks for, before it is committed.
//!
//! Pure values: an effect is a wish that the plugin's grant already allows. Only the store makes it
//! happen, together with the record of the run.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::Money;
use crate::ids::Name;

/// One thing that a run asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Adds an event.
    Emit(Emission),
    /// Sends bytes to an endpoint, signed.
    Send(Parcel),
    /// Tells the operator.
    Alert(Alert),
    /// Sets a key of the subject's state, or deletes it (`None`).
    SetState {
        /// 1 to 256 bytes.
        key: String,
        /// At most 256 KiB.
        value: Option<Bytes>,
    },
}

/// An event that a handler adds: an event without identity and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emission {
    /// `customer.payment_failed_notice`.
    pub event_type: String,
    /// The business entity that it is about.
    pub subject: Option<String>,
    /// How much it is about.
    pub money: Option<Money>,
    /// Lower-case names and their values.
    pub labels: Vec<(String, String)>,
    /// A JSON document, as text.
    pub data: String,
}

/// Bytes for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// A granted endpoint.
    pub endpoint: Name,
    /// Its content type.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// How much it matters.
    pub severity: Severity,
    /// For a person.
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
    /// How loud.
    pub level: LogLevel,
    /// At most 1 KiB, without control characters.
    pub message: String,
}

/// The level of a [`LogLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// Ordinary.
    Info,
    /// Odd.
    Warn,
    /// Wrong.
    Error,
}
