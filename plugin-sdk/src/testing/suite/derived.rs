//! Ids that a provider derives because its events have none: only a retry may get the same id.
//!
//! In every sample whose events have derived ids, the test changes each amount, quantity and state
//! once, so that it is another event. If both had the same id, the gateway would drop the second as
//! a duplicate. An id of the provider's own is never tested here.

use serde_json::Value;

use super::{NOW, Sample, Suite};
use crate::claims::{Claims, Piece, Proof, Value as Computed};
use crate::event::Event;
use crate::provider::Provider;
use crate::request::Request;
use crate::testing::verify::draft_body;

/// Words in the names of members that hold an amount, a quantity or a state.
const TELLING: [&str; 6] = ["amount", "quantity", "status", "state", "total", "value"];

impl<P: Provider> Suite<P> {
    /// Checks that a sample with another amount, quantity or state is another event. A sample in
    /// which there is nothing to change is named on standard error.
    ///
    /// # Panics
    ///
    /// If both give the same ids.
    pub fn check_derived_ids(&self) {
        for sample in self.samples() {
            if let Err(why) = self.check_derived_ids_of(&sample) {
                let path = sample.path.display();
                eprintln!("the derived ids of {path} were not checked, because {why}");
            }
        }
    }

    /// Checks one sample, or says why it can't be checked.
    fn check_derived_ids_of(&self, Sample { path, request }: &Sample) -> Result<(), &'static str> {
        let read = self.claims_and_events(request);
        let (claims, events) = read.ok_or("it can't be signed and parsed")?;
        if events.is_empty() || events.iter().any(|event| self.is_own(request, event)) {
            return Ok(());
        }
        let whole: Value =
            serde_json::from_slice(&request.body).map_err(|_| "its body is not JSON")?;
        let ids: Vec<&String> = events.iter().map(|event| &event.id).collect();
        let mut compared = 0;
        for place in places(&whole, "") {
            let mut other = whole.clone();
            let value = other.pointer_mut(&place).expect("a place is in its document");
            *value = changed(value);
            let body = other.to_string().into_bytes();
            let request = Request { body, ..request.clone() };
            let Some((other_claims, others)) = self.claims_and_events(&request) else { continue };
            let is_same =
                claims.evidence == other_claims.evidence && claims.values == other_claims.values;
            if is_same && !covers_body(&claims) {
                // No proof covers this value, so nothing that matters depends on it.
                continue;
            }
            let others: Vec<&String> = others.iter().map(|event| &event.id).collect();
            assert_ne!(ids, others, "{}: another {place}", path.display());
            compared += 1;
        }
        if compared == 0 { Err("no proven amount, quantity or state is in it") } else { Ok(()) }
    }

    /// The claims and the events of a request, signed with zeros and not encrypted.
    fn claims_and_events(&self, request: &Request) -> Option<(Claims, Vec<Event>)> {
        self.call(|| {
            let signed = P::sign(request.clone(), NOW, &[]).ok()?;
            let claims = P::claim(&signed).ok()?;
            let body = draft_body(&claims, &signed)?;
            Some((claims, P::parse(&Request { body, ..signed }).ok()?))
        })
    }

    /// Whether the id is the provider's own: the body has it, or it contains the value of a header.
    fn is_own(&self, request: &Request, event: &Event) -> bool {
        let quoted = serde_json::to_string(&event.id).unwrap_or_default();
        let in_header = request
            .headers
            .iter()
            .any(|header| header.value.len() > 3 && event.id.contains(&header.value));
        self.own_ids || in_header || String::from_utf8_lossy(&request.body).contains(&quoted)
    }
}

