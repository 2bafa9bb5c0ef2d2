//! The request of an attempt, made again for people: where it goes and with which headers.
//!
//! It comes out of what makes the attempts, with the settings and secrets of now. What proves
//! anything is masked, and the body is only counted. Never sends anything.

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::Delivery;
use super::https::headers;
use super::ready::Ready;
use super::transport::Sending;
use crate::causes::chain;
use crate::egress;
use crate::endpoint::Origin;
use crate::event::Timestamp;
use crate::ids::Id;
use crate::secrets::HIDDEN;
use crate::signing::WEBHOOK_SIGNATURE;
use crate::store;

/// A request as people may see it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body_bytes: usize,
}

impl Delivery {
    /// The request that an attempt of this delivery makes at this time, or now; or else why none
    /// can be made.
    pub(crate) async fn outline(
        &self,
        id: Id,
        at: Option<Timestamp>,
    ) -> Result<Result<Outline, String>, store::Error> {
        let Some((key, payload)) = self.store.carried(id).await? else {
            return Ok(Err("what it delivers is not kept any more".to_owned()));
        };
        let listed = self.directory.get(&key).filter(|listed| listed.deleted.is_none());
        let Some(listed) = listed else {
            return Ok(Err("its endpoint is deleted".to_owned()));
        };
        let now = self.clock.now();
        let ready = match self.ready(&listed, now) {
            Ok(ready) => ready,
            Err(why) => return Ok(Err(chain(&why))),
        };
        let content = self.content(&payload, &ready).await?;
        let body_bytes = content.body.len();
        let at = at.unwrap_or(now);
        let sending = Sending { id, at, content, endpoint: &ready, trace: None };
        let url = &listed.endpoint.settings.url;
        let url = match listed.endpoint.origin {
            Origin::File => egress::shown(url),
            Origin::Api => url.to_string(),
        };
        let shown = headers(&sending).into_iter().map(|header| masked(&ready, header)).collect();
        Ok(Ok(Outline { url, headers: shown, body_bytes }))
    }
}

/// A header without what proves anything.
fn masked(ready: &Ready, (name, mut value): (HeaderName, String)) -> (String, String) {
    if name == WEBHOOK_SIGNATURE {
        value = without_signatures(&value);
    } else if name == AUTHORIZATION || ready.credential.as_ref() == Some(&name) {
        HIDDEN.clone_into(&mut value);
    } else {
        ready.hidden.take_out_of(&mut value, usize::MAX);
    }
    (name.to_string(), value)
}

/// Of each signature the version alone: `v1,(hidden) v1a,(hidden)`.
fn without_signatures(value: &str) -> String {
    let version = |part: &str| match part.split_once(',') {
        Some((version, _)) => format!("{version},{HIDDEN}"),
        None => HIDDEN.to_owned(),
    };
    value.split(' ').map(version).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_signature_its_version_is_shown() {
        assert_eq!(without_signatures("v1,abc= v1a,def="), "v1,(hidden) v1a,(hidden)");
        assert_eq!(without_signatures("abc"), "(hidden)");
    }
}
