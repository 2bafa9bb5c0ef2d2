//! Whom a connection trusts, and as whom it shows itself.
//!
//! Made once for an endpoint, and shared by all its connections. Never opens one.

use std::sync::Arc;

use rustls::ClientConfig;

/// Which certificates count at the other side, and which the gateway shows there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity(Option<Arc<ClientConfig>>);

impl Identity {
    /// The authorities of the system, and nothing to show.
    pub(crate) fn system() -> Self {
        Self::default()
    }

    /// What TLS goes by, where the system's is this.
    pub(super) fn tls<'t>(&'t self, system: &'t Arc<ClientConfig>) -> &'t Arc<ClientConfig> {
        self.0.as_ref().unwrap_or(system)
    }
}
