//! Sends a request as `hookgate send` does, and receives it as the gateway does.
//!
//! Both happen in the test's own thread; nothing is posted anywhere.

use super::{Tolerance, contract, digests, plain_body, verify};
use crate::event::{Event, Timestamp};
use crate::provider::{self, Provider};
use crate::request::Request;

/// Signs a request with a secret, verifies it, and returns the events in it.
///
/// # Panics
///
/// If the provider breaks a rule of the contract: the signed request is verified with the secret
/// and not without it, `claim` and `parse` return the same ids, `parse` returns the same events
/// twice, and the events are within the gateway's limits.
pub fn send<P: Provider>(request: &Request, secret: &str, now: Timestamp) -> Vec<Event> {
    let signed = sign::<P>(request, secret, now);
    let claims = provider::claim::<P>(&signed).expect("a request that was signed has claims");
    assert_eq!(contract::claims(&claims), Ok(()), "claims keep the contract");
    let proven = |secrets: &[&str]| {
        verify(&P::describe(), &claims, &signed, secrets, now, Tolerance::Provider)
    };
    assert_eq!(proven(&[secret]), Ok(()));
    assert!(proven(&[]).is_err(), "nothing is proven without a secret");

    let plain = plain_body(&claims, &signed, &[secret]).expect("the secret decrypts the body");
    let opened = Request { body: plain, ..signed.clone() };
    let events = P::parse(&opened).expect("a request that was signed can be parsed");
    assert_eq!(P::parse(&opened).as_ref(), Ok(&events), "a request is parsed alike each time");
    if !claims.event_ids.is_empty() {
        let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(claims.event_ids, ids, "claims name the events that there are");
    }
    assert_eq!(contract::events(&events, signed.body.len()), Ok(()), "events keep the contract");
    events
}

/// Signs a request with a secret in two calls of the provider's `sign`: the first returns a request
/// whose claims can be read, the second gets the digests for them.
///
/// # Panics
///
/// If the provider does not sign requests, or the secret is not a key of the encoding in its
/// claims.
pub fn sign<P: Provider>(request: &Request, secret: &str, now: Timestamp) -> Request {
    let blank = P::sign(request.clone(), now, &[]).expect("a request can be signed");
    let claims = P::claim(&blank).expect("a request with a blank signature can be read");
    let digests = digests(&claims, &blank, secret).expect("the secret is a key");
    P::sign(blank, now, &digests).expect("a request can be signed with digests")
}
