//! All tests of a provider: its samples, its vectors, and properties that hold for any request.
//!
//! [`crate::provider_tests!`] writes out the tests. A failure names the sample or the vector; a
//! property that fails shows the smallest request that breaks it. No test is skipped in silence.

mod challenge;
mod derived;
mod fuzz;
mod labels;
mod property;
mod types;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::vectors;
use super::{Bench, contract, golden, plain_body, send, sign};
use crate::claims::Claims;
use crate::event::{Event, Timestamp};
use crate::provider::{Provider, ProviderInfo};
use crate::request::Request;

/// The time at which samples are sent: the start of 2026.
const NOW: Timestamp = 1_767_225_600_000;

/// The secret that signs samples if `vectors.json` has none.
const SECRET: &str = "a secret";

/// A provider and the files in its folder, which has the provider's name:
///
/// - `samples/*`: bodies as the provider sends them;
/// - `samples/*.headers.json`: the headers that a body needs in addition to the signature, such as
///   the event's name, as a JSON object, which `hookgate send` reads too;
/// - `samples/*.events.json`: the events that the body becomes, reviewed by a person;
/// - `vectors.json`: [requests](vectors) that must be accepted or refused. The secret of the first
///   genuine one signs the samples;
/// - `challenges.json`: the provider's validation challenges, if it sends any;
/// - `settings.json`: the settings for all of these, if the provider needs any.
#[derive(Debug)]
pub struct Suite<P> {
    name: &'static str,
    folder: &'static str,
    secret: String,
    settings: Option<String>,
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
    /// A suite for the provider whose crate is in this folder.
    pub fn new(folder: &'static str) -> Self {
        let vectors = fs::read_to_string(Path::new(folder).join("vectors.json"));
        let secret = vectors.ok().and_then(|file| vectors::first_secret(&file));
        Self {
            name: Path::new(folder).file_name().and_then(OsStr::to_str).unwrap_or_default(),
            folder,
            secret: secret.unwrap_or_else(|| SECRET.to_owned()),
            settings: None,
            url: "/in/sample",
            payloads: |_, payload| payload,
            own_ids: false,
            provider: PhantomData,
        }
    }

    /// The suite after this change, for [`crate::provider_tests!`].
    #[doc(hidden)]
    #[must_use]
    pub fn with(self, change: impl FnOnce(Self) -> Self) -> Self {
        change(self)
    }

    /// With another secret for the samples. A private key in PEM signs for a provider that signs
    /// with one; a root certificate behind it in the same text vouches for chains of certificates.
    #[must_use]
    pub fn with_secret(self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self }
    }

    /// With other settings for the samples than those in `settings.json`.
    #[must_use]
    pub fn with_settings(self, settings: &str) -> Self {
        Self { settings: Some(settings.to_owned()), ..self }
    }

    /// With another path and query for the samples than `/in/sample`.
    #[must_use]
    pub fn with_url(self, url: &'static str) -> Self {
        Self { url, ..self }
    }

    /// With a function that makes the body of a request from a shared payload, for payloads that
    /// are only a part of a body. The function gets the name of the payload and its text.
    #[must_use]
    pub fn with_payloads(self, payloads: fn(&str, String) -> String) -> Self {
        Self { payloads, ..self }
    }

    /// For a provider whose events all have ids of their own, so that none is derived.
    #[must_use]
    pub fn with_own_ids(self) -> Self {
        Self { own_ids: true, ..self }
    }

    /// Checks that the provider describes itself completely.
    ///
    /// # Panics
    ///
    /// If its name is not that of the folder, types or proofs are missing, or the gateway would
    /// refuse the description.
    pub fn check_description(&self) {
        let info = P::describe();
        assert_eq!(info.name, self.name, "the name of the provider and that of its folder");
        assert!(!info.types.is_empty() && !info.proofs.is_empty(), "types and proofs");
        assert_eq!(contract::provider(&info), Ok(()), "the description");
    }

    /// Checks that every sample gives the events that a person reviewed.
    ///
    /// # Panics
    ///
    /// If a sample gives other events.
    pub fn check_samples(&self) {
        for Sample { path, request } in self.samples() {
            let events = self.send(&request);
            for event in &events {
                check_type(&P::describe(), &path, event);
            }
            golden::check(&path, &self.opened(self.sign(&request)).body, &events);
        }
    }

    /// Checks that every vector is accepted or refused as it says.
    ///
    /// # Panics
    ///
    /// If a vector gets another verdict, or the file has no genuine or no forged request.
    pub fn check_vectors(&self) {
        let file = fs::read_to_string(Path::new(self.folder).join("vectors.json"))
            .expect("a provider has a file vectors.json");
        vectors::check::<P>(&file, &self.own_settings());
        let verdicts: Vec<bool> = vectors::read(&file).iter().map(|vector| vector.valid).collect();
        assert!(verdicts.contains(&true) && verdicts.contains(&false), "vectors say both");
    }

    /// Checks the vectors that implementations share.
    ///
    /// # Panics
    ///
    /// If a vector gets another verdict than it must.
    pub fn check_shared_vectors(&self) {
        for (_, file) in vectors::shared(&format!("vectors/{}.json", self.name)) {
            assert!(vectors::check::<P>(&file, &self.own_settings()) > 0);
        }
    }

    /// Checks that every payload that implementations share becomes events.
    ///
    /// # Panics
    ///
    /// If a payload can't be sent and parsed. If the provider can't sign it, it is only parsed.
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
        let bench = self.bench();
        assert_eq!(bench.check_provider::<P>(), Ok(()), "the settings of samples");
        bench.call(|| send::<P>(request, &self.secret, NOW))
    }

    fn sign(&self, request: &Request) -> Request {
        self.call(|| sign::<P>(request, &self.secret, NOW))
    }

    fn claim(&self, request: &Request) -> Claims {
        self.call(|| P::claim(request)).expect("a signed sample has claims")
    }

    /// A signed request as `parse` gets it: with the body that it decrypts to.
    fn opened(&self, signed: Request) -> Request {
        let plain = plain_body(&self.claim(&signed), &signed, &[self.secret.as_str()]);
        Request { body: plain.expect("the secret decrypts the body"), ..signed }
    }

    /// Every sample as the provider sends it, and an encrypted one as `parse` gets it too.
    fn sent_and_opened(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        for Sample { request, .. } in self.samples() {
            let signed = self.sign(&request);
            let opened = self.opened(signed.clone());
            if opened.body != signed.body {
                requests.push(opened);
            }
            requests.push(signed);
        }
        requests
    }

    fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        self.bench().call(call)
    }

    fn bench(&self) -> Bench {
        Bench::new().with_settings(&self.settings())
    }

    /// The settings of samples.
    fn settings(&self) -> String {
        self.settings.clone().unwrap_or_else(|| self.own_settings())
    }

    /// The provider's `settings.json`, for its vectors.
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
        // `hookgate send` reads the same file.
        let path = path.with_extension("headers.json");
        let Ok(headers) = fs::read_to_string(&path) else { return request };
        let headers: BTreeMap<String, String> = serde_json::from_str(&headers)
            .unwrap_or_else(|error| panic!("{} is not an object: {error}", path.display()));
        headers.iter().for_each(|(name, value)| request.set_header(name, value));
        request
    }
}

fn check_type(info: &ProviderInfo, path: &Path, event: &Event) {
    let path = path.display();
    let type_ = &event.type_;
    assert!(types::fits(info, type_), "{path}: `{type_}` is not declared, or not canonical");
    assert_eq!(labels::wrong(info, event), None, "{path}");
}

/// The name of a file without its last extension.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
