//! What is in memory of all endpoints: by their keys, by their ids, by tenant.
//!
//! Pure but for what it logs. Never asks the store.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::{EndpointFilter, FileEndpoint, Held, Listed};
use crate::endpoint::{Credential, Endpoint, Origin, RawSettings, SecretKind, Standing, check};
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::store::{EndpointNote, EndpointRows, Health, StoredEndpoint, Tombstone};
use crate::subscribers::{Table, Tenanted};
use crate::tenant::Tenant;

/// Most endpoints of one tenant, and most that were deleted and are remembered: none takes the
/// places of all others, and an event of its own goes to no more.
const OF_TENANT_MAX: usize = 1_000;
const DELETED_MAX: usize = 10_000;

/// Changes that are remembered; whoever is further behind looks at all endpoints.
const CHANGES_MAX: usize = 4_096;

/// All endpoints.
#[derive(Debug, Default)]
pub(super) struct Known {
    tag: u32,
    by_key: HashMap<Name, Arc<Listed>>,
    /// Their keys. Those of the configuration come last.
    by_id: BTreeMap<Id, Name>,
    /// Those that are not deleted.
    by_tenant: HashMap<Option<Tenant>, BTreeSet<Id>>,
    /// Those that are.
    deleted: HashMap<Option<Tenant>, BTreeSet<Id>>,
    /// Those that were deleted and to which something may still be owed.
    draining: BTreeSet<Id>,
    health: BTreeMap<Name, Health>,
    /// The last change of all.
    number: u64,
    /// The last changes, each with the key of the endpoint; `None` if it may be any.
    changes: VecDeque<Option<Name>>,
}

impl Known {
    /// These are the endpoints of the store, in the place of those before.
    pub(super) fn load(&mut self, rows: EndpointRows) {
        let EndpointRows { tag, endpoints, deleted, health } = rows;
        (self.tag, self.health) = (tag, health);
        drop(self.remove(Origin::Api));
        let open = deleted.iter().filter(|tombstone| tombstone.draining);
        self.draining = open.map(|tombstone| tombstone.id).collect();
        for tombstone in deleted {
            if let Some(listed) = buried(tombstone) {
                self.put(Arc::new(listed));
            }
        }
        for stored in endpoints {
            if let Some(listed) = listed(stored) {
                self.put(Arc::new(listed));
            }
        }
        self.stand_as_noted();
    }

    /// Those of the configuration stand as their rows say, also where nobody knew whether the store
    /// had made the last change.
    fn stand_as_noted(&mut self) {
        let of_file = self.by_key.values().filter(|it| it.endpoint.origin == Origin::File);
        let noted = of_file.filter_map(|listed| {
            let Endpoint { key, standing, .. } = &listed.endpoint;
            let health = self.health.get(key)?;
            let is_other = health.standing.is_some_and(|noted| noted != *standing);
            is_other.then(|| (key.clone(), health.clone()))
        });
        for (key, health) in noted.collect::<Vec<_>>() {
            self.stand(&key, health);
        }
    }

    /// These are the endpoints of the configuration, in the place of those before.
    pub(super) fn configure(&mut self, file: Vec<FileEndpoint>, now: Timestamp) {
        let before = self.remove(Origin::File);
        for FileEndpoint { settings, keys, credential, client_key } in file {
            let key = settings.name.clone();
            let id = Id::endpoint_of(&key, self.tag);
            let before = before.get(&key).map(|listed| &listed.endpoint);
            let created_at = before.map_or(now, |before| before.created_at);
            let standing = self.health.get(&key).and_then(|health| health.standing);
            let endpoint = Endpoint {
                id,
                key,
                origin: Origin::File,
                settings: Arc::new(settings),
                standing: standing.unwrap_or_else(|| Standing::enabled(created_at)),
                created_at,
                updated_at: now,
                revision: before.map_or(1, |before| before.revision + 1),
            };
            let mut secrets: Vec<Held> = keys.into_iter().map(Held::Plain).collect();
            secrets.extend(
                credential
                    .as_ref()
                    .map(Credential::kept)
                    .map(|(kind, secret)| Held::Other(kind, secret.clone())),
            );
            secrets.extend(client_key.map(|key| Held::Other(SecretKind::ClientKey, key)));
            self.put(Arc::new(Listed { endpoint, secrets: secrets.into(), deleted: None }));
        }
    }

