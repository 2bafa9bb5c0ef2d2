//! What a plugin file says of itself beside its code: samples of what its provider sends, settings
//! to try it with, and what there is to say of it for people.
//!
//! `hookgate plugin build` puts it into a custom section, as JSON; the command line reads it, and
//! the gateway to say which secrets can't be keys. Nothing in it can change what the gateway does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
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
/// What lies in the crate's folder, if a source of it needs settings.
const SETTINGS: &str = "settings.json";
/// What lies beside a sample and is none: its events, and headers that it needs.
const EVENTS: &str = ".events.json";
const HEADERS: &str = ".headers.json";

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Who confirmed how the provider signs, for people; empty if nobody said.
    #[serde(default)]
    pub confirmed: String,
    /// The settings of a source, for people; empty if it has none.
    #[serde(default)]
    pub settings: String,
    /// The settings that its recorded requests and samples are made for; empty if it needs none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub example: Map<String, Value>,
    /// By name, without the ending of the file.
    #[serde(default)]
    pub samples: BTreeMap<String, Sample>,
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

/// Why there is nothing to put into the section.
#[derive(Debug, thiserror::Error)]
pub enum AboutError {
    /// A file can't be read, or is no text.
    #[error("failed to read `{file}`: {source}")]
    Unreadable {
        /// Its name.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// Headers beside a sample, or settings, are something else.
    #[error("`{file}` is not a JSON object as it should be: {source}")]
    NoObject {
        /// Its name.
        file: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// All of them together are more than a plugin file should carry.
    #[error("samples are more than {SAMPLES_MAX}, or have more than {SECTION_BYTES_MAX} bytes")]
    TooMuch,
}

impl About {
    /// What lies in a crate's folder: `settings.json` and `samples/`, if there are any.
    pub(in crate::plugin) fn of_crate(folder: &Path) -> Result<Self, AboutError> {
        let mut about = Self { example: object(&folder.join(SETTINGS))?, ..Self::default() };
        let Ok(entries) = folder.join("samples").read_dir() else { return Ok(about) };
        for entry in entries {
            let unreadable =
                |file: &str, source| AboutError::Unreadable { file: file.into(), source };
            let path = entry.map_err(|source| unreadable("?", source))?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if file.ends_with(EVENTS) || file.ends_with(HEADERS) || file.starts_with('.') {
                continue;
            }
            let body = fs::read_to_string(&path).map_err(|source| unreadable(&file, source))?;
            let headers = object(&path.with_extension(&HEADERS[1..]))?;
            let content_type = Sample::content_type(&path).to_owned();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            about.samples.insert(name, Sample { content_type, headers, body });
        }
        Ok(about)
    }

    /// What a plugin file says of itself; nothing, if it says nothing that is understood.
    pub fn of_file(wasm: &[u8]) -> Self {
        let sections = Parser::new(0).parse_all(wasm).map_while(Result::ok);
        let mut found = sections.filter_map(|section| match section {
            Payload::CustomSection(section) if section.name() == SECTION => Some(section.data()),
            _ => None,
        });
        let json = found.next().filter(|json| json.len() <= SECTION_BYTES_MAX);
        json.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default()
    }

    /// What a plugin file at a path says of itself; nothing, if it can't be read.
    pub fn of_path(path: &Path) -> Self {
        let read = regular_file::read(path, FILE_BYTES_MAX);
        read.map(|wasm| Self::of_file(&wasm)).unwrap_or_default()
    }

    /// The file with this in it.
    pub(in crate::plugin) fn put_into(&self, mut wasm: Vec<u8>) -> Result<Vec<u8>, AboutError> {
        let json = serde_json::to_vec(self).map_err(|_| AboutError::TooMuch)?;
        if json.len() > SECTION_BYTES_MAX || self.samples.len() > SAMPLES_MAX {
            return Err(AboutError::TooMuch);
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

/// An object in a file; empty if there is no file.
fn object<T: Default + DeserializeOwned>(path: &Path) -> Result<T, AboutError> {
    let file = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(source) => return Err(AboutError::Unreadable { file: file(), source }),
    };
    serde_json::from_str(&text).map_err(|source| AboutError::NoObject { file: file(), source })
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
    use super::*;

    fn about(body: &str) -> About {
        let sample = Sample {
            content_type: "application/json".to_owned(),
            headers: BTreeMap::new(),
            body: body.to_owned(),
        };
        let samples = BTreeMap::from([("payment.failed".to_owned(), sample)]);
        let (confirmed, settings) = ("its own examples".to_owned(), String::new());
        let example = Map::from_iter([("url".to_owned(), "https://a.b/c".into())]);
        About { confirmed, settings, example, samples }
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
    fn a_file_that_says_nothing_says_nothing() {
        assert_eq!(About::of_file(&wat::parse_str("(module)").unwrap()), About::default());
        assert_eq!(About::of_file(b"no wasm"), About::default());
    }

    #[test]
    fn samples_have_a_limit() {
        let large = about(&"x".repeat(SECTION_BYTES_MAX));
        assert!(matches!(large.put_into(Vec::new()), Err(AboutError::TooMuch)));
    }

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
        let about = About::of_crate(folder.path()).unwrap();
        assert_eq!(about.example["legacy"], true);
        assert_eq!(about.samples.keys().collect::<Vec<_>>(), ["command", "push"]);
        assert_eq!(about.samples["push"].headers["x-github-event"], "push");
        assert_eq!(about.samples["command"].content_type, "application/x-www-form-urlencoded");
        assert_eq!(About::of_crate(&samples).unwrap(), About::default());
    }
    #[test]
    fn settings_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for (bytes, words) in [
            (&b"[]"[..], "`settings.json` is not a JSON object"),
            (b"\xff", "failed to read `settings.json`: "),
        ] {
            fs::write(folder.path().join(SETTINGS), bytes).unwrap();
            let error = About::of_crate(folder.path()).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
