//! The endpoints that the API made, the deleted ones, and how all of them fare: in rows of which
//! the log of the store says nothing.
//!
//! Decides what the rows say, wherever they are. An operation asks for single rows only: there may
//! be a hundred thousand endpoints. Never checks a setting, and never opens a secret.

pub(super) mod health;
mod row;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::health::Health;
use self::row::{read_endpoint, read_tombstone, write_endpoint, write_tombstone};
use super::access::Rows;
use super::damage::Damages;
use super::error::{Damaged, Error, Failure};
use super::file::File;
use super::file::kept_rows::{Kept, KeptRows};
use crate::endpoint::{Order, RawSettings, SealedSecret, Standing};
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::tenant::Tenant;

/// Most endpoints of a store.
const ENDPOINTS_MAX: u64 = 100_000;

/// What the keys of rows begin with: an endpoint by its position, its name, how one fares and its
/// attempts by their keys, a deleted one by its position, and the number of endpoints.
const ENDPOINT: u8 = 1;
const NAME: u8 = 2;
const HEALTH: u8 = 3;
const STATS: u8 = 4;
const TOMBSTONE: u8 = 5;
const COUNT: u8 = 6;

/// An endpoint of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEndpoint {
    /// `ep_`
    pub id: Id,
    /// What its owner set, which nobody has checked since it was stored.
    pub settings: RawSettings,
    /// Whether deliveries go out.
    pub standing: Standing,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Rises with each change.
    pub revision: u64,
    /// In the order in which they were made.
    pub secrets: Vec<SealedSecret>,
}

/// An endpoint to make.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Of [`Store::endpoint_id`](super::Store::endpoint_id).
    pub id: Id,
    /// What its owner sets.
    pub settings: RawSettings,
    /// Sealed for this id.
    pub secrets: Vec<SealedSecret>,
}

/// What changes of an endpoint.
#[derive(Debug, Clone)]
pub enum EndpointChange {
    /// What its owner set.
    Settings(Box<RawSettings>),
    /// Whether deliveries go out.
    Standing(Standing),
    /// All that are left, and new ones.
    Secrets(Vec<SealedSecret>),
    /// Both at once: what goes with deliveries goes nowhere meanwhile where it should not.
    Both(Box<RawSettings>, Vec<SealedSecret>),
}

impl EndpointChange {
    /// What its owner sets by it, if anything.
    pub fn settings(&self) -> Option<&RawSettings> {
        match self {
            Self::Settings(settings) | Self::Both(settings, _) => Some(settings),
            Self::Standing(_) | Self::Secrets(_) => None,
        }
    }
}

/// What is left of an endpoint that was deleted, so that its deliveries can be told whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// `ep_`
    pub id: Id,
    /// Its last name, which may be another's by now.
    pub name: Name,
    /// Whose it was.
    pub tenant: Option<Tenant>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Whether deliveries to it may still be open.
    pub draining: bool,
}

/// All that the store knows of endpoints.
#[derive(Debug, Clone, Default)]
pub struct EndpointRows {
    /// The tag that is in the ids of this store.
    pub tag: u32,
    /// In the order of their ids.
    pub endpoints: Vec<StoredEndpoint>,
    /// In the order of their ids.
    pub deleted: Vec<Tombstone>,
    /// How those fare that were ever tried, by their keys.
    pub health: BTreeMap<Name, Health>,
}

fn key(kind: u8, position: u64) -> Vec<u8> {
    [&[kind][..], &position.to_be_bytes()].concat()
}

fn name_key(settings: &RawSettings) -> Vec<u8> {
    let tenant = settings.tenant.as_deref().unwrap_or_default();
    [&[NAME], tenant.as_bytes(), &[0], settings.name.as_bytes()].concat()
}

/// The position that a key of this kind ends with.
fn position(kind: u8, key: &[u8]) -> Option<u64> {
    let (first, position) = key.split_first()?;
    (*first == kind).then(|| position.try_into().ok().map(u64::from_be_bytes)).flatten()
}

