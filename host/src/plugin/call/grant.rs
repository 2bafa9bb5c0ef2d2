//! What the operator allows a handler: where it may send to, and whom it may name.
//!
//! A value. Never says what there is: an endpoint that is granted may not exist.

use std::collections::BTreeSet;

use crate::ids::Name;
use crate::tenant::Tenant;

/// What the operator allows a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// The endpoints of the operator that it may send to, by their names.
    pub endpoints: BTreeSet<Name>,
    /// Whether it may send to all endpoints of the operator.
    pub all: bool,
    /// Whether it may send to all endpoints of the tenant that an event belongs to.
    pub own_tenants: bool,
    /// To whom what it emits may belong, beside the tenant of the event of its run.
    pub tenants: Tenanting,
}

/// Which tenants a plugin may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Tenanting {
    /// None.
    #[default]
    Nobody,
    /// These.
    These(BTreeSet<Tenant>),
    /// Any.
    All,
}

impl Grant {
    /// Whether it may send to the endpoint of the operator that has this name.
    pub fn reaches(&self, name: &Name) -> bool {
        self.all || self.endpoints.contains(name)
    }

    /// Whether what it emits may belong to this tenant, whoever the event of its run belongs to.
    pub(super) fn may_name(&self, tenant: &Tenant) -> bool {
        match &self.tenants {
            Tenanting::Nobody => false,
            Tenanting::These(tenants) => tenants.contains(tenant),
            Tenanting::All => true,
        }
    }
}
