//! The types that a provider's events may have: declared ones, with a canonical name or behind the
//! provider's own name.
//!
//! Whoever subscribes to `payment.failed` must get the failed payments of every provider, and never
//! anything else.

use crate::event::is_event_type;
use crate::provider::ProviderInfo;
use crate::types;

/// Whether an event of this provider may have this type.
pub(super) fn fits(info: &ProviderInfo, event_type: &str) -> bool {
    let is_declared = info.types.iter().any(|declared| match declared.strip_suffix('*') {
        Some(beginning) => event_type.starts_with(beginning),
        None => event_type == declared,
    });
    let is_own = || event_type.strip_prefix(&*info.name).is_some_and(|own| own.starts_with('.'));
    let names_anything = info.types.iter().any(|declared| declared == "*");
    is_event_type(event_type)
        && is_declared
        && (names_anything || is_own() || types::is_canonical(event_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProofKind;

    #[test]
    fn a_type_is_declared_and_canonical_or_the_providers_own() {
        let types = ["payment.*", "payout.*", "acme.*"];
        let info = ProviderInfo::new("acme", "1.0.0", &types, &[ProofKind::Mac]);
        for known in ["payment.failed", "payout.paid", "payout.returned", "acme.hello"] {
            assert!(fits(&info, known), "{known}");
        }
        for unknown in ["payment.faild", "refund.failed", "acmes.hello", "acme", "payout.", "a b"] {
            assert!(!fits(&info, unknown), "{unknown}");
        }
        let info = ProviderInfo::new("any", "1.0.0", &["*"], &[ProofKind::Mac]);
        assert!(fits(&info, "shop.opened") && !fits(&info, "shop."));
    }
}