impl EndpointRows {
    /// What the table says. What can't be read is left out.
    pub(in crate::store) fn read(
        rows: &KeptRows,
        tag: u32,
        damages: &Damages,
    ) -> Result<Self, Failure> {
        let mut read = Self { tag, ..Self::default() };
        for row in rows.within(&[ENDPOINT], &[NAME])? {
            let (key, row) = row?;
            let Some(position) = position(ENDPOINT, &key) else { continue };
            read.endpoints.extend(damages.pass(read_endpoint(position, tag, &row))?);
        }
        for row in rows.within(&[HEALTH], &[STATS])? {
            let (key, row) = row?;
            let name = std::str::from_utf8(key.get(1..).unwrap_or_default());
            let Some(name) = name.ok().and_then(|name| name.parse().ok()) else { continue };
            if let Some(health) = damages.pass(Health::read(&row))? {
                read.health.insert(name, health);
            }
        }
        for row in rows.within(&[TOMBSTONE], &[COUNT])? {
            let (key, row) = row?;
            let Some(position) = position(TOMBSTONE, &key) else { continue };
            read.deleted.extend(damages.pass(read_tombstone(position, tag, &row))?);
        }
        Ok(read)
    }
}

/// Which deliveries wait for each other, of those to each endpoint, by their keys: a start needs
/// that before anything else. What can't be read counts where all of them are listed.
pub(in crate::store) fn orders(file: &File) -> Result<BTreeMap<Name, Order>, Failure> {
    let rows = file.read()?.kept(Kept::Endpoints)?;
    let mut orders = BTreeMap::new();
    for row in rows.within(&[ENDPOINT], &[NAME])? {
        let (key, row) = row?;
        let Some(position) = position(ENDPOINT, &key) else { continue };
        if let Ok(endpoint) = read_endpoint(position, file.tag, &row) {
            orders.insert(endpoint.id.key(), endpoint.settings.order());
        }
    }
    Ok(orders)
}

/// How many of these rows can't be read.
pub(in crate::store) fn unread(rows: &KeptRows) -> Result<usize, Failure> {
    let mut unread = 0;
    for row in rows.within(&[ENDPOINT], &[COUNT])? {
        let (key, row) = row?;
        let is_read = match key.first() {
            Some(&ENDPOINT) => position(ENDPOINT, &key)
                .is_some_and(|position| read_endpoint(position, 0, &row).is_ok()),
            Some(&HEALTH) => Health::read(&row).is_ok(),
            Some(&TOMBSTONE) => position(TOMBSTONE, &key)
                .is_some_and(|position| read_tombstone(position, 0, &row).is_ok()),
            _ => true,
        };
        unread += usize::from(!is_read);
    }
    Ok(unread)
}

fn count(rows: &impl Rows) -> Result<u64, Failure> {
    let row = rows.row(Kept::Endpoints, &[COUNT])?;
    Ok(row.and_then(|row| row[..].try_into().ok().map(u64::from_be_bytes)).unwrap_or(0))
}

fn put_count(rows: &mut impl Rows, count: u64) {
    let row = Bytes::copy_from_slice(&count.to_be_bytes());
    rows.put(Kept::Endpoints, vec![COUNT], Some(row));
}

/// The id of the endpoint that has this name of its tenant.
fn owner(rows: &impl Rows, name: &[u8], tag: u32) -> Result<Option<Id>, Failure> {
    let row = rows.row(Kept::Endpoints, name)?;
    let position = row.and_then(|row| row[..].try_into().ok().map(u64::from_be_bytes));
    Ok(position.map(|position| Id { kind: IdKind::Endpoint, position, tag }))
}

fn put_name(rows: &mut impl Rows, name: Vec<u8>, position: u64) {
    let row = Bytes::copy_from_slice(&position.to_be_bytes());
    rows.put(Kept::Endpoints, name, Some(row));
}

/// Adds an endpoint that is made now.
pub(in crate::store) fn add(
    rows: &mut impl Rows,
    new: &NewEndpoint,
    now: Timestamp,
) -> Result<Result<StoredEndpoint, Error>, Failure> {
    let NewEndpoint { id, settings, secrets } = new.clone();
    let name = name_key(&settings);
    if let Some(id) = owner(rows, &name, id.tag)? {
        return Ok(Err(Error::EndpointExists(id)));
    }
    let count = count(rows)?;
    if count >= ENDPOINTS_MAX {
        return Ok(Err(Error::TooManyEndpoints { most: ENDPOINTS_MAX }));
    }
    let standing = Standing::enabled(now);
    let (created_at, updated_at, revision) = (now, now, 1);
    let added =
        StoredEndpoint { id, settings, standing, created_at, updated_at, revision, secrets };
    put_name(rows, name, id.position);
    rows.put(Kept::Endpoints, key(ENDPOINT, id.position), Some(write_endpoint(&added)));
    put_count(rows, count + 1);
    Ok(Ok(added))
}

