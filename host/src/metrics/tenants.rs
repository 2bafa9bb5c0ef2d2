//! What is counted of tenants: events whose label should have named one and does not.
//!
//! Never has a tenant as a label: there may be any number of them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Label, Metrics};
use crate::ids::Name;

/// What there is of tenants in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Tenants {
    invalid: Family<[(&'static str, Label); 1], Counter>,
}

impl Tenants {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let tenants = Self { invalid: Family::default() };
        let help = "Events whose tenant label has a value that is not a tenant, by source";
        registry.register("invalid_tenants", help, tenants.invalid.clone());
        tenants
    }
}

impl Metrics {
    /// An event of a source should say whose it is, and says something else.
    pub(crate) fn invalid_tenant(&self, source: &Name) {
        let labels = [("source", Label::Name(source.clone()))];
        self.tenants.invalid.get_or_create(&labels).inc();
    }
}
