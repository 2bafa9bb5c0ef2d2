//! Keys at their places: asked for once, checked, and kept on the source's shelf.
//!
//! Knows what was allowed by then. Never takes an answer for a key that it did not check, and never
//! trusts a certificate for longer than it was checked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::certificate::{Chain, Trust};
use super::shelf::{Kept, Shelf, Wanted};
use super::{Key, KeyError, host, jwk};
use crate::claims::{KeyField, KeyFormat};
use crate::clock::Clock;
use crate::egress::Egress;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::secrets::Secret;

/// Longest time that a look-up may take: the sender waits meanwhile.
const FETCH_TIME_MAX: Duration = Duration::from_secs(4);
/// Largest answer: a chain of certificates has some 10 KiB.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What was fetched for all sources, and what it takes to fetch more.
#[derive(Debug)]
pub(super) struct Places {
    egress: Egress,
    clock: Clock,
    trust: Trust,
    shelves: Mutex<BTreeMap<Name, Arc<Shelf>>>,
}

impl Places {
    pub(super) fn new(egress: Egress, clock: Clock, trust: Trust) -> Self {
        Self { egress, clock, trust, shelves: Mutex::default() }
    }

    /// The key, from the source's shelf or from its place.
    pub(super) async fn find(
        &self,
        source: &Name,
        secret: Option<&Secret>,
        wanted: Wanted,
    ) -> Result<Key, KeyError> {
        let shelf = self.shelf(source);
        let slot = shelf.slot(wanted.clone())?;
        // Whoever else wants this very key waits here, for one look-up.
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        if let Some(kept) = slot.as_mut() {
            kept.renew(&self.trust, now);
            if now < kept.until {
                return kept.found.clone();
            }
        }
        let _permit = shelf.admit(now)?;
        let found = self.fetch(secret, &wanted, now).await;
        slot.insert(Kept::new(found, now)).found.clone()
    }

    fn shelf(&self, source: &Name) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shelves.entry(source.clone()).or_default())
    }

    async fn fetch(
        &self,
        secret: Option<&Secret>,
        Wanted { lookup, format }: &Wanted,
        now: Timestamp,
    ) -> Result<Key, KeyError> {
        let json = lookup.post.as_deref().map(|fields| posted(fields, secret)).transpose()?;
        let answer = self.egress.fetch(&lookup.url, json, ANSWER_BYTES_MAX, FETCH_TIME_MAX).await;
        let answer = answer.map_err(|error| KeyError::Unreachable(error.to_string()))?;
        match answer.status {
            200 => (),
            404 | 410 => return Err(KeyError::Unknown),
            status => return Err(KeyError::Status { host: host(lookup), status }),
        }
        match format {
            KeyFormat::Certificate(name) => {
                let chain = Chain::read(&answer.body, name)?;
                chain.check(&self.trust, now)?;
                Ok(Key::Chain(chain))
            }
            KeyFormat::Jwk => jwk::Jwk::read(&answer.body).map(Key::Jwk),
        }
    }
}

/// The JSON object that is posted, with the secret in it.
fn posted(fields: &[(String, KeyField)], secret: Option<&Secret>) -> Result<Bytes, KeyError> {
    let member = |(name, field): &(String, KeyField)| {
        let text = match field {
            KeyField::Text(text) => text.as_str(),
            KeyField::Secret => secret.ok_or(KeyError::NoSecret)?.expose(),
        };
        Ok((name.clone(), serde_json::Value::from(text)))
    };
    let object = fields.iter().map(member).collect::<Result<serde_json::Map<_, _>, KeyError>>()?;
    Ok(serde_json::Value::Object(object).to_string().into())
}
