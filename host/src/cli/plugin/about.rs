//! What a plugin crate's folder has to say of the plugin beside its code: settings, samples, and
//! the version of the SDK.
//!
//! Read when a plugin is built. What becomes of it in the file is [`About`]'s business.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::plugin::{About, Sample};

/// What lies in the crate's folder, if a source of it needs settings.
const SETTINGS: &str = "settings.json";
/// What lies beside a sample and is none: its events, and headers that it needs.
const EVENTS: &str = ".events.json";
const HEADERS: &str = ".headers.json";
/// So an event in a file of events says that its data is a part of the sample, and which.
const OF_SAMPLE: &str = "the sample";
/// What cargo calls the SDK.
pub(super) const SDK: &str = "hookgate-sdk";
/// The largest event that is shown as an example, in bytes.
const EXAMPLE_BYTES_MAX: usize = 16 << 10;

/// Why it can't be told what the crate has.
#[derive(Debug, thiserror::Error)]
pub(super) enum AboutError {
    /// A file can't be read, or is not UTF-8.
    #[error("failed to read `{file}`: {source}")]
    Unreadable { file: String, source: io::Error },
    /// Headers beside a sample, or settings, are something else.
    #[error("`{file}` must be a JSON object: {source}")]
    NoObject { file: String, source: serde_json::Error },
}

/// What lies in a crate's folder: `settings.json` and `samples/`, if there are any.
pub(super) fn of_crate(folder: &Path) -> Result<About, AboutError> {
    let mut about = About { example: object(&folder.join(SETTINGS))?, ..About::default() };
    let Ok(entries) = folder.join("samples").read_dir() else { return Ok(about) };
    let mut events = BTreeMap::new();
    for entry in entries {
        let unreadable = |file: &str, source| AboutError::Unreadable { file: file.into(), source };
        let path = entry.map_err(|source| unreadable("?", source))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if file.ends_with(HEADERS) || file.starts_with('.') {
            continue;
        }
        let body = fs::read_to_string(&path).map_err(|source| unreadable(&file, source))?;
        if let Some(sample) = file.strip_suffix(EVENTS) {
            // Whether it is what it must be is for the plugin's own tests to say.
            let read: Vec<Value> = serde_json::from_str(&body).unwrap_or_default();
            events.insert(sample.to_owned(), read);
            continue;
        }
        let headers = object(&path.with_extension(&HEADERS[1..]))?;
        let content_type = Sample::content_type(&path).to_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        about.samples.insert(name, Sample { content_type, headers, body });
    }
    for (sample, events) in events {
        let body = about.samples.get(&sample);
        let body: Option<Value> = body.and_then(|it| serde_json::from_str(&it.body).ok());
        for event in events {
            if let Some(event_type) = event["type"].as_str().map(str::to_owned) {
                let example = || example(event, body.as_ref());
                about.events.entry(event_type).or_insert_with(example);
            }
        }
    }
    Ok(about)
}

