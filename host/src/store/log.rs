//! The log: the one copy of everything that happened, as records in segments.
//!
//! Knows how a record is spelled, where it lies and how far a start need look back. Never changes a
//! record, and knows nothing of what is owed on one.

pub(super) mod low_water;
pub(super) mod reader;
pub(super) mod record;
pub(super) mod segment;
