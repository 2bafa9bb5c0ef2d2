//! Changes of endpoints: in the store first, then in memory, one at a time.
//!
//! A change whose outcome the store does not know is looked up before the next. Never opens a
//! secret; what is sealed is sealed by whoever asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::known::{buried, listed};
use super::vault::{NotSealed, Vault};
use super::{Directory, Listed};
use crate::endpoint::{Invalid, Origin, RawSettings, SealedSecret, Standing, check};
use crate::ids::Id;
use crate::store::{self, EndpointChange, NewEndpoint, Store};

/// Seals the first secrets of an endpoint of this id.
pub type Seal<'s> = dyn Fn(&Vault, Id) -> Result<Vec<SealedSecret>, NotSealed> + Send + Sync + 's;

/// Why an endpoint is not changed.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A setting can't be an endpoint's.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It stands in the configuration.
    #[error("the configuration has this endpoint: change it there")]
    InConfiguration(Id),
    /// It was deleted.
    #[error("the endpoint {0} was deleted")]
    Deleted(Id),
    /// Its tenant has as many as one may have.
    #[error(
        "a tenant has at most 1,000 endpoints, and 10,000 deleted ones that deliveries still name"
    )]
    TooMany,
    /// Its secrets can't be sealed.
    #[error(transparent)]
    NotSealed(#[from] NotSealed),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Directory {
    /// Makes an endpoint. The settings are kept as they are written: what they leave out is the
    /// default, also if another Hookgate has another.
    pub async fn create(
        &self,
        settings: RawSettings,
        seal: &Seal<'_>,
    ) -> Result<Arc<Listed>, DirectoryError> {
        let checked = check(settings.clone(), Origin::Api)?;
        let _changing = self.0.changing.lock().await;
        let store = self.current().await?;
        if checked.tenant.is_none()
            && let Some(id) = self.known().in_configuration(&checked.name)
        {
            return Err(store::Error::EndpointExists(id).into());
        }
        if let Some(tenant) = checked.tenant
            && !self.known().has_room(tenant)
        {
            return Err(DirectoryError::TooMany);
        }
        let id = store.endpoint_id().await?;
        let secrets = seal(&self.0.vault, id)?;
        let created = store.create_endpoint(NewEndpoint { id, settings, secrets }).await;
        let created = self.sure(created)?;
        self.put(listed(created), id)
    }

    /// Changes an endpoint, if it has this revision. Of one in the configuration only where it
    /// stands can be changed.
    pub async fn change(
        &self,
        id: Id,
        revision: Option<u64>,
        change: EndpointChange,
    ) -> Result<Arc<Listed>, DirectoryError> {
        if let Some(settings) = change.settings() {
            check(settings.clone(), Origin::Api)?;
        }
        let _changing = self.0.changing.lock().await;
        let store = self.current().await?;
        let before = self.found(id)?;
        if before.endpoint.origin == Origin::File {
            let now = before.endpoint.revision;
            if revision.is_some_and(|revision| revision != now) {
                return Err(store::Error::EndpointChanged { revision: now }.into());
            }
            return match change {
                EndpointChange::Standing(standing) => self.stand(store, &before, standing).await,
                _ => Err(DirectoryError::InConfiguration(id)),
            };
        }
        if let Some(settings) = change.settings()
            && settings.tenant.is_none()
            && let Ok(name) = settings.name.parse()
            && let Some(id) = self.known().in_configuration(&name)
        {
            return Err(store::Error::EndpointExists(id).into());
        }
        let revision = revision.unwrap_or(before.endpoint.revision);
        let changed = store.change_endpoint(id, revision, change).await;
        let changed = self.sure(changed)?;
        self.put(listed(changed), id)
    }

    /// An endpoint of the configuration stands so.
    async fn stand(
        &self,
        store: &Store,
        before: &Listed,
        standing: Standing,
    ) -> Result<Arc<Listed>, DirectoryError> {
        let key = &before.endpoint.key;
        let health = store.stand_endpoint(key.clone(), standing).await;
        let health = self.sure(health)?;
        let stands = self.update(Some(key.clone()), |known, _| (known.stand(key, health), None));
        // The configuration may have lost it meanwhile.
        Ok(stands.ok_or(store::Error::NoSuchEndpoint(before.endpoint.id))?)
    }

    /// Deletes an endpoint. From now on no event is routed to it.
    pub async fn delete(&self, id: Id) -> Result<Arc<Listed>, DirectoryError> {
        let _changing = self.0.changing.lock().await;
        let store = self.current().await?;
        if self.found(id)?.endpoint.origin == Origin::File {
            return Err(DirectoryError::InConfiguration(id));
        }
        let deleted = store.delete_endpoint(id).await;
        let deleted = self.sure(deleted)?;
        self.known().drain(id, true);
        self.put(buried(deleted), id)
    }

    /// Nothing is owed any more to an endpoint that was deleted.
    pub async fn drained(&self, id: Id) -> Result<(), DirectoryError> {
        let _changing = self.0.changing.lock().await;
        let store = self.current().await?;
        let drained = store.drained(id).await;
        self.sure(drained)?;
        self.known().drain(id, false);
        Ok(())
    }

    /// Forgets endpoints that were deleted.
    pub async fn bury(&self, ids: Vec<Id>) -> Result<(), DirectoryError> {
        let _changing = self.0.changing.lock().await;
        let store = self.current().await?;
        let buried = store.bury_endpoints(ids.clone()).await;
        self.sure(buried)?;
        let mut known = self.known();
        ids.into_iter().for_each(|id| known.take(&id.key()));
        Ok(())
    }

    /// The store, with what is in memory as it says.
    async fn current(&self) -> Result<&Store, store::Error> {
        if self.0.is_stale.load(Ordering::Relaxed) {
            self.load().await?;
        }
        self.0.store.as_ref().ok_or(store::Error::Closed)
    }

    /// What the store has answered. If it could not write, it may have written all the same.
    fn sure<T>(&self, answer: Result<T, store::Error>) -> Result<T, store::Error> {
        if let Err(store::Error::Unavailable(_)) = &answer {
            self.0.is_stale.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// The endpoint of this id, if it is not deleted.
    fn found(&self, id: Id) -> Result<Arc<Listed>, DirectoryError> {
        let listed = self.by_id(id).ok_or(store::Error::NoSuchEndpoint(id))?;
        match listed.deleted {
            Some(_) => Err(DirectoryError::Deleted(id)),
            None => Ok(listed),
        }
    }

    /// An endpoint is so from now on.
    fn put(&self, listed: Option<Listed>, id: Id) -> Result<Arc<Listed>, DirectoryError> {
        // It was checked before.
        let listed = Arc::new(listed.ok_or(store::Error::NoSuchEndpoint(id))?);
        self.order(&listed.endpoint.key, &listed.endpoint.settings);
        self.update(Some(id.key()), |known, table| {
            let tenant = listed.endpoint.settings.tenant.as_ref();
            known.put(Arc::clone(&listed));
            ((), Some(table.with(tenant.cloned(), known.tenanted(tenant))))
        });
        Ok(listed)
    }
}