/// The version of the SDK that cargo has locked; empty if it has none or several.
pub(super) fn sdk_of(lock: &Path) -> String {
    let lock = fs::read_to_string(lock).unwrap_or_default();
    let mut versions = lock.split("[[package]]").filter_map(|package| {
        // Cargo writes the file, and each key on a line of its own.
        let value = |key: &str| {
            let mut lines = package.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        (value("name")? == SDK).then(|| value("version"))?
    });
    match (versions.next(), versions.next()) {
        (Some(version), None) => version.to_owned(),
        _ => String::new(),
    }
}

/// An event of a file of events as the API shows one; null if it is too long.
fn example(mut event: Value, sample: Option<&Value>) -> Value {
    let envelope = event.as_object_mut().and_then(|event| event.remove("envelope"));
    if let Some(place) = event["data"].as_str().and_then(|data| data.strip_prefix(OF_SAMPLE)) {
        let place = place.strip_prefix(" at ").unwrap_or(place);
        let mut data = sample.and_then(|sample| sample.pointer(place)).cloned();
        if let (Some(Value::Object(data)), Some(envelope)) = (&mut data, envelope) {
            data.insert("envelope".to_owned(), envelope);
        }
        event["data"] = data.unwrap_or_default();
    }
    if let Some((amount, currency)) = event["money"].as_str().and_then(|it| it.split_once(' ')) {
        event["money"] = json!({ "amount": amount, "currency": currency });
    }
    match event.to_string().len() {
        0..=EXAMPLE_BYTES_MAX => event,
        _ => Value::Null,
    }
}

/// The JSON object in a file; empty if the file is missing.
fn object<T: Default + DeserializeOwned>(path: &Path) -> Result<T, AboutError> {
    let file = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(source) => return Err(AboutError::Unreadable { file: file(), source }),
    };
    serde_json::from_str(&text).map_err(|source| AboutError::NoObject { file: file(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crates_samples_come_with_their_headers_and_without_their_events() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SETTINGS), r#"{"legacy":true}"#).unwrap();
        let samples = folder.path().join("samples");
        fs::create_dir(&samples).unwrap();
        for (name, text) in [
            ("push.json", "{}"),
            ("push.events.json", "[]"),
            ("push.headers.json", r#"{"x-github-event":"push"}"#),
            ("command.form", "a=b"),
        ] {
            fs::write(samples.join(name), text).unwrap();
        }
        let about = of_crate(folder.path()).unwrap();
        assert_eq!(about.example["legacy"], true);
        assert_eq!(about.samples.keys().collect::<Vec<_>>(), ["command", "push"]);
        assert_eq!(about.samples["push"].headers["x-github-event"], "push");
        assert_eq!(about.samples["command"].content_type, "application/x-www-form-urlencoded");
        assert_eq!(of_crate(&samples).unwrap(), About::default());
    }

    #[test]
    fn the_events_that_samples_become_are_examples_of_their_types_with_their_data() {
        let folder = tempfile::tempdir().unwrap();
        let samples = folder.path().join("samples");
        fs::create_dir(&samples).unwrap();
        let events = r#"[
            {"id":"1","type":"payment.paid","data":"the sample at /data","money":"4.20 EUR",
             "envelope":{"live":true}},
            {"id":"2","type":"payment.paid","data":"the sample"},
            {"id":"3","type":"payment.seen","data":{"own":1}},
            {"id":"4"}
        ]"#;
        for (name, text) in [("paid.json", r#"{"data":{"sum":420}}"#), ("paid.events.json", events)]
        {
            fs::write(samples.join(name), text).unwrap();
        }
        let about = of_crate(folder.path()).unwrap();
        let paid = json!({
            "id": "1", "type": "payment.paid", "money": { "amount": "4.20", "currency": "EUR" },
            "data": { "sum": 420, "envelope": { "live": true } },
        });
        assert_eq!(about.events["payment.paid"], paid);
        assert_eq!(about.events["payment.seen"]["data"], json!({ "own": 1 }));
        assert_eq!(about.events.len(), 2);
        let long = json!({ "data": "x".repeat(EXAMPLE_BYTES_MAX) });
        assert_eq!(example(long, None), Value::Null);
    }

    #[test]
    fn the_sdk_is_the_one_that_cargo_has_locked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Cargo.lock");
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        let locked = |packages: &[String]| {
            fs::write(&file, format!("version = 4\n\n{}", packages.concat())).unwrap();
            sdk_of(&file)
        };
        let (own, sdk) = (package("dunning", "1.4.0"), package("hookgate-sdk", "0.1.0"));
        assert_eq!(sdk_of(&file), "", "the file is missing");
        assert_eq!(locked(&[own.clone(), sdk.clone()]), "0.1.0");
        assert_eq!(locked(std::slice::from_ref(&own)), "");
        assert_eq!(locked(&[sdk, package("hookgate-sdk", "0.2.0"), own]), "", "which of them?");
    }

    #[test]
    fn settings_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for (bytes, words) in [
            (&b"[]"[..], "`settings.json` must be a JSON object: "),
            (b"\xff", "failed to read `settings.json`: "),
        ] {
            fs::write(folder.path().join(SETTINGS), bytes).unwrap();
            let error = of_crate(folder.path()).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
