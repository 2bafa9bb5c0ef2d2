//! What is looked up: the name of a key, where it lies and what it must come as.
//!
//! Never says whether it may be looked up.

use crate::provider::{KeyFormat, KeyLookup};

/// What is looked up, and what it must come as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Wanted {
    pub(super) lookup: KeyLookup,
    pub(super) format: KeyFormat,
}
