//! What a plugin file says of itself beside its code: samples of what its provider sends and the
//! events that they become, what its types of event are, settings to try the samples with, and who
//! confirmed how the provider signs, and how sure that is.
//!
//! `hookgate plugin build` puts it into a custom section, as JSON; the command line reads it, and
//! the gateway to say which secrets can't be keys and which event types there are. Nothing in it
//! can change what the gateway does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmparser::{Parser, Payload};

use crate::plugin::engine::FILE_BYTES_MAX;
use crate::regular_file;

const SECTION: &str = "hookgate:about";
/// Most bytes of the section.
const SECTION_BYTES_MAX: usize = 512 << 10;
/// Most samples of one plugin.
const SAMPLES_MAX: usize = 100;

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Who confirmed how the provider signs, for people; empty if nobody said.
    #[serde(default)]
    pub confirmed: String,
    /// How sure that is, for people: `high`, `medium` or `low`; empty if nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub confidence: String,
    /// The settings that its recorded requests and samples are made for; empty if it needs none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub example: Map<String, Value>,
    /// By name, without the ending of the file.
    #[serde(default)]
    pub samples: BTreeMap<String, Sample>,
    /// An event of each type that the samples become, as far as one is short enough.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, Value>,
    /// What events of a type are, for people, by the type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub descriptions: BTreeMap<String, String>,
    /// The version of the SDK that it was built with; empty if nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sdk: String,
}

/// A request as the provider sends it, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// What kind of body it is.
    pub content_type: String,
    /// What else it needs beside the signature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Sample {
    /// What kind of body lies in a file, by its ending.
    pub fn content_type(path: &Path) -> &'static str {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("form") => "application/x-www-form-urlencoded",
            Some("xml") => "application/xml",
            _ => "application/json",
        }
    }
}

/// What a plugin says of itself has more samples, or more bytes, than its file should carry.
#[derive(Debug, thiserror::Error)]
#[error(
    "a plugin file has room for {SAMPLES_MAX} samples and for {SECTION_BYTES_MAX} bytes of them; \
     remove some"
)]
pub struct AboutTooLarge;

impl About {
    /// What a plugin file says of itself; nothing, if it says nothing that is understood.
    pub fn of_file(wasm: &[u8]) -> Self {
        let sections = Parser::new(0).parse_all(wasm).map_while(Result::ok);
        let mut found = sections.filter_map(|section| match section {
            Payload::CustomSection(section) if section.name() == SECTION => Some(section.data()),
            _ => None,
        });
        let json = found.next().filter(|json| json.len() <= SECTION_BYTES_MAX);
        let read = json.and_then(|json| serde_json::from_slice(json).ok());
        let mut about: Self = read.unwrap_or_default();
        // Whoever made the file must not write to the terminal of whoever looks at it.
        for text in [&mut about.confirmed, &mut about.confidence, &mut about.sdk] {
            *text = text.replace(char::is_control, " ");
        }
        about.samples.retain(|name, _| !name.chars().any(char::is_control));
        about.events.retain(|name, _| !name.chars().any(char::is_control));
        about.descriptions.retain(|name, _| !name.chars().any(char::is_control));
        for said in about.descriptions.values_mut() {
            *said = said.replace(char::is_control, " ");
        }
        about
    }

    /// What a plugin file at a path says of itself; nothing, if it can't be read.
    pub fn of_path(path: &Path) -> Self {
        let read = regular_file::read(path, FILE_BYTES_MAX);
        read.map(|wasm| Self::of_file(&wasm)).unwrap_or_default()
    }

