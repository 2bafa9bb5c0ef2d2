//! What seals the volumes of a store: the master keys, as the configuration has them.
//!
//! The store is handed them and never asks where they are. What is sealed with one of them opens as
//! long as that is among them; a new volume is sealed with the first, if volumes are sealed at all.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Store;
use super::error::Error;
use crate::master_key::{MasterKey, WrappedKey};

/// The master keys that volumes are sealed with. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct VolumeKeys(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    keys: ArcSwap<Vec<MasterKey>>,
    seals: bool,
}

impl VolumeKeys {
    /// With these keys volumes open, and new ones are not sealed.
    pub fn opening(keys: Vec<MasterKey>) -> Self {
        Self(Arc::new(Held { keys: ArcSwap::from_pointee(keys), seals: false }))
    }

    /// The same, and the first of them seals new volumes.
    pub fn sealing(keys: Vec<MasterKey>) -> Self {
        Self(Arc::new(Held { keys: ArcSwap::from_pointee(keys), seals: true }))
    }

    /// Goes on with these keys. Without one nothing could be sealed: then it keeps those it has,
    /// for whether volumes are sealed stays as it is as long as the store is open.
    pub(super) fn replace(&self, keys: Vec<MasterKey>) {
        if self.0.seals && keys.is_empty() {
            return;
        }
        self.0.keys.store(Arc::new(keys));
    }

    /// Whether new volumes are sealed.
    pub(super) fn seals(&self) -> bool {
        self.0.seals
    }

    /// Whether another key than the first sealed it; not if there is none.
    pub(super) fn is_old(&self, wrapped: &WrappedKey) -> bool {
        self.0.keys.load().first().is_some_and(|first| first.id() != wrapped.by)
    }

    /// Seals the key of a volume with the first master key; `None` if there is none, or the system
    /// has no random bytes.
    pub(super) fn wrap(&self, place: &[u8], key: &[u8; 32]) -> Option<WrappedKey> {
        self.0.keys.load().first()?.wrap(place, key)
    }

    /// Opens the key of a volume; `None` if none of the master keys does.
    pub(super) fn unwrapped(&self, place: &[u8], wrapped: &WrappedKey) -> Option<[u8; 32]> {
        let keys = self.0.keys.load();
        let key = keys.iter().find(|key| key.id() == wrapped.by)?;
        key.unwrapped(place, wrapped)
    }
}

impl Store {
    /// Opens encrypted volumes with these master keys from now on, and seals the keys of new ones
    /// with the first.
    pub fn set_master_keys(&self, keys: Vec<MasterKey>) {
        self.handle.shared.file.set_master_keys(keys);
    }

    /// Has the first master key seal the keys of all volumes that another sealed, so that the other
    /// may go; gives how many there were.
    pub async fn renew_seals(&self) -> Result<u64, Error> {
        self.aside(|shared| Ok(shared.file.renew_seals()?)).await
    }
}
