//! All endpoints as they are now, of the configuration and of the store: who sends, routes or shows
//! asks here.
//!
//! A change goes to the store first, then here, one at a time; from then on events are routed by
//! it. Never sends, and never shows a secret.

mod active;
mod change;
mod jwks;
mod known;
pub mod vault;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

pub use self::active::Active;
pub use self::change::{DirectoryError, Seal};
pub(crate) use self::jwks::KeySet;
pub use self::jwks::public_key;
use self::known::Known;
use self::vault::Vault;
use crate::clock::Clock;
use crate::endpoint::{Credential, Endpoint, SealedSecret, SecretKind, Settings, Status};
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::lock::lock;
use crate::secrets::Secret;
use crate::store::{self, EndpointNote, EndpointRows, Health, Store};
use crate::subscribers::Table;
use crate::tenant::Tenant;

/// All endpoints; clones share them.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Where the endpoints of the API are; `None` has none.
    store: Option<Store>,
    vault: Arc<Vault>,
    clock: Clock,
    known: Mutex<Known>,
    /// Who receives what, by all of them that are not deleted.
    table: ArcSwap<Table>,
    /// Held by the change at work.
    changing: tokio::sync::Mutex<()>,
    /// Nobody knows whether the store has made the last change.
    is_stale: AtomicBool,
    /// The number of the last change.
    changed: watch::Sender<u64>,
}

/// An endpoint with its secrets.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What everybody may know of it.
    pub endpoint: Endpoint,
    /// In the order in which they were made.
    pub secrets: Arc<[Held]>,
    /// When it was deleted. It is listed for as long as deliveries name it.
    pub deleted: Option<Timestamp>,
}

/// A secret of an endpoint, as it is in memory.
#[derive(Debug, Clone)]
pub enum Held {
    /// Of the configuration: one that signs.
    Plain(Secret),
    /// Of the configuration: one of another kind.
    Other(SecretKind, Secret),
    /// Of the store: the vault opens it.
    Sealed(SealedSecret),
}

/// An endpoint of the configuration.
#[derive(Clone)]
pub struct FileEndpoint {
    /// What the file says.
    pub settings: Settings,
    /// All that sign: several during a rotation.
    pub keys: Vec<Secret>,
    /// What goes along as it is.
    pub credential: Option<Credential>,
    /// The key of its client certificate, in PEM.
    pub client_key: Option<Secret>,
}

/// Without the URL, which may have a password in it.
impl fmt::Debug for FileEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileEndpoint").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

/// Which endpoints to list; without a word, all that are not deleted.
#[derive(Debug, Clone, Default)]
pub struct EndpointFilter {
    /// Those of this tenant.
    pub tenant: Option<Tenant>,
    /// Those of this name.
    pub name: Option<Name>,
    /// Those that stand so.
    pub state: Option<Status>,
}

impl Directory {
    /// Without an endpoint.
    pub fn empty(vault: Arc<Vault>) -> Self {
        Self::new(None, vault, Clock::System)
    }

    /// The endpoints of a store; those of the configuration come by [`Directory::configure`].
    pub async fn open(store: Store, vault: Arc<Vault>, clock: Clock) -> Result<Self, store::Error> {
        let directory = Self::new(Some(store), vault, clock);
        directory.load().await?;
        Ok(directory)
    }

    /// The endpoints that a store knows of which is not open.
    pub fn of_rows(rows: EndpointRows, vault: Arc<Vault>) -> Self {
        let directory = Self::empty(vault);
        directory.update(None, |known, _| {
            known.load(rows);
            ((), Some(known.table()))
        });
        directory
    }