/// Whether a proof covers the whole body, or is a token, which covers none of it; either way every
/// value of the body counts.
fn covers_body(claims: &Claims) -> bool {
    let has_body = |pieces: &[Piece]| pieces.iter().any(|piece| matches!(piece, Piece::Body));
    let covers = |proof: &Proof| match proof {
        Proof::Mac(mac) => has_body(&mac.digest.message),
        Proof::Signature(signature) => has_body(&signature.message),
        Proof::Jws(jws) => jws.payload.as_ref().is_some_and(|payload| has_body(payload)),
        Proof::Token(_) => true,
        Proof::Decrypted(_) => false,
    };
    let is_of_body = |value: &Computed| match value {
        Computed::Digest(digest) => has_body(&digest.message),
        Computed::Decrypted(encrypted) => has_body(&encrypted.ciphertext),
    };
    claims.evidence.iter().flat_map(|evidence| &evidence.proofs).any(covers)
        || claims.values.iter().any(is_of_body)
}

/// The pointers to all amounts, quantities and states.
fn places(value: &Value, pointer: &str) -> Vec<String> {
    let below = |name: &str, value: &Value| {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let telling = TELLING.iter().any(|word| name.to_lowercase().contains(word));
        let scalar = value.is_number() || value.is_string() || value.is_boolean();
        if telling && scalar { vec![pointer] } else { places(value, &pointer) }
    };
    match value {
        Value::Object(members) => members.iter().flat_map(|(name, at)| below(name, at)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(index, at)| below(&index.to_string(), at)).collect()
        }
        _ => Vec::new(),
    }
}

/// Another value of the same kind.
fn changed(value: &Value) -> Value {
    match value {
        Value::Bool(known) => Value::Bool(!known),
        Value::Number(_) => Value::from(424_242),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            "424242".into()
        }
        Value::String(text) if text == "true" => "false".into(),
        Value::String(text) if text == "false" => "true".into(),
        _ => "changed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, HeaderMac, ProofKind, ProviderInfo, Refusal, Timestamp};

    /// A provider without ids, whose events are derived from the whole body.
    struct Derived;

    const SIGNATURE: HeaderMac = HeaderMac::hex("x-signature");

    impl Provider for Derived {
        type Settings = ();

        fn describe() -> ProviderInfo {
            ProviderInfo::new("derived", "1.0.0", &["derived.*"], &[ProofKind::Mac])
                .with_scheme("HMAC-SHA256 of the body")
        }

        fn claim(request: &Request) -> Result<Claims, Refusal> {
            let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
            Ok(Claims::new(mac, [request.event_id(None)]))
        }

        fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
            Ok(vec![Event::new(request.event_id(None), "derived.happened", "{}")])
        }

        fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
            SIGNATURE.sign(request, digests)
        }
    }

    /// The same, but its events are derived from what has no amount in it.
    struct Alike;

    impl Provider for Alike {
        type Settings = ();

        fn describe() -> ProviderInfo {
            Derived::describe()
        }

        fn claim(request: &Request) -> Result<Claims, Refusal> {
            let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
            Ok(Claims::new(mac, ["alike"]))
        }

        fn parse(_: &Request) -> Result<Vec<Event>, Failure> {
            Ok(vec![Event::new("alike", "derived.happened", "{}")])
        }

        fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
            Derived::sign(request, at, digests)
        }
    }

    #[test]
    #[should_panic(expected = "sample: another /payment/amount")]
    fn an_id_without_the_amount_in_it_is_told_with_its_sample() {
        let request = Request::post("/in/alike", r#"{"payment":{"amount":1}}"#);
        let sample = Sample { path: "sample".into(), request };
        let _told = Suite::<Alike>::new("alike").check_derived_ids_of(&sample);
    }

    #[test]
    fn a_sample_that_can_not_be_checked_says_why() {
        let suite = Suite::<Derived>::new("derived");
        let check = |body: &str| {
            let request = Request::post("/in/derived", body);
            suite.check_derived_ids_of(&Sample { path: "sample".into(), request })
        };

        assert_eq!(check(r#"{"amount":1}"#), Ok(()));
        assert_eq!(check("amount=1"), Err("its body is not JSON"));
        let nothing = Err("no proven amount, quantity or state is in it");
        assert_eq!(check(r#"{"note":"hello"}"#), nothing);
    }
}
