//! What one call is about: all that the clock and the randomness of a guest come from.
//!
//! So the same call, made again, gives the same answer. Nothing here reads the host's clock.

use sha2::{Digest, Sha256};

use crate::event::{Request, Timestamp};
use crate::plugin::contract::handler::HandleContext;

/// What a call is about.
#[derive(Debug)]
pub(in crate::plugin) enum Occasion<'a> {
    /// The plugin itself, by the name of the function: at no time, which is shown as 1970.
    Plugin(&'static str),
    /// A request, by the name of the function, and the time of the call.
    Request(&'static str, &'a Request, Timestamp),
    /// A run. All of its tries have the same randomness, and each its own time.
    Run(&'a HandleContext),
}

impl Occasion<'_> {
    /// What the wall clock shows from the beginning of the call to its end.
    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::Plugin(_) => Timestamp::default(),
            Self::Request(_, _, now) => *now,
            Self::Run(context) => context.now,
        }
    }

    /// What the randomness of a plugin with this digest starts from.
    pub(super) fn seed(&self, plugin: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        // Each with its length, so that no two lists of parts are the same bytes.
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(plugin.as_bytes());
        match self {
            Self::Plugin(function) => part(function.as_bytes()),
            Self::Request(function, request, now) => {
                part(function.as_bytes());
                part(&now.0.to_le_bytes());
                part(request.method.as_bytes());
                part(request.url.as_bytes());
                for (name, value) in request.headers.iter() {
                    part(name.as_bytes());
                    part(value.as_bytes());
                }
                part(&request.body);
            }
            Self::Run(context) => {
                part(b"handle");
                part(context.event_id.as_bytes());
                part(context.run_id.as_bytes());
            }
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn request(body: &'static str) -> Request {
        Request {
            method: "POST".to_owned(),
            url: "/in/shop".to_owned(),
            headers: [("x-token", "sesame")].into_iter().collect(),
            body: Bytes::from_static(body.as_bytes()),
            received_at: Timestamp(5),
        }
    }

    #[test]
    fn the_same_call_starts_from_the_same_seed_and_no_other_call_does() {
        let one = request("one");
        let same = request("one");
        let other = request("other");
        let seed = |function, request, now| {
            Occasion::Request(function, request, Timestamp(now)).seed("digest")
        };
        let first = seed("parse", &one, 5);
        assert_eq!(first, seed("parse", &same, 5));
        assert_ne!(first, seed("parse", &other, 5));
        assert_ne!(first, seed("claim", &one, 5));
        assert_ne!(first, seed("parse", &one, 6));
        let parse = Occasion::Request("parse", &one, Timestamp(5));
        assert_ne!(first, parse.seed("digest of another plugin"));
        assert_eq!(parse.now(), Timestamp(5));
    }

    #[test]
    fn the_tries_of_a_run_have_one_seed_and_each_its_time() {
        let context = |run_id: &str, attempt: u32| HandleContext {
            source: "shop".to_owned(),
            event_id: "evt_1".to_owned(),
            run_id: run_id.to_owned(),
            attempt,
            now: Timestamp(attempt.into()),
            replay_by: None,
            tenant: None,
        };
        let first = context("run_1", 1);
        let second = context("run_1", 2);
        let other = context("run_2", 1);
        assert_eq!(Occasion::Run(&first).seed("digest"), Occasion::Run(&second).seed("digest"));
        assert_ne!(Occasion::Run(&first).seed("digest"), Occasion::Run(&other).seed("digest"));
        assert_eq!(Occasion::Run(&second).now(), Timestamp(2));
    }
}
