//! What arrives and what it means: requests, and the canonical events in them.
//!
//! Pure values, shared by everything below. An event is a CloudEvents event; its identity in the
//! store (`evt_`) is the store's business and not in here.

mod sum;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::sum::MoneySums;
use crate::headers::Headers;
use crate::ids::Name;
use crate::json_text::JsonText;

/// Milliseconds since the Unix epoch, UTC. As text: RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The last moment that RFC 3339 can write.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// This long afterwards, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(in_millis(delay)).min(Self::MAX.0))
    }

    /// How long it has been since `earlier`; zero if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the epoch.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// A duration in whole milliseconds, as many as a number can say.
pub(crate) fn in_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(0).after(since_epoch)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0.min(Self::MAX.0));
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

/// A text that is not a [`Timestamp`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-11-22T03:00:00Z")]
pub struct InvalidTimestamp(String);

impl std::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let time = humantime::parse_rfc3339_weak(text);
        time.map(Self::from).map_err(|_| InvalidTimestamp(text.to_owned()))
    }
}

/// In JSON the RFC 3339 text, in the store's binary records the number.
impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

/// A request as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// Path and query.
    pub url: String,
    /// As they arrived.
    pub headers: Headers,
    /// Untouched.
    pub body: Bytes,
    /// When it was read.
    pub received_at: Timestamp,
}

impl Request {
    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// The source of what the gateway raises itself: no other source and no handler has this name.
pub const OWN_SOURCE: &str = "hookgate";
/// What the types of such events begin with, and of no others but [`ALERT_TYPE`].
pub const OWN_TYPES: &str = "hookgate.";
/// The type of the event that a handler's alert becomes.
pub const ALERT_TYPE: &str = "hookgate.alert";

/// One canonical fact: the CloudEvents attributes, and what analysis needs beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The name of the source, or of the handler that emitted it.
    pub source: Name,
    /// Unique within the source.
    pub id: String,
    /// `payment.failed`.
    pub event_type: String,
    /// The business entity that it is about.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Timestamp,
    /// How much it is about.
    pub money: Option<Money>,
    /// Lower-case names and their values.
    pub labels: Vec<(String, String)>,
    /// What the provider, or the handler, says of it.
    pub data: JsonText,
}

impl Event {
    /// Whether the gateway raised it itself.
    pub fn is_own(&self) -> bool {
        self.source.as_str() == OWN_SOURCE
    }
}

/// An exact amount: checked by [`Money::new`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Decimal, in major units: "10.99".
    pub amount: String,
    /// "USD".
    pub currency: String,
}

impl Money {
    /// Most digits that an amount may have before its point.
    pub const WHOLE_DIGITS_MAX: usize = 30;
    /// Most decimals that an amount may have.
    pub const DECIMALS_MAX: usize = 18;

    /// Checks that the amount is a plain decimal number and the currency a symbol, and says what is
    /// wrong if not.
    pub fn new(amount: String, currency: String) -> Result<Self, String> {
        let number = amount.strip_prefix('-').unwrap_or(&amount);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, Self::WHOLE_DIGITS_MAX) || !digits(decimals, Self::DECIMALS_MAX) {
            return Err(format!("amount `{amount}` is not a decimal number"));
        }
        let symbol = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !(2..=12).contains(&currency.len()) || !currency.bytes().all(symbol) {
            return Err(format!("currency `{currency}` is not a code such as USD"));
        }
        Ok(Self { amount, currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_rfc_3339_in_json() {
        let time = Timestamp(1_700_000_000_123);
        assert_eq!(serde_json::to_string(&time).unwrap(), r#""2023-11-14T22:13:20.123Z""#);
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
    }

    #[test]
    fn time_never_overflows() {
        assert_eq!(Timestamp(5).after(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn money_is_exact_or_refused() {
        for amount in ["0", "10.99", "-3", "0.000000000000000001"] {
            assert!(Money::new(amount.into(), "USD".into()).is_ok(), "{amount}");
        }
        for amount in ["", "-", ".5", "5.", "1e3", "+1", "1,0", "0.0000000000000000001"] {
            assert!(Money::new(amount.into(), "USD".into()).is_err(), "{amount}");
        }
        for currency in ["", "usd", "U", "US$"] {
            assert!(Money::new("1".into(), currency.into()).is_err(), "{currency}");
        }
    }
}
