//! The early parse as ingest asks for it: right behind the proof, on the thread of the claims.
//!
//! Whoever parses is told what was proven, and nothing that goes wrong there is anybody's but
//! theirs: a request is never refused for its parse. Knows nothing of events.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::error;

use crate::causes::words;
use crate::effect::LogLine;
use crate::event::Request;
use crate::ids::{Id, Name};
use crate::plugin::Plugin;
use crate::provider::Claims;
use crate::store::Parsed;

/// Somebody who parses requests before they are stored.
pub(crate) trait EarlyParse: fmt::Debug + Send + Sync {
    /// What a parse makes of a request whose evidence holds; `None` if it is to be stored without.
    /// May compute for a while.
    fn parse(
        &self,
        source: &Name,
        plugin: &Plugin,
        request: &Request,
        claims: &Claims,
    ) -> Option<Parsed>;

    /// What was parsed is stored with its receipt, and the plugin wrote this.
    fn stored(&self, source: &Name, plugin: &Name, receipt: Id, log: &[LogLine]);
}

/// What is parsed of a request whose evidence holds, if it brings events.
pub(super) fn parsed(
    by: &dyn EarlyParse,
    source: &Name,
    plugin: &Plugin,
    request: &Request,
    claims: &Claims,
) -> Option<Parsed> {
    if claims.handshake.is_some() {
        return None;
    }
    let parse = AssertUnwindSafe(|| by.parse(source, plugin, request, claims));
    catch_unwind(parse).unwrap_or_else(|panic| {
        error!(source.name = %source, "the gateway panicked in an early parse: {}", words(&*panic));
        None
    })
}
