//! What a command does to a store on which no gateway runs, for the audit log.
//!
//! Says who ran it. Never writes anything.

use serde_json::Value;

use crate::store::Deed;

/// That this was done by a command, and what is there now.
pub(super) fn by_command(what: &str, after: Value) -> Deed {
    Deed {
        who: format!("user {} of this machine", rustix::process::getuid().as_raw()),
        from: "command line".to_owned(),
        what: what.to_owned(),
        after,
        outcome: "done".to_owned(),
        ..Deed::default()
    }
}
