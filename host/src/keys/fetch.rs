//! Keys at their places: asked for once, checked, and kept on the source's cache.
//!
//! Knows what was allowed by then. A key that is known is asked for again before its time is over,
//! and counts for a while longer where its server is out of reach; where the server says that it is
//! gone, it is gone at once. Never takes an answer for a key that it did not check, and never
//! trusts a certificate for longer than it was checked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio::task::JoinSet;
use tracing::warn;

use super::cache::{Entered, Entry, Freshness, Kept, KeyCache};
use super::certificate::{LeafCertificate, NamedCertificate, Trust};
use super::wanted::Wanted;
use super::{Key, KeyError, host, jwk};
use crate::clock::Clock;
use crate::egress::Egress;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::lock::lock;
use crate::provider::{KeyField, KeyFormat};
use crate::secrets::Secret;
use crate::signature::key;

/// Longest time that a look-up may take: the sender waits meanwhile.
const FETCH_TIME_MAX: Duration = Duration::from_secs(4);
/// Largest answer: a chain of certificates has some 10 KiB.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 10;
/// A set of keys is not looked up again for a key that is not in it for so long.
const SET_KEPT: Duration = Duration::from_secs(60);
/// Most look-ups of keys that are not known at a time, over all sources.
const NEW_AT_A_TIME: usize = 32;

/// What was fetched for all sources, and what it takes to fetch more.
#[derive(Debug)]
pub(super) struct Fetcher {
    egress: Egress,
    clock: Clock,
    trust: Trust,
    caches: Mutex<BTreeMap<Name, Arc<KeyCache>>>,
    new: Semaphore,
    /// Look-ups for which nobody waits.
    refreshing: Mutex<JoinSet<()>>,
}

/// Somebody who wants a key.
#[derive(Debug, Clone)]
struct Asking {
    source: Name,
    secret: Option<Secret>,
    wanted: Wanted,
    /// Of a set: the key that it must have.
    id: Option<String>,
}

impl Fetcher {
    pub(super) fn new(egress: Egress, clock: Clock, trust: Trust) -> Self {
        Self {
            egress,
            clock,
            trust,
            caches: Mutex::default(),
            new: Semaphore::new(NEW_AT_A_TIME),
            refreshing: Mutex::default(),
        }
    }

    /// Who is trusted.
    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The time by which keys are judged.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The key, from the source's cache or from its place. A set of keys in which this `id` is not
    /// is looked up again, now and then: it may be a new one.
    pub(super) async fn find(
        self: &Arc<Self>,
        source: &Name,
        secret: Option<&Secret>,
        wanted: Wanted,
        id: Option<&str>,
    ) -> Result<Key, KeyError> {
        let cache = self.cache(source);
        let (source, secret) = (source.clone(), secret.cloned());
        let asking = Asking { source, secret, wanted, id: id.map(str::to_owned) };
        let key = self.find_kept(&cache, asking.clone()).await?;
        match (&key, id) {
            (Key::Set(keys), Some(id)) if !keys.has(id) => {
                self.find_newer(&cache, &asking, id).await
            }
            _ => Ok(key),
        }
    }

    /// A set that was fetched since, or is fetched now, because this key was not in it. That it is
    /// not there is known only of the key that the set was last fetched for: any other may be new.
    async fn find_newer(
        &self,
        cache: &KeyCache,
        asking: &Asking,
        id: &str,
    ) -> Result<Key, KeyError> {
        let now = self.clock.now();
        let Entered::There(place) = cache.enter(&asking.wanted, now)? else {
            return Err(KeyError::Busy);
        };
        let mut entry = place.lock_owned().await;
        let kept = entry.as_mut().ok_or(KeyError::Busy)?;
        match &kept.found {
            Ok(Key::Set(keys)) if !keys.has(id) => (),
            found => return found.clone(),
        }
        if !kept.is_older_than(SET_KEPT, now) {
            return Err(if kept.was_for(id) { KeyError::Unknown } else { KeyError::Busy });
        }
        self.find_known(cache, asking, kept, false).await
    }

    async fn find_kept(
        self: &Arc<Self>,
        cache: &KeyCache,
        asking: Asking,
    ) -> Result<Key, KeyError> {
        match cache.enter(&asking.wanted, self.clock.now())? {
            Entered::New(mut entry, _permit) => self.find_new(&asking, &mut entry).await,
            Entered::There(place) => {
                // Whoever else wants this very key waits here, for one look-up.
                let entry = Arc::clone(&place).lock_owned().await;
                self.find_again(cache, asking, place, entry).await
            }
        }
    }

