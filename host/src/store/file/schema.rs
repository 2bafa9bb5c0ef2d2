//! The tables of the file of rows, each named once, and the facts of the store by their names.
//!
//! Together with what each row spells, which others know, this is the format. Never opens a table.

use redb::TableDefinition;

use super::id_rows::IdsKey;
use super::volumes::EXTENT_BYTES;

/// Where each segment of the log lies, by the first position in it.
pub(super) const SEGMENTS: TableDefinition<'_, u64, &[u8; EXTENT_BYTES]> =
    TableDefinition::new("segments");
/// How each work stands that was ever tried, by its position.
pub(super) const OUTCOMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outcomes");
/// In format 2: the open works before the low-water mark.
pub(super) const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open");
/// The open works before the low-water mark, each with its lane, since when it may be tried, and
/// what it is counted by.
pub(super) const OWED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("owed");
/// The same works by lane, since when they may be tried, and position.
pub(super) const DUE: TableDefinition<'_, &[u8], ()> = TableDefinition::new("due");
/// How many rows [`OWED`] has by lane and note, and [`DEAD`] by kind, and as of when.
pub(super) const TOTALS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("totals");
/// The dead works, each with its kind.
pub(super) const DEAD: TableDefinition<'_, u64, u8> = TableDefinition::new("dead");
/// The rows by which dead letters are found.
pub(super) const DEATHS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("deaths");
/// What handlers remember, by handler, scope and key.
pub(super) const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
/// The segments that were packed, each with when to look at it again and its bytes.
pub(super) const SWEPT: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("swept");
/// The known event ids: sorted runs by number, part and first id, and under number zero the mark.
pub(super) const IDS: TableDefinition<'_, IdsKey, &[u8]> = TableDefinition::new("ids");
/// The index of receipts and events: what these rows say follows from the log.
pub(super) const INDEX: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("index");
/// How many segments, and bytes of them, lie in each volume, and as of when.
pub(super) const VOLUMES: TableDefinition<'_, u32, (u64, u64)> = TableDefinition::new("volumes");
/// The replays by filter, by their numbers.
pub(super) const REPLAYS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("replays");
/// The tokens of the admin port, by their names, and whether it asks for one.
pub(super) const TOKENS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("tokens");
/// The audit log by the numbers of its entries, and where it ends.
pub(super) const AUDIT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("audit");
/// The writes of the admin port that are done once, by the hour in which they began and their keys.
pub(super) const ANSWERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("answers");
/// The endpoints that the API made, and what is known of all.
pub(super) const ENDPOINTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("endpoints");
/// What became of the canaries of handlers, by handler and digest.
pub(super) const CANARIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("canaries");
/// What handlers of the configuration run on, by handler.
pub(super) const HANDLERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("handlers");
/// The erasures of subjects, by their ids.
pub(super) const ERASURES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("erasures");
/// Nothing: while an erasure overwrites the free pages of the file, rows of zeros lie here.
pub(super) const BLANK: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blank");
/// Facts of the store itself.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// In [`META`]: every work before this position is finished or in [`OWED`].
pub(in crate::store) const LOW_WATER: &str = "low_water";
/// In [`META`]: every segment before this position is in [`SWEPT`].
pub(in crate::store) const SWEPT_TO: &str = "swept_to";
/// In [`META`]: every event that a sweep has removed stood before this position. Not there until
/// one was removed since this was noted.
pub(in crate::store) const EVENTS_GONE: &str = "events_gone";
/// In [`META`]: the [`crate::store::keep::retention::Retention::mark`] that [`SWEPT`] goes by.
pub(in crate::store) const RETENTION: &str = "retention";
/// In [`META`]: the time as it was last believed, in milliseconds.
pub(in crate::store) const TOLD: &str = "told";
/// In [`META`]: no position from this one on was ever given out.
pub(in crate::store) const END: &str = "end";
/// In [`META`]: the [`Point`](super::volumes::Point) of the log up to which the rows have what it
/// says.
pub(super) const APPLIED: &str = "applied";
/// In [`META`]: the layout, a number.
pub(super) const FORMAT: &str = "format";
/// In [`META`]: the tag of the store.
pub(super) const TAG: &str = "tag";

/// The layout of the tables, and of all in them and in the volumes.
pub(super) const FORMAT_KNOWN: u64 = 3;
/// The format before, which becomes this one where it lies.
pub(super) const FORMAT_2: u64 = 2;

/// The first position, so that zero is none.
pub(in crate::store) const FIRST_POSITION: u64 = 1;

/// A segment that can't be read takes at most this many positions: nobody knows how many it took.
pub(in crate::store) const UNREAD_WIDTH: u64 = 1 << 32;
