//! A sample of a provider as a request that is not signed with any secret.
//!
//! For whoever asks a plugin what it would make of such requests. Never sends one.

use std::sync::Arc;

use crate::event::{Request, Timestamp};
use crate::ingest::Source;
use crate::plugin::{Host, Plugin, Sample};

/// The sample as the provider would send it. A plugin that can't write its own form is asked for
/// what it sees in the bare sample.
pub(super) async fn drafted(
    host: &Host,
    plugin: &Arc<Plugin>,
    source: &Source,
    sample: &Sample,
) -> Arc<Request> {
    let request = Arc::new(request(sample));
    let drafted = host.sign(plugin, &source.settings, &request, request.received_at, Vec::new());
    drafted.await.ok().and_then(Result::ok).map_or(request, Arc::new)
}

/// The sample without a signature.
pub(super) fn request(sample: &Sample) -> Request {
    let own = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Request {
        method: "POST".to_owned(),
        url: "/in/sample".to_owned(),
        headers: own.chain([("content-type", sample.content_type.as_str())]).collect(),
        body: sample.body.clone().into(),
        received_at: Timestamp::default(),
    }
}