    /// The file with this in it.
    pub fn put_into(&self, mut wasm: Vec<u8>) -> Result<Vec<u8>, AboutTooLarge> {
        let mut json = serde_json::to_vec(self).map_err(|_| AboutTooLarge)?;
        if json.len() > SECTION_BYTES_MAX {
            // Nobody needs examples to try the plugin with.
            let types = self.events.keys().map(|name| (name.clone(), Value::Null));
            let shorter = Self { events: types.collect(), ..self.clone() };
            json = serde_json::to_vec(&shorter).map_err(|_| AboutTooLarge)?;
        }
        if json.len() > SECTION_BYTES_MAX || self.samples.len() > SAMPLES_MAX {
            return Err(AboutTooLarge);
        }
        let mut section = Vec::with_capacity(json.len() + SECTION.len() + 5);
        leb128(&mut section, SECTION.len());
        section.extend_from_slice(SECTION.as_bytes());
        section.extend_from_slice(&json);
        // A custom section may stand behind everything else, in a module and in a component.
        wasm.push(0);
        leb128(&mut wasm, section.len());
        wasm.extend_from_slice(&section);
        Ok(wasm)
    }
}

fn leb128(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn about(body: &str) -> About {
        let sample = Sample {
            content_type: "application/json".to_owned(),
            headers: BTreeMap::new(),
            body: body.to_owned(),
        };
        let samples = BTreeMap::from([("payment.failed".to_owned(), sample)]);
        About {
            confirmed: "its own examples".to_owned(),
            confidence: "high".to_owned(),
            example: Map::from_iter([("url".to_owned(), "https://a.b/c".into())]),
            samples,
            events: BTreeMap::from([("payment.failed".to_owned(), json!({ "id": "evt_1" }))]),
            descriptions: [("late.paid".to_owned(), "Somebody paid late.".to_owned())].into(),
            sdk: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn what_is_put_into_a_file_is_read_out_of_it() {
        for length in [2, 100, 20_000] {
            let about = about(&"x".repeat(length));
            for empty in ["(module)", "(component)"] {
                let wasm = about.put_into(wat::parse_str(empty).unwrap()).unwrap();
                wasmparser::validate(&wasm).unwrap();
                assert_eq!(About::of_file(&wasm), about);
            }
        }
    }

    #[test]
    fn what_a_file_says_is_harmless_to_a_terminal() {
        let mut hostile = about("{}");
        hostile.confirmed = "\u{1b}[2Jby nobody".to_owned();
        hostile.confidence = "\u{1b}".to_owned();
        hostile.sdk = "0.1\u{1b}[2J".to_owned();
        let sample = hostile.samples["payment.failed"].clone();
        hostile.samples.insert("a\u{1b}[2J".to_owned(), sample);
        hostile.descriptions.insert("late.paid".to_owned(), "a\u{1b}[2J".to_owned());
        hostile.descriptions.insert("b\u{1b}[2J".to_owned(), "b".to_owned());
        let wasm = hostile.put_into(wat::parse_str("(module)").unwrap()).unwrap();
        let read = About::of_file(&wasm);
        assert_eq!((read.confirmed.as_str(), read.sdk.as_str()), (" [2Jby nobody", "0.1 [2J"));
        assert_eq!(read.confidence, " ");
        let said = BTreeMap::from([("late.paid".to_owned(), "a [2J".to_owned())]);
        assert_eq!(read.descriptions, said);
        assert_eq!(read.samples.into_keys().collect::<Vec<_>>(), ["payment.failed"]);
    }

    #[test]
    fn a_file_that_says_nothing_says_nothing() {
        assert_eq!(About::of_file(&wat::parse_str("(module)").unwrap()), About::default());
        assert_eq!(About::of_file(b"no wasm"), About::default());
    }

    #[test]
    fn samples_have_a_limit() {
        let large = about(&"x".repeat(SECTION_BYTES_MAX));
        assert!(matches!(large.put_into(Vec::new()), Err(AboutTooLarge)));
    }

    #[test]
    fn examples_that_do_not_fit_are_left_out_and_their_types_are_not() {
        let mut large = about("{}");
        large.events.insert("payment.paid".to_owned(), "x".repeat(SECTION_BYTES_MAX).into());
        let wasm = large.put_into(wat::parse_str("(module)").unwrap()).unwrap();
        let read = About::of_file(&wasm);
        assert_eq!(read.samples, large.samples);
        let types = ["payment.failed", "payment.paid"].map(|name| (name.to_owned(), Value::Null));
        assert_eq!(read.events, BTreeMap::from(types));
    }
}
