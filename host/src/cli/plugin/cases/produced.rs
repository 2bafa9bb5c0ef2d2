//! What comes out of a run: how it ended, its effects, its state and its log.
//!
//! A case expects it in the same form in which it is got, so both are compared and written alike.
//! Never runs anything.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Value as Toml;

use super::document::Document;
use crate::effect::{Alert, Effect, Emission, LogLevel, LogLine, Parcel, Severity};
use crate::event::in_millis;
use crate::retry::Outcome;
use crate::tenant::Tenant;

/// The state of a subject, by key.
pub(super) type State = BTreeMap<String, Held>;

/// What comes out of a run.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Produced {
    /// How the run ended.
    #[serde(default)]
    pub(super) outcome: Ending,
    /// The state afterwards; none if it is what it was before.
    pub(super) state: Option<State>,
    /// The events that it added.
    #[serde(default)]
    pub(super) emit: Vec<Emitted>,
    /// What it sent.
    #[serde(default)]
    pub(super) send: Vec<Sent>,
    /// The alerts that it raised.
    #[serde(default)]
    pub(super) alert: Vec<Raised>,
    /// The lines that it wrote, each behind its level: `info: a line`.
    #[serde(default)]
    pub(super) log: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Ending {
    /// It returned, and its effects are committed.
    #[default]
    Ok,
    /// It failed, and has no effects.
    Failed(Failed),
}

/// How a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failed {
    /// Whether another try may help.
    pub(super) failure: Kind,
    /// Why, for the operator.
    pub(super) reason: String,
    /// Before which another try makes no sense.
    pub(super) retry_after_ms: Option<u64>,
}

/// Whether another try may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Transient,
    Permanent,
}

/// An event that a run added.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Emitted {
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) subject: Option<String>,
    /// The amount, a blank and the currency.
    pub(super) money: Option<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "Document::json")]
    pub(super) data: Document,
    /// Whose it is, if it is not of the tenant of the run's event.
    pub(super) tenant: Option<Tenant>,
}

/// What a run sent to an endpoint: a body that is text, or one in base64.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    pub(super) endpoint: String,
    #[serde(default = "json_type")]
    pub(super) content_type: String,
    pub(super) body: Option<Document>,
    pub(super) body_base64: Option<String>,
}

/// An alert that a run raised.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raised {
    pub(super) severity: Severity,
    pub(super) message: String,
}

/// The value of a key of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held(pub(super) Bytes);

/// What a run did, as the gateway has it.
#[derive(Debug)]
pub(super) struct Done {
    /// Its effects, or how it failed.
    pub(super) ended: Result<Vec<Effect>, Outcome>,
    /// What it wrote.
    pub(super) log: Vec<LogLine>,
}

fn json_type() -> String {
    "application/json".to_owned()
}

impl Produced {
    /// What a run did on an event of this tenant, with this state before. Bodies and data are in
    /// the forms that `expected` has for them.
    pub(super) fn of(
        done: &Done,
        expected: &Self,
        before: &State,
        tenant: Option<&Tenant>,
    ) -> Self {
        let line = |line: &LogLine| format!("{}: {}", level(line.level), line.message);
        let mut produced = Self { log: done.log.iter().map(line).collect(), ..Self::default() };
        let effects = match &done.ended {
            Ok(effects) => effects,
            Err(outcome) => {
                produced.outcome = Ending::of(outcome);
                return produced;
            }
        };
        let mut state = before.clone();
        for effect in effects {
            match effect {
                Effect::Emit(emission) => {
                    let like = expected.emit.get(produced.emit.len());
                    produced.emit.push(Emitted::of(emission, like, tenant));
                }
                Effect::Send(parcel) => {
                    let like = expected.send.get(produced.send.len());
                    produced.send.push(Sent::of(parcel, like));
                }
                Effect::Alert(Alert { severity, message }) => {
                    let (severity, message) = (*severity, message.clone());
                    produced.alert.push(Raised { severity, message });
                }
                Effect::SetState { key, value: Some(value) } => {
                    state.insert(key.clone(), Held(value.clone()));
                }
                Effect::SetState { key, value: None } => drop(state.remove(key)),
            }
        }
        produced.state = (state != *before).then_some(state);
        produced
    }

