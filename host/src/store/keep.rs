//! What is kept and for how long, how it is packed, and what is erased before its time.
//!
//! Removes what was kept long enough and packs the rest, in small steps between other commits.
//! Never touches what is owed.

mod erasing;
mod indexing;
mod letters;
pub(super) mod pack;
pub(super) mod retention;
mod states;
pub(super) mod sweep;
