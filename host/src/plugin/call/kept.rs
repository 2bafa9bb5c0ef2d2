//! The instance in which a provider has claimed what a request shows, until `parse` has read the
//! same request in it or somebody knows that nobody will.
//!
//! To make an instance, and to clear its memory, costs as much as a small call. Whoever holds one
//! can't take it to another thread's call or to another request: it borrows both from the claims.
//! Never used for what is parsed later, and not where the plugin's instances are used again: there
//! the claims' instance rests for other claims.

use std::fmt;
use std::sync::Arc;

use super::sandbox::Sandbox;
use crate::event::Request;
use crate::plugin::Plugin;

/// An instance behind its claims.
pub(crate) struct Kept<'c> {
    sandbox: Sandbox<'c>,
    /// As the operator wrote them.
    settings: &'c Arc<str>,
    request: &'c Request,
}

impl<'c> Kept<'c> {
    /// The one in which the claims of `request` were made; `None` if it may not be used again.
    pub(super) fn of(
        sandbox: Sandbox<'c>,
        settings: &'c Arc<str>,
        request: &'c Request,
    ) -> Option<Self> {
        sandbox.is_reusable().then_some(Self { sandbox, settings, request })
    }

    /// The instance, for the parse of this very request by this very plugin with equal settings;
    /// `None` for any other.
    pub(super) fn into_sandbox(
        self,
        plugin: &Plugin,
        settings: &Arc<str>,
        request: &Request,
    ) -> Option<Sandbox<'c>> {
        let Self { sandbox, settings: own, request: read } = self;
        let is_meant = sandbox.is_of(plugin)
            && std::ptr::eq(read, request)
            && (Arc::ptr_eq(own, settings) || own == settings);
        is_meant.then_some(sandbox)
    }
}

impl fmt::Debug for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