    /// Finds a key that has been asked for before.
    async fn find_again(
        self: &Arc<Self>,
        cache: &KeyCache,
        asking: Asking,
        place: Entry,
        mut entry: OwnedMutexGuard<Option<Kept>>,
    ) -> Result<Key, KeyError> {
        let now = self.clock.now();
        if let Some(kept) = entry.as_mut() {
            kept.renew(&self.trust, now);
            let freshness = kept.freshness(now);
            let found = kept.found.clone();
            match freshness {
                Freshness::Fresh => return found,
                Freshness::Ageing if kept.may_try(now) => {
                    self.refresh(cache, asking, place);
                    return found;
                }
                Freshness::Stale if kept.may_try(now) => (),
                Freshness::Ageing | Freshness::Stale => return found,
                Freshness::Gone if found.is_ok() && !kept.may_try(now) => {
                    return Err(KeyError::Busy);
                }
                Freshness::Gone => (),
            }
            if found.is_ok() {
                let counts = freshness == Freshness::Stale;
                return self.find_known(cache, &asking, kept, counts).await;
            }
        }
        let _permit = cache.admit(&asking.wanted, now)?;
        self.find_new(&asking, &mut entry).await
    }

    async fn find_new(&self, asking: &Asking, entry: &mut Option<Kept>) -> Result<Key, KeyError> {
        let _permit = self.new.try_acquire().map_err(|_| KeyError::Busy)?;
        let now = self.clock.now();
        let found = self.fetch(asking, now).await;
        entry.insert(Kept::new(found, asking.id.clone(), now)).found.clone()
    }

    /// Asks again for a key that is known. Where no answer can be had, the known one still
    /// `counts`.
    async fn find_known(
        &self,
        cache: &KeyCache,
        asking: &Asking,
        kept: &mut Kept,
        counts: bool,
    ) -> Result<Key, KeyError> {
        let now = self.clock.now();
        let found = match cache.admit_known(now) {
            Ok(_permit) => self.fetch(asking, now).await,
            Err(busy) => Err(busy),
        };
        match found {
            Err(error) if error.is_passing() && counts => {
                warn_of(asking, &error);
                kept.found.clone()
            }
            // It is still known, and has look-ups of its own next time too.
            Err(error) if error.is_passing() => Err(error),
            found => {
                *kept = Kept::new(found, asking.id.clone(), now);
                kept.found.clone()
            }
        }
    }

    /// Waits until nothing is asked for any more for which nobody waits.
    #[cfg(test)]
    pub(super) async fn refreshed(&self) {
        let mut tasks = {
            let mut tasks = lock(&self.refreshing);
            std::mem::take(&mut *tasks)
        };
        while tasks.join_next().await.is_some() {}
    }

    /// Asks again for a key that still counts, while nobody waits.
    fn refresh(self: &Arc<Self>, cache: &KeyCache, asking: Asking, place: Entry) {
        let fetcher = Arc::clone(self);
        let now = self.clock.now();
        let Ok(permit) = cache.admit_known(now) else { return };
        let asked = async move {
            let _permit = permit;
            match fetcher.fetch(&asking, now).await {
                Err(error) if error.is_passing() => warn_of(&asking, &error),
                found => *place.lock().await = Some(Kept::new(found, asking.id, now)),
            }
        };
        let mut tasks = lock(&self.refreshing);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(asked);
    }

    fn cache(&self, source: &Name) -> Arc<KeyCache> {
        let mut caches = lock(&self.caches);
        Arc::clone(caches.entry(source.clone()).or_default())
    }

    async fn fetch(&self, asking: &Asking, now: Timestamp) -> Result<Key, KeyError> {
        let (Wanted { lookup, format }, secret) = (&asking.wanted, asking.secret.as_ref());
        let json = lookup.post.as_deref().map(|fields| posted(fields, secret)).transpose()?;
        let answer = self
            .egress
            .fetch(&lookup.url, json, ANSWER_BYTES_MAX, FETCH_TIME_MAX)
            .await
            .map_err(|error| KeyError::Unreachable(error.to_string()))?;
        match answer.status {
            200 => (),
            404 | 410 => return Err(KeyError::Unknown),
            status => return Err(KeyError::Status { host: host(lookup), status }),
        }
        match format {
            KeyFormat::Certificate(name) => {
                let certificate = NamedCertificate::read(&answer.body, name)?;
                certificate.check(&self.trust, now)?;
                Ok(Key::Named(certificate))
            }
            KeyFormat::LeafCertificate => LeafCertificate::read(&answer.body).map(Key::Leaf),
            KeyFormat::Pem => {
                let text = std::str::from_utf8(&answer.body).ok();
                let info = text.and_then(key::pem).map(|der| Key::Info(der.into()));
                info.ok_or_else(|| {
                    KeyError::Unreadable("the answer is not a public key in PEM".to_owned())
                })
            }
            KeyFormat::Jwk => jwk::Jwk::read(&answer.body).map(Key::Jwk),
            KeyFormat::Jwks => jwk::Set::read(&answer.body).map(Key::Set),
        }
    }
}

/// Says that a known key could not be had again. At most once a minute and key.
fn warn_of(asking: &Asking, error: &KeyError) {
    warn!(
        source.name = %asking.source,
        "failed to refresh a public key; the gateway keeps the known one for now: {error}"
    );
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