/// The endpoint of this id, as a change begins with it.
fn found(rows: &impl Rows, id: Id) -> Result<Result<StoredEndpoint, Error>, Failure> {
    let row = rows.row(Kept::Endpoints, &key(ENDPOINT, id.position))?;
    let Some(row) = row else { return Ok(Err(Error::NoSuchEndpoint(id))) };
    Ok(read_endpoint(id.position, id.tag, &row).map_err(Error::Damaged))
}

/// Changes an endpoint that has this revision.
pub(in crate::store) fn change(
    rows: &mut impl Rows,
    (id, revision): (Id, u64),
    change: &EndpointChange,
    now: Timestamp,
) -> Result<Result<StoredEndpoint, Error>, Failure> {
    let before = match found(rows, id)? {
        Ok(endpoint) => endpoint,
        Err(error) => return Ok(Err(error)),
    };
    if before.revision != revision {
        return Ok(Err(Error::EndpointChanged { revision: before.revision }));
    }
    let mut after =
        StoredEndpoint { updated_at: now, revision: revision.saturating_add(1), ..before.clone() };
    match change.clone() {
        EndpointChange::Settings(settings) => after.settings = *settings,
        EndpointChange::Standing(standing) => after.standing = standing,
        EndpointChange::Secrets(secrets) => after.secrets = secrets,
        EndpointChange::Both(settings, secrets) => {
            (after.settings, after.secrets) = (*settings, secrets);
        }
    }
    let (was, is) = (name_key(&before.settings), name_key(&after.settings));
    if was != is {
        if let Some(id) = owner(rows, &is, id.tag)? {
            return Ok(Err(Error::EndpointExists(id)));
        }
        rows.put(Kept::Endpoints, was, None);
        put_name(rows, is, id.position);
    }
    rows.put(Kept::Endpoints, key(ENDPOINT, id.position), Some(write_endpoint(&after)));
    Ok(Ok(after))
}

/// Removes an endpoint, and leaves its tombstone; its name may be given again.
pub(in crate::store) fn delete(
    rows: &mut impl Rows,
    id: Id,
    now: Timestamp,
) -> Result<Result<Tombstone, Error>, Failure> {
    let endpoint = match found(rows, id)? {
        Ok(endpoint) => endpoint,
        Err(error) => return Ok(Err(error)),
    };
    let settings = &endpoint.settings;
    let tenant = settings.tenant.as_deref().map(str::parse::<Tenant>).transpose();
    let (Ok(name), Ok(tenant)) = (settings.name.parse::<Name>(), tenant) else {
        return Ok(Err(Error::Damaged(Damaged { position: id.position })));
    };
    let tombstone = Tombstone { id, name, tenant, deleted_at: now, draining: true };
    rows.put(Kept::Endpoints, key(ENDPOINT, id.position), None);
    rows.put(Kept::Endpoints, name_key(settings), None);
    health::forget(rows, &id.key())?;
    put_tombstone(rows, &tombstone);
    let count = count(rows)?.saturating_sub(1);
    put_count(rows, count);
    Ok(Ok(tombstone))
}

fn put_tombstone(rows: &mut impl Rows, tombstone: &Tombstone) {
    let key = key(TOMBSTONE, tombstone.id.position);
    rows.put(Kept::Endpoints, key, Some(write_tombstone(tombstone)));
}

/// Nothing is owed any more to an endpoint that was deleted.
pub(in crate::store) fn drained(rows: &mut impl Rows, id: Id) -> Result<(), Failure> {
    let row = rows.row(Kept::Endpoints, &key(TOMBSTONE, id.position))?;
    // One that can't be read is noted where all are read.
    let read = row.and_then(|row| read_tombstone(id.position, id.tag, &row).ok());
    if let Some(tombstone) = read {
        put_tombstone(rows, &Tombstone { draining: false, ..tombstone });
    }
    Ok(())
}

/// Removes the tombstones of these endpoints.
pub(in crate::store) fn bury(rows: &mut impl Rows, ids: &[Id]) {
    for id in ids {
        rows.put(Kept::Endpoints, key(TOMBSTONE, id.position), None);
    }
}
