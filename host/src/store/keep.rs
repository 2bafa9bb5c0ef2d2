//! What is kept and for how long, and how it is packed.
//!
//! Removes what was kept long enough and packs the rest, in small steps between other commits.
//! Never touches what is owed.

mod indexing;
mod letters;
pub(super) mod pack;
pub(super) mod retention;
mod states;
pub(super) mod sweep;