    /// As the last part of a case.
    pub(super) fn to_toml(&self) -> String {
        let mut text = "[expect]\n".to_owned();
        if let Ending::Failed(failed) = &self.outcome {
            add(&mut text, "outcome", &failed.to_toml());
        }
        if let Some(state) = &self.state {
            let held = state.iter().map(|(key, value)| (key.clone(), value.to_toml()));
            add(&mut text, "state", &Toml::Table(held.collect()));
        }
        if !self.log.is_empty() {
            let lines = self.log.iter().cloned().map(Toml::String);
            add(&mut text, "log", &Toml::Array(lines.collect()));
        }
        for Emitted { event_type, subject, money, labels, data, tenant } in &self.emit {
            text += "\n[[expect.emit]]\n";
            add(&mut text, "type", &event_type.as_str().into());
            for (key, value) in [("subject", subject), ("money", money)] {
                add_text(&mut text, key, value.as_deref());
            }
            if !labels.is_empty() {
                let labels =
                    labels.iter().map(|(name, value)| (name.clone(), value.clone().into()));
                add(&mut text, "labels", &Toml::Table(labels.collect()));
            }
            if *data != Document::default() {
                add(&mut text, "data", &data.to_toml());
            }
            add_text(&mut text, "tenant", tenant.as_ref().map(Tenant::as_str));
        }
        for Sent { endpoint, content_type, body, body_base64 } in &self.send {
            text += "\n[[expect.send]]\n";
            add(&mut text, "endpoint", &endpoint.as_str().into());
            if *content_type != json_type() {
                add(&mut text, "content_type", &content_type.as_str().into());
            }
            if let Some(body) = body {
                add(&mut text, "body", &body.to_toml());
            }
            add_text(&mut text, "body_base64", body_base64.as_deref());
        }
        for Raised { severity: how, message } in &self.alert {
            text += "\n[[expect.alert]]\n";
            add(&mut text, "severity", &severity(*how).into());
            add(&mut text, "message", &message.as_str().into());
        }
        text
    }
}

/// Adds a line.
fn add(text: &mut String, key: &str, value: &Toml) {
    *text += &format!("{key} = {value}\n");
}

/// Adds a line, if there is a text.
fn add_text(text: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        add(text, key, &value.into());
    }
}

/// How a case spells a level.
fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

/// How a case spells how much an alert matters.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

impl Ending {
    fn of(outcome: &Outcome) -> Self {
        let (failure, reason, retry_after) = match outcome {
            Outcome::Success => return Self::Ok,
            Outcome::Transient { reason, retry_after } => (Kind::Transient, reason, *retry_after),
            Outcome::Permanent { reason } => (Kind::Permanent, reason, None),
        };
        let retry_after_ms = retry_after.map(in_millis);
        Self::Failed(Failed { failure, reason: reason.clone(), retry_after_ms })
    }
}

impl Failed {
    /// How a case spells the kind.
    pub(super) fn kind(&self) -> &'static str {
        match self.failure {
            Kind::Transient => "transient",
            Kind::Permanent => "permanent",
        }
    }

    fn to_toml(&self) -> Toml {
        let mut members = toml::Table::new();
        members.insert("failure".to_owned(), self.kind().into());
        members.insert("reason".to_owned(), self.reason.as_str().into());
        if let Some(after) = self.retry_after_ms {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            members.insert("retry_after_ms".to_owned(), after.into());
        }
        Toml::Table(members)
    }
}

impl Emitted {
    fn of(emission: &Emission, like: Option<&Self>, own: Option<&Tenant>) -> Self {
        let Emission { event_type, subject, money, labels, data, tenant } = emission;
        Self {
            event_type: event_type.clone(),
            subject: subject.clone(),
            money: money.as_ref().map(|money| format!("{} {}", money.amount, money.currency)),
            labels: labels.iter().cloned().collect(),
            data: Document::like(data.as_str(), like.map(|like| &like.data)),
            tenant: tenant.clone().filter(|tenant| Some(tenant) != own),
        }
    }
}

impl Sent {
    fn of(parcel: &Parcel, like: Option<&Self>) -> Self {
        let Parcel { endpoint, content_type, body } = parcel;
        let wants_base64 = like.is_some_and(|like| like.body_base64.is_some());
        let text = str::from_utf8(body).ok().filter(|_| !wants_base64);
        let like = like.and_then(|like| like.body.as_ref());
        Self {
            endpoint: endpoint.to_string(),
            content_type: content_type.clone(),
            body: text.map(|text| Document::like(text, like)),
            body_base64: text.is_none().then(|| STANDARD.encode(body)),
        }
    }
}

impl Held {
    /// The bytes as text, if they are.
    pub(super) fn text(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }

    fn to_toml(&self) -> Toml {
        let base64 = || Toml::String(STANDARD.encode(&self.0));
        let table = || Toml::Table([("base64".to_owned(), base64())].into_iter().collect());
        self.text().map_or_else(table, Toml::from)
    }
}

impl<'de> Deserialize<'de> for Held {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match Toml::deserialize(deserializer)? {
            Toml::String(text) => Some(text.into_bytes()),
            Toml::Table(members) if members.len() == 1 => {
                let text = members.get("base64").and_then(Toml::as_str);
                text.and_then(|text| STANDARD.decode(text).ok())
            }
            _ => None,
        };
        let wrong = || D::Error::custom("must be a text, or { base64 = \"...\" }");
        bytes.map(|bytes| Self(bytes.into())).ok_or_else(wrong)
    }
}

impl<'de> Deserialize<'de> for Ending {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Ending;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`ok`, or a table with `failure` and `reason`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Ending, E> {
                match text {
                    "ok" => Ok(Ending::Ok),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ending, A::Error> {
                Failed::deserialize(MapAccessDeserializer::new(map)).map(Ending::Failed)
            }
        }

        deserializer.deserialize_any(Read)
    }
}
