//! The requests that each source has refused last: for an operator whose genuine provider gets 401.
//!
//! In memory only, and little of it: the last hundred of a source, the beginning of each body, and
//! no more bytes than a share for all. Where that is used up, the source with the most gives way,
//! so that a flood at one takes nothing from another. Never shown as it is: whoever shows a request
//! hides the secrets in it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::event::Timestamp;
use crate::headers::Headers;
use crate::ids::Name;
use crate::lock::lock;

/// Most requests of a source.
pub(crate) const REQUESTS_MAX: usize = 100;
/// Most bytes of a body that are shown.
pub(crate) const SHOWN_BYTES_MAX: usize = 4096;
/// And that are kept: a secret that begins within what is shown is known by what follows.
pub(crate) const BODY_BYTES_MAX: usize = SHOWN_BYTES_MAX + 1024;
/// Most bytes of all sources together.
const BYTES_MAX: usize = 16 << 20;
/// What a request takes beside its texts, about.
const REQUEST_BYTES: usize = 256;

/// A request that was refused.
#[derive(Debug)]
pub(crate) struct RefusedRequest {
    /// When it came.
    pub(crate) at: Timestamp,
    /// Where it came from.
    pub(crate) peer: IpAddr,
    /// The status that it was answered with.
    pub(crate) status: u16,
    /// Why.
    pub(crate) reason: String,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) url: String,
    /// In the order of arrival.
    pub(crate) headers: Headers,
    /// The beginning of its body, at most [`BODY_BYTES_MAX`]; empty if the body was not read.
    pub(crate) body: Bytes,
    /// The bytes of its body; `None` if it was not read to its end.
    pub(crate) body_bytes: Option<usize>,
}

impl RefusedRequest {
    fn bytes(&self) -> usize {
        let Self { reason, method, url, headers, body, .. } = self;
        let texts = reason.len() + method.len() + url.len();
        REQUEST_BYTES + texts + headers.bytes() + body.len()
    }
}

/// The requests that were refused last.
#[derive(Debug, Default)]
pub(crate) struct RefusedRequests(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    sources: BTreeMap<Name, Last>,
    bytes: usize,
}

/// Those of one source, the oldest first.
#[derive(Debug, Default)]
struct Last {
    requests: VecDeque<Arc<RefusedRequest>>,
    bytes: usize,
}

impl Last {
    /// Drops the oldest, and gives its bytes.
    fn drop_oldest(&mut self) -> usize {
        let bytes = self.requests.pop_front().map_or(0, |oldest| oldest.bytes());
        self.bytes -= bytes;
        bytes
    }
}

impl RefusedRequests {
    /// Keeps a request that a source has refused just now.
    pub(crate) fn keep(&self, source: &Name, request: RefusedRequest) {
        let mut kept = lock(&self.0);
        let Kept { sources, bytes } = &mut *kept;
        if !sources.contains_key(source) {
            sources.insert(source.clone(), Last::default());
        }
        let Some(last) = sources.get_mut(source) else { return };
        if last.requests.len() >= REQUESTS_MAX {
            *bytes -= last.drop_oldest();
        }
        let more = request.bytes();
        last.requests.push_back(Arc::new(request));
        last.bytes += more;
        *bytes += more;
        while *bytes > BYTES_MAX {
            let Some(largest) = sources.values_mut().max_by_key(|last| last.bytes) else { return };
            *bytes -= largest.drop_oldest();
        }
    }

    /// Forgets all of them.
    pub(crate) fn forget(&self) {
        *lock(&self.0) = Kept::default();
    }

    /// Those of a source, the newest first.
    pub(crate) fn of(&self, source: &Name) -> Vec<Arc<RefusedRequest>> {
        let kept = lock(&self.0);
        let last = kept.sources.get(source);
        last.into_iter().flat_map(|last| last.requests.iter().rev().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: u64, body: usize) -> RefusedRequest {
        RefusedRequest {
            at: Timestamp(number),
            peer: IpAddr::from([127, 0, 0, 1]),
            status: 401,
            reason: "no secret matches".to_owned(),
            method: "POST".to_owned(),
            url: "/in/stripe".to_owned(),
            headers: Headers::default(),
            body: Bytes::from(vec![b'x'; body]),
            body_bytes: Some(body),
        }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_hundred_of_a_source_are_kept_the_newest_first() {
        let refused = RefusedRequests::default();
        assert!(refused.of(&name("stripe")).is_empty());
        for number in 0..250 {
            refused.keep(&name("stripe"), request(number, 10));
        }
        refused.keep(&name("adyen"), request(999, 10));
        let times: Vec<u64> = refused.of(&name("stripe")).iter().map(|it| it.at.0).collect();
        assert_eq!(times, (150..250).rev().collect::<Vec<u64>>());
        assert_eq!(refused.of(&name("adyen")).len(), 1);
    }

    #[test]
    fn a_flood_takes_no_more_than_its_share_and_nothing_from_others() {
        let refused = RefusedRequests::default();
        refused.keep(&name("quiet"), request(0, BODY_BYTES_MAX));
        for number in 0..60 {
            for flooded in ["one", "other", "third"] {
                refused.keep(&name(flooded), request(number, 200_000));
            }
        }
        let kept = lock(&refused.0);
        let bytes: usize = kept.sources.values().map(|last| last.bytes).sum();
        assert_eq!(bytes, kept.bytes);
        assert!(bytes <= BYTES_MAX && bytes > BYTES_MAX - 600_000, "{bytes}");
        assert_eq!(kept.sources[&name("quiet")].requests.len(), 1);
        for last in kept.sources.values() {
            assert_eq!(last.bytes, last.requests.iter().map(|it| it.bytes()).sum::<usize>());
        }
    }
}
