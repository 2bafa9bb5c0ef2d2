//! All endpoints as they are now, of the configuration and of the store: who sends, routes or shows
//! asks here.
//!
//! Never sends, and never shows a secret. For now it has none: the configuration's are with
//! whoever delivers to them, and nothing makes others yet.

mod active;
mod jwks;
pub mod vault;

use std::sync::Arc;

use tokio::sync::watch;

pub use self::active::Active;
pub(crate) use self::jwks::KeySet;
pub use self::jwks::public_key;
use self::vault::Vault;
use crate::endpoint::{Endpoint, SealedSecret};
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::secrets::Secret;

/// All endpoints; clones share them.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    vault: Arc<Vault>,
    /// The number of the last change.
    changed: watch::Sender<u64>,
}

/// An endpoint with its secrets.
#[derive(Debug)]
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
    /// Of the configuration.
    Plain(Secret),
    /// Of the store: the vault opens it.
    Sealed(SealedSecret),
}

impl Directory {
    /// Without an endpoint.
    pub fn empty(vault: Arc<Vault>) -> Self {
        Self(Arc::new(Shared { vault, changed: watch::Sender::new(0) }))
    }

    /// The endpoint that deliveries know by this key.
    pub fn get(&self, _key: &Name) -> Option<Arc<Listed>> {
        None
    }

    /// The endpoint of this id.
    pub fn by_id(&self, _id: Id) -> Option<Arc<Listed>> {
        None
    }

    /// All, the oldest first.
    pub fn all(&self) -> Vec<Arc<Listed>> {
        Vec::new()
    }

    /// What opens the secrets of the store.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.0.vault
    }

    /// The number of the last change, and of each that follows.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_directory_has_nothing_and_changes_by_itself_never() {
        let directory = Directory::empty(Arc::default());
        assert!(directory.all().is_empty());
        assert!(directory.get(&"crm".parse().unwrap()).is_none());
        let changes = directory.clone().changes();
        assert!(*changes.borrow() == 0 && !changes.has_changed().unwrap());
    }
}
