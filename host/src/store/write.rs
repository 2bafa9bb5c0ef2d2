//! What changes the store: its operations, and the one thread that commits them in groups.
//!
//! An operation adds to a draft; all that waits becomes one synced transaction; then memory changes
//! and everybody is answered. Nothing outside of this room writes to the file.

pub(super) mod append;
pub(super) mod commit;
pub(super) mod draft;
mod group;
pub(super) mod op;
pub(super) mod outage;
pub(super) mod queue;
pub(super) mod replay;
pub(super) mod writer;
