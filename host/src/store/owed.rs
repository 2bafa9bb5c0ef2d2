//! What is owed: which works there are on what is stored, how each stands, and who has one.
//!
//! In memory, and found again at every start. Changed by what was committed, and by whoever takes a
//! work or gives it back. Never writes to the file.

pub(super) mod backlog;
pub(super) mod lease;
pub(super) mod recent;
pub(super) mod recovery;
pub(super) mod standing;
pub(super) mod works;
