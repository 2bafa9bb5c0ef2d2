//! Seals the secrets of endpoints and the keys of the store's volumes again when another master key
//! comes first, so that the one of before may go.
//!
//! A task of the gateway beside the path of events: at a start, and whenever the master keys
//! change. One endpoint after the other, each in a commit of its own, and one volume after the
//! other. Never opens what it need not seal.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Parts;
use crate::causes::chain;
use crate::directory::vault::Locked;
use crate::directory::{Directory, DirectoryError, Held, Listed};
use crate::endpoint::SealedSecret;
use crate::ids::Id;
use crate::store::{self, EndpointChange, Store};

/// How often it tries again when somebody else changes the same endpoint.
const TRIES: usize = 3;

pub(super) struct Sealing {
    directory: Directory,
    store: Store,
}

/// What became of the secrets of one endpoint.
enum Sealed {
    /// They were sealed again.
    Again,
    /// The first key has sealed them.
    Already,
    /// No key opens one of them.
    Locked,
}

impl Sealing {
    pub(super) fn of(parts: &Parts) -> Self {
        Self { directory: parts.directory.clone(), store: parts.store.clone() }
    }

    /// Seals until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.follow() => (),
        }
    }

    async fn follow(&self) {
        let mut keys = self.directory.vault().changes();
        loop {
            keys.mark_unchanged();
            self.seal_all().await;
            self.seal_volumes().await;
            // The sender is in the vault.
            if keys.changed().await.is_err() {
                return;
            }
        }
    }

    async fn seal_volumes(&self) {
        match self.store.renew_seals().await {
            Ok(0) => (),
            Ok(sealed) => info!(
                sealed,
                "sealed the keys of the store's volumes with the first master key: no other is \
                 needed for them"
            ),
            Err(error) => {
                let why = chain(&error);
                warn!("failed to seal the keys of the store's volumes again: {why}");
            }
        }
    }

    async fn seal_all(&self) {
        let (mut sealed, mut left) = (0, 0);
        for listed in self.directory.all() {
            let id = listed.endpoint.id;
            match self.seal(listed).await {
                Ok(Sealed::Again) => sealed += 1,
                Ok(Sealed::Already) => (),
                Ok(Sealed::Locked) => left += 1,
                Err(error) => {
                    left += 1;
                    let why = chain(&error);
                    warn!(endpoint.id = %id, "failed to seal the secrets again: {why}");
                }
            }
        }
        if sealed > 0 && left > 0 {
            info!(
                sealed,
                left, "sealed secrets of endpoints with the first master key; some are left"
            );
        } else if sealed > 0 {
            info!(
                sealed,
                "sealed the secrets of endpoints with the first master key: no other is needed"
            );
        }
    }

    /// Seals the secrets of an endpoint, unless the first key has done that.
    async fn seal(&self, mut listed: Arc<Listed>) -> Result<Sealed, DirectoryError> {
        let id = listed.endpoint.id;
        for _ in 0..TRIES {
            let secrets = match again(&self.directory, &listed) {
                Ok(Some(secrets)) => secrets,
                Ok(None) => return Ok(Sealed::Already),
                Err(_) => return Ok(Sealed::Locked),
            };
            let change = EndpointChange::Secrets(secrets);
            let revision = Some(listed.endpoint.revision);
            match self.directory.change(id, revision, change).await {
                Err(DirectoryError::Store(store::Error::EndpointChanged { .. })) => (),
                Err(DirectoryError::Deleted(_)) => return Ok(Sealed::Already),
                changed => return changed.map(|_| Sealed::Again),
            }
            let Some(now) = self.now(id) else { return Ok(Sealed::Already) };
            listed = now;
        }
        Ok(Sealed::Locked)
    }

    fn now(&self, id: Id) -> Option<Arc<Listed>> {
        self.directory.by_id(id).filter(|listed| listed.deleted.is_none())
    }
}

/// The secrets of an endpoint as the first key seals them; `None` if it has sealed all of them.
fn again(directory: &Directory, listed: &Listed) -> Result<Option<Vec<SealedSecret>>, Locked> {
    let (mut secrets, mut is_other) = (Vec::new(), false);
    for held in listed.secrets.iter() {
        let Held::Sealed(secret) = held else { continue };
        let sealed = match secret.place(listed.endpoint.id.position) {
            Some(place) => directory.vault().seal_again(place, &secret.sealed)?,
            // A newer Hookgate may know what it is.
            None => None,
        };
        is_other |= sealed.is_some();
        let sealed = sealed.unwrap_or_else(|| secret.sealed.clone());
        secrets.push(SealedSecret { sealed, ..secret.clone() });
    }
    Ok(is_other.then_some(secrets))
}
