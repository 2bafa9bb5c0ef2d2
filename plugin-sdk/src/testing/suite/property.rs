//! Properties that hold for any request to a provider, tried with proptest on its own samples.
//!
//! They never depend on what a single provider means by a request.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::{NOW, Sample, Suite, labels, types};
use crate::claims::{Claims, Jws, KeyLookup, KeySource, Proof, Signature};
use crate::event::Event;
use crate::provider::{self, Provider};
use crate::request::{BYTE_ORDER_MARK, Header, Request};
use crate::testing::{Tolerance, contract, verify};

/// Most bytes of a body of arbitrary bytes.
const BODY_BYTES_MAX: usize = 512;

impl<P: Provider> Suite<P> {
    /// Checks that no bit of the evidence can be changed, in the body or in a header.
    ///
    /// A change that leaves the evidence as it was may be accepted, for nothing proves that value:
    /// the body under a bare token, the id of a key.
    ///
    /// # Panics
    ///
    /// If a request with other evidence is accepted.
    pub fn check_flipped_bits(&self) {
        let signed: Vec<Request> =
            self.samples().iter().map(|sample| self.sign(&sample.request)).collect();
        let claims: Vec<Claims> = signed.iter().map(|request| self.claim(request)).collect();
        let refused = std::cell::Cell::new(0_u32);
        run(
            &(any::<Index>(), any::<bool>(), any::<Index>(), 0_u8..7),
            |(sample, of_body, at, bit)| {
                let sample = sample.index(signed.len());
                let request = &signed[sample];
                let flipped =
                    if of_body { in_body(request, at, bit) } else { in_header(request, at, bit) };
                let Some(flipped) = flipped else { return Ok(()) };
                // The test's only key stands in for every fetched key, so a request that looks up
                // another key counts as refused.
                let same_keys = |accepted: &Claims| lookups(accepted) == lookups(&claims[sample]);
                if let Some(accepted) = self.accepted(&flipped).filter(same_keys) {
                    prop_assert_eq!(&accepted.evidence, &claims[sample].evidence);
                    prop_assert_eq!(&accepted.values, &claims[sample].values);
                } else {
                    refused.set(refused.get() + 1);
                }
                Ok(())
            },
        );
        assert!(refused.get() > 0, "not one flipped bit was refused");
    }

    /// Checks that a byte order mark before a body does not change its events. Their ids may
    /// change, because they may be derived from the whole body.
    ///
    /// # Panics
    ///
    /// If a sample behind a byte order mark is refused, or gives other events.
    pub fn check_byte_order_mark(&self) {
        let meaning = |request: &Request| -> Vec<Event> {
            let events = self.send(request).into_iter();
            events.map(|event| Event { id: String::new(), ..event }).collect()
        };
        for Sample { path, request } in self.samples() {
            let body = [BYTE_ORDER_MARK, &request.body].concat();
            let marked = Request { body, ..request.clone() };
            assert_eq!(meaning(&marked), meaning(&request), "{}", path.display());
        }
    }

    /// Checks that the order and the case of headers do not matter.
    ///
    /// # Panics
    ///
    /// If claims or events change with them.
    pub fn check_header_order(&self) {
        for sample in self.samples() {
            let signed = self.sign(&sample.request);
            let mut other = signed.clone();
            other.headers.reverse();
            for header in &mut other.headers {
                header.name = header.name.to_ascii_uppercase();
            }
            other.headers.push(Header { name: "X-Unrelated".to_owned(), value: "lit".to_owned() });
            self.call(|| {
                assert_eq!(P::claim(&other), P::claim(&signed), "{}", sample.path.display());
                assert_eq!(P::parse(&other), P::parse(&signed), "{}", sample.path.display());
            });
        }
    }

    /// Checks that no bytes in a body and no text in the provider's headers make it panic.
    ///
    /// # Panics
    ///
    /// If they do, or if an answer breaks the contract.
    pub fn check_any_bytes(&self) {
        let known = self.sign(&self.samples()[0].request);
        let names: Vec<String> = known.headers.into_iter().map(|header| header.name).collect();
        let text =
            prop_oneof![any::<String>(), "[a-z0-9]{0,4}=?[0-9a-fA-F,;=]{0,140}", "[a-z]{250,300}",];
        let headers = proptest::collection::vec(text, names.len());
        let body = proptest::collection::vec(any::<u8>(), 0..BODY_BYTES_MAX);
        run(&(body, headers), |(body, values)| {
            let mut request = Request::post("/", body);
            for (name, value) in names.iter().zip(values) {
                request.set_header(name, value);
            }
            self.read(&request)
        });
    }

