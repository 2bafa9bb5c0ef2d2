//! The bytes of the row of an endpoint, and of one that was deleted.
//!
//! A row that says more is another variant, at the end. What a newer Hookgate has written of a
//! setting is left out, and what it has written of a standing is taken for paused: such an endpoint
//! waits. Never asks for a row.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{StoredEndpoint, Tombstone};
use crate::endpoint::{RawSettings, SealedSecret, Standing, Status, Why};
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::store::error::Damaged;
use crate::tenant::Tenant;

/// The row of an endpoint, in postcard.
#[derive(Serialize, Deserialize)]
enum EndpointRow {
    V1 {
        /// [`RawSettings`] in JSON.
        settings: Vec<u8>,
        standing: StandingRow,
        created_at: u64,
        updated_at: u64,
        revision: u64,
        secrets: Vec<SealedSecret>,
    },
}

/// A standing, by numbers.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StandingRow {
    status: u8,
    /// Zero is nobody.
    why: u8,
    since: u64,
}

/// The row of an endpoint that was deleted, in postcard.
#[derive(Serialize, Deserialize)]
enum TombstoneRow {
    V1 { name: Name, tenant: Option<Tenant>, deleted_at: u64, draining: bool },
}

/// In the order of their numbers.
const STATUSES: [Status; 3] = [Status::Enabled, Status::Paused, Status::Disabled];
/// In the order of their numbers, from 1.
const WHYS: [Why; 3] = [Why::Operator, Why::Gone410, Why::Failing];

/// The number of a value in a list that has it.
fn number<T: PartialEq>(list: &[T], value: &T) -> u8 {
    (0..).zip(list).find(|(_, known)| *known == value).map_or(u8::MAX, |(number, _)| number)
}

impl From<Standing> for StandingRow {
    fn from(standing: Standing) -> Self {
        let Standing { status, why, since } = standing;
        let why = why.map_or(0, |why| 1 + number(&WHYS, &why));
        Self { status: number(&STATUSES, &status), why, since: since.0 }
    }
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        let StandingRow { status, why, since } = row;
        let status = STATUSES.get(usize::from(status)).copied().unwrap_or(Status::Paused);
        let why = usize::from(why).checked_sub(1).and_then(|why| WHYS.get(why).copied());
        Self { status, why, since: Timestamp(since) }
    }
}

pub(super) fn write(row: &impl Serialize) -> Bytes {
    postcard::to_stdvec(row).expect("a row can be written to memory").into()
}

pub(super) fn write_endpoint(endpoint: &StoredEndpoint) -> Bytes {
    write(&EndpointRow::V1 {
        settings: endpoint.settings.to_row(),
        standing: endpoint.standing.into(),
        created_at: endpoint.created_at.0,
        updated_at: endpoint.updated_at.0,
        revision: endpoint.revision,
        secrets: endpoint.secrets.clone(),
    })
}

/// The endpoint at this position, of the store with this tag.
pub(super) fn read_endpoint(
    position: u64,
    tag: u32,
    row: &[u8],
) -> Result<StoredEndpoint, Damaged> {
    let damaged = Damaged { position };
    let row: EndpointRow = postcard::from_bytes(row).map_err(|_| damaged)?;
    let EndpointRow::V1 { settings, standing, created_at, updated_at, revision, secrets } = row;
    Ok(StoredEndpoint {
        id: Id { kind: IdKind::Endpoint, position, tag },
        settings: RawSettings::of_row(&settings).map_err(|_| damaged)?,
        standing: standing.into(),
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        revision,
        secrets,
    })
}

pub(super) fn write_tombstone(tombstone: &Tombstone) -> Bytes {
    let Tombstone { name, tenant, deleted_at, draining, .. } = tombstone.clone();
    write(&TombstoneRow::V1 { name, tenant, deleted_at: deleted_at.0, draining })
}

/// What is left of the endpoint at this position, of the store with this tag.
pub(super) fn read_tombstone(position: u64, tag: u32, row: &[u8]) -> Result<Tombstone, Damaged> {
    let row: TombstoneRow = postcard::from_bytes(row).map_err(|_| Damaged { position })?;
    let TombstoneRow::V1 { name, tenant, deleted_at, draining } = row;
    let id = Id { kind: IdKind::Endpoint, position, tag };
    Ok(Tombstone { id, name, tenant, deleted_at: Timestamp(deleted_at), draining })
}
