//! A request sent like `hookgate send` does and received like the gateway does.

use super::{Tolerance, contract, digests, verify};
use crate::event::{Event, Timestamp};
use crate::provider::Provider;
use crate::request::Request;

/// Signs a request with a secret, proves it, and gives the events in it.
///
/// # Panics
///
/// If the provider does not keep the contract on the way: what it signs must be proven with the
/// secret and with no other, `claim` and `parse` must give the same ids, `parse` must say the same
/// twice, and events must be what the gateway takes.
pub fn send<P: Provider>(request: &Request, secret: &str, now: Timestamp) -> Vec<Event> {
    let signed = sign::<P>(request, secret, now);
    let claims = P::claim(&signed).expect("a request that was signed has claims");
    let proven = |secrets: &[&str]| {
        verify(&P::describe(), &claims, &signed, secrets, now, Tolerance::Provider)
    };
    assert_eq!(proven(&[secret]), Ok(()));
    assert!(proven(&[]).is_err(), "nothing is proven without a secret");

    let events = P::parse(&signed).expect("a request that was signed can be parsed");
    assert_eq!(P::parse(&signed).as_ref(), Ok(&events), "a request is parsed alike each time");
    if !claims.event_ids.is_empty() {
        let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(claims.event_ids, ids, "claims name the events that there are");
    }
    for event in &events {
        assert_eq!(contract::event(event), Ok(()), "an event keeps the contract");
    }
    events
}

/// Signs a request with a secret: asks for one that can be read, computes its digests, and asks
/// again with them.
///
/// # Panics
///
/// If the provider does not sign, or the secret is no key of the kind it asks for.
pub fn sign<P: Provider>(request: &Request, secret: &str, now: Timestamp) -> Request {
    let blank = P::sign(request.clone(), now, &[]).expect("a request can be signed");
    let claims = P::claim(&blank).expect("a request with a blank signature can be read");
    let digests = digests(&claims, &blank, secret).expect("the secret is a key");
    P::sign(blank, now, &digests).expect("a request can be signed with digests")
}