    fn new(store: Option<Store>, vault: Arc<Vault>, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            store,
            vault,
            clock,
            known: Mutex::default(),
            table: ArcSwap::default(),
            changing: tokio::sync::Mutex::default(),
            is_stale: AtomicBool::new(false),
            changed: watch::Sender::new(0),
        }))
    }

    /// Takes what the store says, beside the endpoints of the configuration.
    async fn load(&self) -> Result<(), store::Error> {
        let Some(store) = &self.0.store else { return Ok(()) };
        let rows = store.endpoints().await?;
        self.0.is_stale.store(false, Ordering::Relaxed);
        self.update(None, |known, _| {
            known.load(rows);
            ((), Some(known.table()))
        });
        Ok(())
    }

    /// Goes on with these endpoints of the configuration, in the place of those before.
    pub fn configure(&self, file: Vec<FileEndpoint>) {
        let now = self.0.clock.now();
        file.iter().for_each(|it| self.order(&it.settings.name, &it.settings));
        self.update(None, |known, _| {
            known.configure(file, now);
            ((), Some(known.table()))
        });
    }

    /// Changes what is in memory of an endpoint, or of all, and by what events are routed; then
    /// tells everybody.
    fn update<T>(
        &self,
        key: Option<Name>,
        change: impl FnOnce(&mut Known, &Table) -> (T, Option<Table>),
    ) -> T {
        let mut known = self.known();
        let (changed, table) = change(&mut known, &self.routes());
        if let Some(table) = table {
            self.0.table.store(Arc::new(table));
        }
        self.0.changed.send_modify(|number| {
            *number += 1;
            known.note(*number, key);
        });
        changed
    }

    /// The store knows how the deliveries to an endpoint go before one is routed there.
    fn order(&self, key: &Name, settings: &Settings) {
        if let Some(store) = &self.0.store {
            store.set_order(key, settings.order);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0.known)
    }

    /// The endpoint that deliveries know by this key, also if it is deleted.
    pub fn get(&self, key: &Name) -> Option<Arc<Listed>> {
        self.known().get(key)
    }

    /// The endpoint of this id, also if it is deleted.
    pub fn by_id(&self, id: Id) -> Option<Arc<Listed>> {
        self.known().by_id(id)
    }

    /// All that are not deleted, the oldest first.
    pub fn all(&self) -> Vec<Arc<Listed>> {
        self.known().all().filter(|listed| listed.deleted.is_none()).cloned().collect()
    }

    /// Those that were deleted, the oldest first.
    pub fn deleted(&self) -> Vec<Arc<Listed>> {
        self.known().all().filter(|listed| listed.deleted.is_some()).cloned().collect()
    }

    /// Those of a tenant that were deleted, the oldest first.
    pub fn deleted_of(&self, tenant: Tenant) -> Vec<Arc<Listed>> {
        self.known().deleted_of(tenant)
    }

    /// Those that were deleted and to which something may still be owed.
    pub fn draining(&self) -> Vec<Arc<Listed>> {
        self.known().draining()
    }

    /// Those that the filter is for, behind this one, the newest first.
    pub fn page(
        &self,
        filter: &EndpointFilter,
        after: Option<Id>,
        limit: usize,
    ) -> Vec<Arc<Listed>> {
        self.known().page(filter, after, limit)
    }

    /// Who receives what.
    pub fn routes(&self) -> Guard<Arc<Table>> {
        self.0.table.load()
    }

    /// How an endpoint fared when that was last [noted](Directory::noted).
    pub fn health(&self, key: &Name) -> Health {
        self.known().health(key)
    }

    /// This is what there is to note of how endpoints fare. It changes nothing of where they stand,
    /// and nobody is told: it may be often.
    pub fn noted(&self, notes: &[EndpointNote]) {
        self.known().noted(notes);
    }

    /// The keys of the endpoints that have failed for so long that somebody should know.
    pub fn warned(&self) -> Vec<Name> {
        self.known().warned()
    }

    /// What opens the secrets of the store.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.0.vault
    }

    /// The number of the last change, and of each that follows.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// The keys of the endpoints that were changed behind the change of this number; `None` if it
    /// may be any of them.
    pub fn changed_since(&self, seen: u64) -> Option<Vec<Name>> {
        self.known().changed_since(seen)
    }
}

#[cfg(test)]
mod tests;
