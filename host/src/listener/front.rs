//! What stands in front of HTTP on a port, as it is now.
//!
//! Swapped while the port is open: who connects from then on meets the new one, and who is
//! connected goes on with what it began with. Never waits for anybody.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::tls::Tls;

/// The front of one port.
#[derive(Debug, Default)]
pub(crate) struct Front {
    tls: ArcSwapOption<Tls>,
}

impl Front {
    /// Has peers agree on this TLS from now on, or on none.
    pub(crate) fn set_tls(&self, tls: Option<Tls>) {
        self.tls.store(tls.map(Arc::new));
    }

    pub(super) fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.load_full()
    }
}
