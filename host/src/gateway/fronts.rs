//! What peers meet first at each of the two ports, by the configuration.
//!
//! Wiring: made once, shared by the ports and by whoever applies a configuration. Never decides
//! whether a configuration is applied.

use std::sync::Arc;

use crate::config::Config;
use crate::listener::{Front, Proxies};

/// The fronts of the two ports. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Fronts {
    pub(super) public: Arc<Front>,
    pub(super) admin: Arc<Front>,
}

impl Fronts {
    /// Has who connects from now on meet what the configuration says.
    pub(super) fn apply(&self, config: &Config) {
        let proxies = Proxies::in_networks(config.trusted_proxies.clone());
        // To take TLS off this port is for a start: only there is `admin` judged and bound.
        if config.admin_tls.is_some() {
            self.admin.set_tls(config.admin_tls.clone());
        }
        self.admin.set_proxies(proxies.clone());
        self.public.set_tls(config.public_tls.clone());
        self.public.set_proxies(match config.proxy_protocol {
            true => proxies.announced(),
            false => proxies,
        });
    }
}
