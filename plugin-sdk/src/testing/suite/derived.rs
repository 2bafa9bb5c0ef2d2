//! Ids that a provider derives because its events have none: only a retry may get the same id.
//!
//! In every sample whose events have derived ids, the test changes each amount, quantity and state
//! once, so that it is another event. If both had the same id, the gateway would drop the second as
//! a duplicate. An id of the provider's own is never tested here.

use serde_json::Value;

use super::{NOW, Suite};
use crate::claims::{Claims, Piece, Proof};
use crate::event::Event;
use crate::provider::Provider;
use crate::request::Request;

/// Words in the names of members that hold an amount, a quantity or a state.
const TELLING: [&str; 6] = ["amount", "quantity", "status", "state", "total", "value"];

impl<P: Provider> Suite<P> {
    /// Checks that a sample with another amount, quantity or state is another event.
    ///
    /// # Panics
    ///
    /// If both give the same ids.
    pub fn check_derived_ids(&self) {
        for sample in self.samples() {
            let Ok(whole) = serde_json::from_slice::<Value>(&sample.request.body) else { continue };
            let Some((claims, events)) = self.claims_and_events(&sample.request) else { continue };
            if events.is_empty() || events.iter().any(|event| self.is_own(&sample.request, event)) {
                continue;
            }
            let ids: Vec<&String> = events.iter().map(|event| &event.id).collect();
            for place in places(&whole, "") {
                let mut other = whole.clone();
                let value = other.pointer_mut(&place).expect("a place is in its document");
                *value = changed(value);
                let body = other.to_string().into_bytes();
                let request = Request { body, ..sample.request.clone() };
                let Some((other_claims, others)) = self.claims_and_events(&request) else {
                    continue;
                };
                if claims.evidence == other_claims.evidence && !covers_body(&claims) {
                    // No proof covers this value, so nothing that matters depends on it.
                    continue;
                }
                let others: Vec<&String> = others.iter().map(|event| &event.id).collect();
                assert_ne!(ids, others, "{}: another {place}", sample.path.display());
            }
        }
    }

    /// The claims and the events of a request, signed with zeros.
    fn claims_and_events(&self, request: &Request) -> Option<(Claims, Vec<Event>)> {
        self.call(|| {
            let signed = P::sign(request.clone(), NOW, &[]).ok()?;
            Some((P::claim(&signed).ok()?, P::parse(&signed).ok()?))
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
    let covers = |proof: &Proof| match proof {
        Proof::Mac(mac) => mac.message.iter().any(|piece| matches!(piece, Piece::Body)),
        Proof::Signature(signature) => {
            signature.message.iter().any(|piece| matches!(piece, Piece::Body))
        }
        Proof::Token(_) => true,
    };
    claims.evidence.iter().flat_map(|evidence| &evidence.proofs).any(covers)
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