    /// Checks that any value at any place of a sample gives events or a failure.
    ///
    /// # Panics
    ///
    /// If the provider panics or breaks the contract.
    pub fn check_any_values(&self) {
        let requests = self.sent_and_opened();
        let value = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            "-?[1-9][0-9]{0,39}",
            "-?[0-9]\\.[0-9]{1,20}",
            "[1-9]e[0-9]{1,3}",
            "\"[a-zé0-9:. _-]{0,12}\"",
            Just(format!("\"{}\"", "x".repeat(300))),
            Just("[]".to_owned()),
            Just("{}".to_owned()),
            Just("[{}]".to_owned()),
        ];
        run(&(any::<Index>(), any::<Index>(), value), |(sample, place, value)| {
            let mut request = requests[sample.index(requests.len())].clone();
            let Ok(mut body) = serde_json::from_slice::<Value>(&request.body) else {
                return Ok(());
            };
            let mut left = place.index(count(&body));
            replace(&mut body, &mut left, &value);
            request.body = body.to_string().into_bytes();
            self.read(&request)
        });
    }

    /// The claims of a request that the gateway would accept.
    fn accepted(&self, request: &Request) -> Option<Claims> {
        let claims = self.call(|| P::claim(request)).ok()?;
        let info = P::describe();
        verify(&info, &claims, request, &[self.secret.as_str()], NOW, Tolerance::Provider).ok()?;
        Some(claims)
    }

    /// Calls every function of the provider with a request, and checks the results by the contract.
    pub(super) fn read(&self, request: &Request) -> Result<(), TestCaseError> {
        let (claims, events) = self.call(|| (provider::claim::<P>(request), P::parse(request)));
        drop(self.call(|| P::sign(request.clone(), NOW, &[])));
        if let Ok(claims) = &claims {
            prop_assert_eq!(contract::claims(claims), Ok(()));
        }
        let Ok(events) = events else { return Ok(()) };
        prop_assert_eq!(contract::events(&events, request.body.len()), Ok(()));
        for event in &events {
            let fits = types::fits(&P::describe(), &event.type_);
            prop_assert!(fits, "`{}` is not declared, or neither canonical nor own", event.type_);
            prop_assert_eq!(labels::wrong(&P::describe(), event), None);
        }
        if let Ok(claims) = claims
            && !claims.event_ids.is_empty()
        {
            let ids: Vec<&String> = events.iter().map(|event| &event.id).collect();
            prop_assert_eq!(claims.event_ids.iter().collect::<Vec<_>>(), ids);
        }
        Ok(())
    }
}

/// The look-ups of keys in the claims.
fn lookups(claims: &Claims) -> Vec<&KeyLookup> {
    let proofs = claims.evidence.iter().flat_map(|evidence| &evidence.proofs);
    let lookup = |proof| match proof {
        &Proof::Signature(Signature { key: KeySource::Fetched(ref lookup), .. })
        | &Proof::Jws(Jws { key: KeySource::Fetched(ref lookup), .. }) => Some(lookup),
        _ => None,
    };
    proofs.filter_map(lookup).collect()
}

fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { failure_persistence: None, ..Config::default() };
    if let Err(failure) = TestRunner::new(config).run(strategy, test) {
        panic!("{failure}");
    }
}

/// The request with one bit of its body changed.
fn in_body(request: &Request, at: Index, bit: u8) -> Option<Request> {
    let mut flipped = request.clone();
    let at = at.index(request.body.len().max(1));
    *flipped.body.get_mut(at)? ^= 1 << bit;
    Some(flipped)
}

/// The request with one bit of a header's value changed; `None` if the value is then not text.
fn in_header(request: &Request, at: Index, bit: u8) -> Option<Request> {
    let mut flipped = request.clone();
    let bytes: usize = request.headers.iter().map(|header| header.value.len()).sum();
    let mut at = at.index(bytes.max(1));
    for header in &mut flipped.headers {
        if at < header.value.len() {
            let mut bytes = header.value.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            header.value = String::from_utf8(bytes).ok()?;
            return Some(flipped);
        }
        at -= header.value.len();
    }
    None
}

/// The number of values in a document, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Replaces the value that comes `left` values later.
fn replace(value: &mut Value, left: &mut usize, with: &str) -> bool {
    if *left == 0 {
        // A value that `serde_json` can't hold exactly, such as a long number, becomes a string.
        *value = serde_json::from_str(with).unwrap_or_else(|_| Value::String(with.to_owned()));
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| replace(item, left, with)),
        Value::Object(members) => members.values_mut().any(|member| replace(member, left, with)),
        _ => false,
    }
}