    /// An endpoint of the configuration stands so.
    pub(super) fn stand(&mut self, key: &Name, health: Health) -> Option<Arc<Listed>> {
        let listed = self.get(key)?;
        let standing = health.standing?;
        self.health.insert(key.clone(), health);
        let endpoint = Endpoint {
            standing,
            revision: listed.endpoint.revision + 1,
            ..listed.endpoint.clone()
        };
        let listed = Arc::new(Listed { endpoint, ..Listed::clone(&listed) });
        self.put(Arc::clone(&listed));
        Some(listed)
    }

    /// Removes those that stand there.
    fn remove(&mut self, origin: Origin) -> HashMap<Name, Arc<Listed>> {
        let is_there = |listed: &Arc<Listed>| listed.endpoint.origin == origin;
        let gone: Vec<Arc<Listed>> =
            self.by_key.values().filter(|it| is_there(it)).cloned().collect();
        for listed in &gone {
            self.take(&listed.endpoint.key);
        }
        gone.into_iter().map(|listed| (listed.endpoint.key.clone(), listed)).collect()
    }

    /// Takes an endpoint out.
    pub(super) fn take(&mut self, key: &Name) {
        let Some(listed) = self.by_key.remove(key) else { return };
        let Endpoint { id, settings, .. } = &listed.endpoint;
        self.by_id.remove(id);
        for places in [&mut self.by_tenant, &mut self.deleted] {
            if let Some(of) = places.get_mut(&settings.tenant) {
                of.remove(id);
                if of.is_empty() {
                    places.remove(&settings.tenant);
                }
            }
        }
    }

    /// Puts an endpoint in the place of what it was before.
    pub(super) fn put(&mut self, listed: Arc<Listed>) {
        let Endpoint { id, key, settings, .. } = &listed.endpoint;
        self.take(key);
        self.by_id.insert(*id, key.clone());
        let places = match listed.deleted {
            None => &mut self.by_tenant,
            Some(_) => &mut self.deleted,
        };
        places.entry(settings.tenant.clone()).or_default().insert(*id);
        self.by_key.insert(key.clone(), listed);
    }

    pub(super) fn get(&self, key: &Name) -> Option<Arc<Listed>> {
        self.by_key.get(key).cloned()
    }

