//! What can be asked of the store: one thing with its history, lists, replays, what handlers
//! remember, and all that is recorded in its order.
//!
//! Reads an unchanging view of the file and holds up no writer. Never changes anything.

pub(super) mod cursor;
pub(super) mod filter;
pub(super) mod hours;
pub(super) mod past;
pub(super) mod replays;
pub(super) mod snapshot;
pub(super) mod state;
pub(super) mod view;
