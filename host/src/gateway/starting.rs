//! The first line of the log: which program this is, and how much of everything it takes.
//!
//! Whoever reads a log later knows by it what the rest is about. Never decides anything.

use rustix::process::{Resource, getrlimit};
use tracing::info;

use crate::config::Limits;

/// The commit that the program was built from, as far as the build said it.
const COMMIT: &str = match option_env!("HOOKGATE_COMMIT") {
    Some(commit) if !commit.is_empty() => commit,
    _ => "unknown",
};

/// Writes it.
pub(super) fn tell(limits: &Limits) {
    let Limits { requests, backlog, connections, parses, runs, deliveries, .. } = *limits;
    let Limits { body_bytes, plugin_memory_bytes, .. } = *limits;
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let open_files = getrlimit(Resource::Nofile).current;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        commit = COMMIT,
        threads,
        open_files,
        connections,
        requests,
        body_bytes,
        backlog,
        parses,
        runs,
        deliveries,
        plugin_memory_bytes,
        "hookgate starts"
    );
}