    pub(super) fn by_id(&self, id: Id) -> Option<Arc<Listed>> {
        self.get(self.by_id.get(&id)?)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Listed>> {
        self.by_id.values().filter_map(|key| self.by_key.get(key))
    }

    pub(super) fn page(
        &self,
        filter: &EndpointFilter,
        after: Option<Id>,
        limit: usize,
    ) -> Vec<Arc<Listed>> {
        let fits = |listed: &&Arc<Listed>| {
            let Endpoint { settings, standing, .. } = &listed.endpoint;
            listed.deleted.is_none()
                && filter.tenant.as_ref().is_none_or(|it| settings.tenant.as_ref() == Some(it))
                && filter.name.as_ref().is_none_or(|name| settings.name == *name)
                && filter.state.is_none_or(|status| standing.status == status)
        };
        let is_behind = |id: &&Id| after.is_none_or(|after| **id < after);
        let keys: Vec<&Name> = match &filter.tenant {
            // A tenant has few of many.
            Some(tenant) => {
                let own = self.by_tenant.get(&Some(tenant.clone()));
                let ids = own.into_iter().flatten().rev().filter(is_behind);
                ids.filter_map(|id| self.by_id.get(id)).collect()
            }
            None => {
                let ids = self.by_id.iter().rev();
                ids.filter(|(id, _)| is_behind(id)).map(|(_, key)| key).collect()
            }
        };
        let listed = keys.into_iter().filter_map(|key| self.by_key.get(key));
        listed.filter(fits).take(limit).cloned().collect()
    }

    /// Whether a tenant may have another endpoint.
    pub(super) fn has_room(&self, tenant: Tenant) -> bool {
        let tenant = Some(tenant);
        let open = self.by_tenant.get(&tenant).map_or(0, BTreeSet::len);
        let deleted = self.deleted.get(&tenant).map_or(0, BTreeSet::len);
        open < OF_TENANT_MAX && deleted < DELETED_MAX
    }

    /// The endpoints of a tenant that were deleted.
    pub(super) fn deleted_of(&self, tenant: Tenant) -> Vec<Arc<Listed>> {
        let ids = self.deleted.get(&Some(tenant)).into_iter().flatten();
        ids.filter_map(|id| self.by_id(*id)).collect()
    }

    pub(super) fn draining(&self) -> Vec<Arc<Listed>> {
        self.draining.iter().filter_map(|id| self.by_id(*id)).collect()
    }

    /// Something may be owed to an endpoint that was deleted, or nothing is any more.
    pub(super) fn drain(&mut self, id: Id, may_be_owed: bool) {
        if may_be_owed {
            self.draining.insert(id);
        } else {
            self.draining.remove(&id);
        }
    }

    /// The endpoint of the configuration that has this name.
    pub(super) fn in_configuration(&self, name: &Name) -> Option<Id> {
        let listed = self.by_key.get(name)?;
        (listed.endpoint.origin == Origin::File).then_some(listed.endpoint.id)
    }

    pub(super) fn health(&self, key: &Name) -> Health {
        self.health.get(key).cloned().unwrap_or_default()
    }

    /// Endpoints fare so; where they stand is said elsewhere.
    pub(super) fn noted(&mut self, notes: &[EndpointNote]) {
        for EndpointNote { key, health, .. } in notes {
            let Some(health) = health else { continue };
            let standing = self.health.get(key).and_then(|known| known.standing);
            self.health.insert(key.clone(), Health { standing, ..health.clone() });
        }
    }

    pub(super) fn warned(&self) -> Vec<Name> {
        let warned = self.health.iter().filter(|(_, health)| health.warned);
        warned.map(|(key, _)| key.clone()).collect()
    }

    /// Who receives what.
    pub(super) fn table(&self) -> Table {
        let tenants = self.by_tenant.keys();
        Table::of(tenants.map(|tenant| (tenant.clone(), self.tenanted(tenant.as_ref()))))
    }

    /// The endpoints of a tenant. Of two with one name that of the configuration comes first.
    pub(super) fn tenanted(&self, tenant: Option<&Tenant>) -> Tenanted {
        let ids = self.by_tenant.get(&tenant.cloned()).into_iter().flatten().rev();
        let listed = ids.filter_map(|id| self.by_key.get(self.by_id.get(id)?));
        Tenanted::of(listed.map(|listed| &listed.endpoint))
    }

    /// The change of this number was of this endpoint, or may be of any.
    pub(super) fn note(&mut self, number: u64, key: Option<Name>) {
        self.number = number;
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(key);
    }

    pub(super) fn changed_since(&self, seen: u64) -> Option<Vec<Name>> {
        let behind = usize::try_from(self.number.saturating_sub(seen)).ok()?;
        let first = self.changes.len().checked_sub(behind)?;
        self.changes.range(first..).cloned().collect()
    }
}

/// An endpoint of the store as it is listed; one whose settings can't be is left out.
pub(super) fn listed(stored: StoredEndpoint) -> Option<Listed> {
    let StoredEndpoint { id, settings, standing, created_at, updated_at, revision, secrets } =
        stored;
    let settings = match check(settings, Origin::Api) {
        Ok(settings) => settings,
        Err(invalid) => {
            tracing::error!(endpoint.id = %id, field = invalid.field,
                "the gateway leaves out an endpoint whose settings it can't use: a newer Hookgate \
                 may have made it");
            return None;
        }
    };
    let endpoint = Endpoint {
        id,
        key: id.key(),
        origin: Origin::Api,
        settings: Arc::new(settings),
        standing,
        created_at,
        updated_at,
        revision,
    };
    let secrets: Vec<Held> = secrets.into_iter().map(Held::Sealed).collect();
    Some(Listed { endpoint, secrets: secrets.into(), deleted: None })
}

/// An endpoint that was deleted, of which only the name is left.
pub(super) fn buried(tombstone: Tombstone) -> Option<Listed> {
    let Tombstone { id, name, tenant, deleted_at, .. } = tombstone;
    let raw = RawSettings {
        name: name.into(),
        tenant: tenant.map(Into::into),
        url: "https://deleted.invalid/".to_owned(),
        ..RawSettings::default()
    };
    let settings = Arc::new(check(raw, Origin::Api).ok()?);
    let standing = Standing::enabled(deleted_at);
    let (key, origin, revision) = (id.key(), Origin::Api, 0);
    let (created_at, updated_at) = (deleted_at, deleted_at);
    let endpoint =
        Endpoint { id, key, origin, settings, standing, created_at, updated_at, revision };
    Some(Listed { endpoint, secrets: Arc::from([]), deleted: Some(deleted_at) })
}
