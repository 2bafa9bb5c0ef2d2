//! What changes the store: its operations, and the one thread that commits them in groups.
//!
//! What to write is decided in a draft, to which operations add: pure, and the same wherever it is
//! written. All that waits becomes one batch, which a place commits, all or nothing; then memory
//! changes and everybody is answered. Nothing outside of this room writes to the file.

pub(super) mod append;
pub(super) mod answers;
pub(super) mod audit;
pub(super) mod batch;
pub(super) mod canaries;
pub(super) mod commit;
mod derive;
pub(super) mod discard;
pub(super) mod draft;
pub(super) mod ending;
pub(super) mod endpoints;
pub(super) mod erasing;
pub(super) mod file_place;
mod group;
pub(super) mod handlers;
pub(super) mod indexing;
pub(super) mod letters;
pub(super) mod look;
pub(super) mod op;
pub(super) mod outage;
pub(super) mod place;
pub(super) mod queue;
pub(super) mod raise;
pub(super) mod replay;
pub(super) mod states;
pub(super) mod tokens;
pub(super) mod unreadable;
pub(super) mod writer;
