//! All that a provider is tested with: its samples, its vectors, and what must hold of any request.
//!
//! The tests themselves are written out by [`crate::provider_tests!`]. A failure names the sample
//! or the vector; a property that fails shows the smallest request that breaks it.

mod challenge;
mod derived;
mod fuzz;
mod labels;
mod property;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::vectors;
use super::{Bench, golden, send, sign};
use crate::event::{Event, Timestamp};
use crate::provider::{Provider, ProviderInfo};
use crate::request::Request;

/// When samples are sent: the start of 2026.
const NOW: Timestamp = 1_767_225_600_000;

/// The headers of a sample that its name tells.
type Headers = fn(&str) -> Vec<(&'static str, String)>;

/// A provider and what lies beside it: `samples/*` with their `*.events.json`, `vectors.json`, and
/// the `settings.json` that both are made for, if it needs settings.
///
/// ```no_run
/// # use hookgate_sdk::{Claims, Event, Failure, ProviderInfo, Refusal, Request};
/// # struct Acme;
/// # impl hookgate_sdk::Provider for Acme {
/// #     fn describe() -> ProviderInfo { panic!("not here") }
/// #     fn claim(_: &Request) -> Result<Claims, Refusal> { panic!("not here") }
/// #     fn parse(_: &Request) -> Result<Vec<Event>, Failure> { panic!("not here") }
/// # }
/// use hookgate_sdk::{provider_tests, testing::Suite};
///
/// provider_tests!(Suite::<Acme>::new("acme", env!("CARGO_MANIFEST_DIR"), "a secret"));
/// ```
#[derive(Debug)]
pub struct Suite<P> {
    name: &'static str,
    folder: &'static str,
    secret: &'static str,
    settings: Option<String>,
    headers: Headers,
    url: &'static str,
    payloads: fn(&str, String) -> String,
    own_ids: bool,
    provider: PhantomData<P>,
}

/// A request of a provider, before it is signed.
#[derive(Debug)]
struct Sample {
    path: PathBuf,
    request: Request,
}

impl<P: Provider> Suite<P> {
    /// The provider of this name, whose crate lies in this folder, with a secret that fits it.
    pub fn new(name: &'static str, folder: &'static str, secret: &'static str) -> Self {
        Self {
            name,
            folder,
            secret,
            settings: None,
            headers: |_| Vec::new(),
            url: "/in/sample",
            payloads: |_, payload| payload,
            own_ids: false,
            provider: PhantomData,
        }
    }

    /// With other settings than `settings.json` for samples.
    #[must_use]
    pub fn with_settings(self, settings: &str) -> Self {
        Self { settings: Some(settings.to_owned()), ..self }
    }

    /// With headers that a sample has besides its signature, told by its name: an event's name, an
    /// id.
    #[must_use]
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// With another path and query to which samples are sent.
    #[must_use]
    pub fn with_url(self, url: &'static str) -> Self {
        Self { url, ..self }
    }

    /// With what makes a request's body of a shared payload that is only a part of one, told by its
    /// name.
    #[must_use]
    pub fn with_payloads(self, payloads: fn(&str, String) -> String) -> Self {
        Self { payloads, ..self }
    }

    /// Of a provider whose events all have ids of their own, and no id is made of anything else.
    #[must_use]
    pub fn with_own_ids(self) -> Self {
        Self { own_ids: true, ..self }
    }

    /// What the provider says of itself is all there.
    ///
    /// # Panics
    ///
    /// If something is missing, or too long for the gateway.
    pub fn check_description(&self) {
        let info = P::describe();
        assert_eq!(info.name, self.name);
        assert!((1..=200).contains(&info.scheme.len()), "scheme `{}`", info.scheme);
        assert!(!info.types.is_empty() && !info.proofs.is_empty(), "types and proofs");
    }

    /// Every sample gives the events that were reviewed.
    ///
    /// # Panics
    ///
    /// If one does not.
    pub fn check_samples(&self) {
        for Sample { path, request } in self.samples() {
            let events = self.send(&request);
            for event in &events {
                check_type(&P::describe(), &path, event);
            }
            golden::check(&path, &self.sign(&request).body, &events);
        }
    }

    /// Every vector gets its verdict.
    ///
    /// # Panics
    ///
    /// If one gets another, or none is refused or none accepted.
    pub fn check_vectors(&self) {
        let file = fs::read_to_string(Path::new(self.folder).join("vectors.json"));
        let file = file.expect("a provider has vectors");
        vectors::check::<P>(&file, &self.own_settings());
        let verdicts: Vec<bool> = vectors::read(&file).iter().map(|vector| vector.valid).collect();
        assert!(verdicts.contains(&true) && verdicts.contains(&false), "vectors say both");
    }

    /// Every vector that implementations share gets its verdict.
    ///
    /// # Panics
    ///
    /// If one gets another.
    pub fn check_shared_vectors(&self) {
        for (_, file) in vectors::shared(&format!("vectors/{}.json", self.name)) {
            assert!(vectors::check::<P>(&file, &self.own_settings()) > 0);
        }
    }

    /// Every payload that implementations share means something.
    ///
    /// # Panics
    ///
    /// If one can't be sent, or where nobody can sign it, parsed.
    pub fn check_shared_payloads(&self) {
        for (path, payload) in vectors::shared(&format!("payloads/{}", self.name)) {
            let path = Path::new(&path);
            let payload = (self.payloads)(&stem(path), payload);
            let request = self.request(path, payload.into_bytes());
            let signed = self.call(|| P::sign(request.clone(), NOW, &[]));
            let events = match signed {
                Ok(_) => self.send(&request),
                Err(_) => self.call(|| P::parse(&request)).expect("a payload can be parsed"),
            };
            for event in events {
                check_type(&P::describe(), path, &event);
            }
        }
    }

    fn send(&self, request: &Request) -> Vec<Event> {
        self.call(|| {
            P::check(&self.settings()).expect("the settings of samples fit");
            send::<P>(request, self.secret, NOW)
        })
    }

    fn sign(&self, request: &Request) -> Request {
        self.call(|| sign::<P>(request, self.secret, NOW))
    }

    fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        Bench::new().with_settings(&self.settings()).call(call)
    }

    /// The settings of samples.
    fn settings(&self) -> String {
        self.settings.clone().unwrap_or_else(|| self.own_settings())
    }

    /// What lies beside the provider, for its vectors.
    fn own_settings(&self) -> String {
        let file = fs::read_to_string(Path::new(self.folder).join("settings.json"));
        file.unwrap_or_else(|_| "{}".to_owned())
    }

    fn samples(&self) -> Vec<Sample> {
        let folder = Path::new(self.folder).join("samples");
        let entries = folder.read_dir().expect("a provider has samples");
        let paths = entries.map(|entry| entry.expect("an entry of a folder").path());
        let beside = |path: &PathBuf| {
            let name = path.to_string_lossy();
            name.ends_with(".events.json") || name.ends_with(".headers.json")
        };
        let mut paths: Vec<PathBuf> = paths.filter(|path| !beside(path)).collect();
        paths.sort();
        assert!(!paths.is_empty(), "a provider has samples");
        let sample = |path: PathBuf| {
            let body = fs::read(&path).expect("a sample can be read");
            Sample { request: self.request(&path, body), path }
        };
        paths.into_iter().map(sample).collect()
    }

    fn request(&self, path: &Path, body: Vec<u8>) -> Request {
        let mut request = Request { received_at: NOW, ..Request::post(self.url, body) };
        // What `hookgate send` needs too lies beside the sample.
        let beside = fs::read_to_string(path.with_extension("headers.json")).unwrap_or_default();
        let beside: BTreeMap<String, String> = serde_json::from_str(&beside).unwrap_or_default();
        beside.iter().for_each(|(name, value)| request.set_header(name, value));
        for (name, value) in (self.headers)(&stem(path)) {
            request.set_header(name, value);
        }
        request
    }
}

fn check_type(info: &ProviderInfo, path: &Path, event: &Event) {
    let (path, type_) = (path.display(), &event.type_);
    assert!(types::fits(info, type_), "{path}: `{type_}` is not declared, or not canonical");
    assert_eq!(labels::wrong(info, event), None, "{path}");
}

/// The name of a file, which tells what is in it.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
