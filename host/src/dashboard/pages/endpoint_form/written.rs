//! What somebody has written into the form of an endpoint, and what that is in the API.
//!
//! An endpoint is written into the form by the same rules by which it is read again, so that what
//! nobody touched is no change. Never has a secret.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::settings::{Kind, SETTINGS, Setting};
use crate::dashboard::Failed;
use crate::dashboard::submitted::Fields;

/// The members of a body of the API.
pub(super) type Members = Map<String, Value>;

/// What one setting says only together with another: a change of the first forgets the second.
const TOGETHER: [(&str, &str); 2] = [("rate", "burst"), ("order", "skip_after")];

/// What is written for a list that is empty on purpose.
const NONE: &str = "none";

/// The texts of a form, by the names of the settings.
#[derive(Default)]
pub(super) struct Written(BTreeMap<&'static str, String>);

/// A setting that can't be what is written.
fn wrong(setting: &Setting, detail: &str) -> Failed {
    let failed = Failed::invalid(format!("{}: {detail}", setting.label));
    Failed { field: Some(setting.name.to_owned()), ..failed }
}

impl Written {
    /// What came with a form.
    pub(super) fn read(fields: &Fields) -> Self {
        // Browsers send both signs at the end of a line.
        let text = |name| fields.text(name).replace("\r\n", "\n");
        Self(SETTINGS.iter().map(|setting| (setting.name, text(setting.name))).collect())
    }

    /// An endpoint as the API shows it.
    pub(super) fn of(endpoint: &Members) -> Self {
        let text = |setting: &Setting| {
            let value = endpoint.get(setting.name).unwrap_or(&Value::Null);
            (setting.name, shown(setting.kind, value).trim().to_owned())
        };
        Self(SETTINGS.iter().map(text).collect())
    }

    /// What a new endpoint is offered with.
    pub(super) fn fresh() -> Self {
        Self([("events", "*".to_owned())].into())
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// As members of a body; what is empty is left out.
    pub(super) fn members(&self) -> Result<Members, Failed> {
        let mut members = Members::new();
        for setting in &SETTINGS {
            let text = self.text(setting.name);
            if !text.is_empty() {
                members.insert(setting.name.to_owned(), read(setting, text)?);
            }
        }
        Ok(members)
    }

    /// What has changed since, as a merge patch.
    pub(super) fn changes(&self, before: &Self) -> Result<Members, Failed> {
        let (before, after) = (before.members()?, self.members()?);
        let mut patch = Members::new();
        for setting in &SETTINGS {
            let (was, is) = (before.get(setting.name), after.get(setting.name));
            if was != is {
                let is = is.cloned().unwrap_or_default();
                patch.insert(setting.name.to_owned(), merged(was, is));
            }
        }
        for (of, with) in TOGETHER {
            let Some(is) = after.get(with).filter(|_| patch.contains_key(of)) else { continue };
            // It goes with the first, unless somebody has written it anew.
            let stays = after.get(of).is_some_and(|of| of != "none");
            if stays || before.get(with) != Some(is) {
                patch.insert(with.to_owned(), is.clone());
            }
        }
        Ok(patch)
    }
}

/// What a merge patch says so that a member becomes this: of an object, what goes is null.
fn merged(was: Option<&Value>, is: Value) -> Value {
    match (was, is) {
        (Some(Value::Object(was)), Value::Object(mut is)) => {
            for name in was.keys() {
                if !is.contains_key(name) {
                    is.insert(name.clone(), Value::Null);
                }
            }
            Value::Object(is)
        }
        (_, is) => is,
    }
}

/// A value of the API as it is written.
fn shown(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (Kind::Flag(_), Value::Bool(true)) => "yes".to_owned(),
        (Kind::Flag(_), Value::Bool(false)) => "no".to_owned(),
        (Kind::Json, Value::Array(rules)) if rules.is_empty() => String::new(),
        (Kind::Json, value) => serde_json::to_string_pretty(value).unwrap_or_default(),
        (Kind::Delays, Value::Array(delays)) if delays.is_empty() => NONE.to_owned(),
        (Kind::Lines | Kind::Delays, Value::Array(texts)) => {
            texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        (Kind::Pairs, Value::Object(pairs)) => {
            let line = |(name, value): (&String, &Value)| {
                format!("{name}: {}", value.as_str().unwrap_or_default())
            };
            pairs.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

/// A text of the form as it is in the API.
fn read(setting: &Setting, text: &str) -> Result<Value, Failed> {
    Ok(match setting.kind {
        Kind::Text | Kind::Area | Kind::Choice(_) => text.into(),
        Kind::Flag(_) => (text == "yes").into(),
        Kind::Number => {
            let number: Result<u64, _> = text.parse();
            number.map_err(|_| wrong(setting, "must be a whole number"))?.into()
        }
        Kind::Json => {
            let value = serde_json::from_str(text);
            value.map_err(|error| wrong(setting, &format!("is not JSON: {error}")))?
        }
        Kind::Delays if text == NONE => Vec::<Value>::new().into(),
        Kind::Lines | Kind::Delays => {
            let texts = text.split(['\n', ',', ' ']).map(str::trim);
            texts.filter(|text| !text.is_empty()).map(Value::from).collect::<Vec<_>>().into()
        }
        Kind::Pairs => {
            let mut pairs = Members::new();
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let pair = line.split_once(':');
                let pair = pair.ok_or_else(|| wrong(setting, "each line must be `name: value`"));
                let (name, value) = pair?;
                pairs.insert(name.trim().to_owned(), value.trim().into());
            }
            pairs.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Members {
        match value {
            Value::Object(members) => members,
            other => panic!("no object: {other}"),
        }
    }

    fn endpoint() -> Members {
        members(json!({
            "name": "crm", "url": "https://crm.example/", "description": "",
            "events": ["payment.*", "refund.*"], "filter": [],
            "headers": { "x-a": "1", "x-b": "2" },
            "body": "standard", "concurrency": 16, "rate": "10/s", "burst": 10, "timeout": "15s",
            "connect_timeout": "5s", "held": 100_000, "use_breaker": null, "disable_after": "5d",
            "retries": ["5s", "5m"], "order": "none", "skip_after": null, "metadata": {},
            "ca": null, "client_certificate": null, "id": "ep_1", "revision": 3,
        }))
    }

    fn changed(changes: &[(&'static str, &str)]) -> Result<Value, String> {
        let before = Written::of(&endpoint());
        let mut after = Written::of(&endpoint());
        for (name, text) in changes {
            after.0.insert(*name, (*text).to_owned());
        }
        after.changes(&before).map(Value::Object).map_err(|failed| failed.field.unwrap_or_default())
    }

    /// Guards that to save a form that nobody has touched changes nothing.
    #[test]
    fn an_endpoint_that_was_only_looked_at_has_no_change() {
        assert_eq!(changed(&[]), Ok(json!({})));
        assert_eq!(changed(&[("timeout", "20s")]), Ok(json!({ "timeout": "20s" })));
        assert_eq!(changed(&[("timeout", "")]), Ok(json!({ "timeout": null })));
        assert_eq!(changed(&[("use_breaker", "no")]), Ok(json!({ "use_breaker": false })));
        assert_eq!(changed(&[("events", "*")]), Ok(json!({ "events": ["*"] })));
    }

    /// Guards [`merged`]: a merge patch keeps what it does not name.
    #[test]
    fn a_header_that_is_left_out_goes() {
        let patch = changed(&[("headers", "x-b: 3\nx-c: a:b")]);
        assert_eq!(patch, Ok(json!({ "headers": { "x-a": null, "x-b": "3", "x-c": "a:b" } })));
    }

    /// Guards [`TOGETHER`]: the API forgets the burst with the rate.
    #[test]
    fn what_goes_with_a_setting_is_said_with_it() {
        assert_eq!(changed(&[("rate", "9/s")]), Ok(json!({ "rate": "9/s", "burst": 10 })));
        assert_eq!(changed(&[("rate", "")]), Ok(json!({ "rate": null })));
    }

    /// Guards [`Kind::Delays`]: the API tells an empty list from none, which is the default.
    #[test]
    fn no_retries_is_something_else_than_the_default() {
        assert_eq!(changed(&[("retries", "none")]), Ok(json!({ "retries": [] })));
        assert_eq!(changed(&[("retries", "")]), Ok(json!({ "retries": null })));
        let mut without = endpoint();
        without.insert("retries".to_owned(), json!([]));
        let written = Written::of(&without);
        assert_eq!(written.text("retries"), NONE);
        assert_eq!(written.members().unwrap()["retries"], json!([]));
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        for (name, text) in [("concurrency", "many"), ("filter", "{"), ("headers", "x-a")] {
            assert_eq!(changed(&[(name, text)]), Err(name.to_owned()));
        }
    }
}
