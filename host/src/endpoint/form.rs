//! The settings of an endpoint as they are written: the body of an API call, a table of a file, a
//! row of the store.
//!
//! Everything that has a form of its own is a text here, so that whoever checks it can say which
//! is wrong. Nothing in here is checked yet.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Field, Format, Operator, Order, Rule, Settings};

/// Settings that nobody has checked. What is left out is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    /// No other endpoint of its tenant may have it.
    pub name: String,
    /// Whose events it receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where deliveries go.
    pub url: String,
    /// Types of event: `payment.failed`, `payment.*` or `*`.
    pub events: Vec<String>,
    /// What must hold besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Vec<RawRule>>,
    /// What goes with each delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// `standard`, `cloudevents` or `raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Attempts at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// `10/s` or `600/min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Attempts at once under a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// `15s`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// `5s`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<String>,
    /// Deliveries that wait while they can't go out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
    /// Whether none go out for a while when attempts fail again and again; left out for what the
    /// gateway does with all endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_breaker: Option<bool>,
    /// `5d` or `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_after: Option<String>,
    /// The delay before the second try, the third, and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<Vec<String>>,
    /// `none` or `subject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The tries after which one no longer holds up those of its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_after: Option<u64>,
    /// The owner's own notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Authorities in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The certificate chain that the gateway shows, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
}

/// A rule that nobody has checked, with either a pointer or a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// A place in the data of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The name of a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How it is compared.
    pub op: Operator,
    /// With what; `null` where it is left out, and true for `exists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl RawSettings {
    /// All names that settings have.
    pub const KEYS: [&'static str; 22] = [
        "name",
        "tenant",
        "description",
        "url",
        "events",
        "filter",
        "headers",
        "body",
        "concurrency",
        "rate",
        "burst",
        "timeout",
        "connect_timeout",
        "held",
        "use_breaker",
        "disable_after",
        "retries",
        "order",
        "skip_after",
        "metadata",
        "ca",
        "client_certificate",
    ];

    /// Reads what a row of the store has. What a newer Hookgate has written beside it is left out,
    /// so that its endpoint goes on here without it.
    pub fn of_row(row: &[u8]) -> Result<Self, serde_json::Error> {
        let mut members: Map<String, Value> = serde_json::from_slice(row)?;
        members.retain(|name, _| Self::KEYS.contains(&name.as_str()));
        serde_json::from_value(members.into())
    }

    /// What a row of the store has of these.
    pub fn to_row(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be written to memory")
    }
}

/// Each of them that has a default of its own, whether or not it is that.
impl From<&Settings> for RawSettings {
    fn from(settings: &Settings) -> Self {
        let limits = &settings.limits;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let header = |(name, value): &(http::HeaderName, String)| (name.to_string(), value.clone());
        let (order, skip_after) = match settings.order {
            Order::None => ("none", None),
            Order::Subject { skip_after } => ("subject", skip_after),
        };
        Self {
            name: settings.name.to_string(),
            tenant: settings.tenant.as_ref().map(ToString::to_string),
            description: Some(settings.description.clone()),
            url: settings.url.to_string(),
            events: settings.events.iter().map(ToString::to_string).collect(),
            filter: Some(settings.filter.iter().map(RawRule::from).collect()),
            headers: Some(settings.headers.iter().map(header).collect()),
            body: Some(settings.body.as_str().to_owned()),
            concurrency: u64::try_from(limits.concurrency).ok(),
            rate: limits.rate.map(|rate| rate.to_string()),
            burst: limits.rate.map(|rate| rate.burst.into()),
            timeout: Some(written(limits.timeout)),
            connect_timeout: Some(written(limits.connect_timeout)),
            held: Some(limits.held),
            use_breaker: limits.use_breaker,
            disable_after: Some(limits.disable_after.to_string()),
            retries: Some(settings.retries.delays.iter().copied().map(written).collect()),
            order: Some(order.to_owned()),
            skip_after: skip_after.map(|tries| tries.get().into()),
            metadata: Some(settings.metadata.clone()),
            ca: (!settings.trust.ca.is_empty()).then(|| text(&settings.trust.ca)),
            client_certificate: settings.trust.client.clone(),
        }
    }
}

impl From<&Rule> for RawRule {
    fn from(rule: &Rule) -> Self {
        let (pointer, label) = match rule.field.clone() {
            Field::Pointer(pointer) => (Some(pointer), None),
            Field::Label(label) => (None, Some(label)),
        };
        Self { pointer, label, op: rule.op, value: Some(rule.value.clone()) }
    }
}

impl Format {
    /// All that there are.
    pub const ALL: [Self; 3] = [Self::Standard, Self::CloudEvents, Self::Raw];

    /// As it is written: `cloudevents`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::CloudEvents => "cloudevents",
            Self::Raw => "raw",
        }
    }
}

/// A duration in the largest unit that it is a whole number of.
pub(super) fn written(duration: Duration) -> String {
    let ms = duration.as_millis();
    if duration.is_zero() || !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return humantime::format_duration(duration).to_string();
    }
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let unit = units.into_iter().find(|(_, size)| ms.is_multiple_of(*size));
    unit.map_or_else(|| format!("{ms}ms"), |(unit, size)| format!("{}{unit}", ms / size))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_three_settings_must_be_written() {
        let least = json!({ "name": "crm", "url": "https://crm.example", "events": ["*"] });
        let raw: RawSettings = serde_json::from_value(least.clone()).unwrap();
        assert_eq!(serde_json::to_value(&raw).unwrap(), least);
        for left_out in ["name", "url", "events"] {
            let mut less = least.clone();
            less.as_object_mut().unwrap().remove(left_out);
            let error = serde_json::from_value::<RawSettings>(less).unwrap_err();
            assert!(error.to_string().contains(left_out), "{error}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_refused_but_not_in_a_row_of_the_store() {
        let later = json!({ "name": "crm", "url": "", "events": [], "later": { "a": 1 } });
        assert!(serde_json::from_value::<RawSettings>(later.clone()).is_err());
        let read = RawSettings::of_row(later.to_string().as_bytes()).unwrap();
        assert_eq!(read, RawSettings { name: "crm".to_owned(), ..RawSettings::default() });
        assert_eq!(RawSettings::of_row(&read.to_row()).unwrap(), read);
    }

    #[test]
    fn durations_are_written_as_people_write_them() {
        let shown = [10, 1_000, 90_000, 3_600_000, 86_400_000, 1_001].map(Duration::from_millis);
        assert_eq!(shown.map(written), ["10ms", "1s", "90s", "1h", "1d", "1001ms"]);
        for odd in [Duration::ZERO, Duration::from_micros(10_500)] {
            assert_eq!(humantime::parse_duration(&written(odd)).unwrap(), odd);
        }
    }
}
