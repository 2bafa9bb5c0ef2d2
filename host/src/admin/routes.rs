//! The table of routes: every operation of the admin port, once.
//!
//! The router and the OpenAPI document are made from it. A row stands beside the code that answers
//! it; here is what holds for all of them. Never answers anything but what no row does.

use std::sync::Arc;

use axum::{Extension, Router};

use super::openapi::{self, Document};
use super::operation::{Need, Operation};
use super::{
    Admin, audit, backup, canaries, deliveries, endpoints, erasures, event_types, gate, health,
    items, lists, overview, plugins, reasons, refused, rehearsals, remembered, replays, requests,
    samples, session, settings, sources, stream, tokens,
};

/// Every operation, as the document has them.
static TABLE: &[&[Operation]] = &[
    &lists::OPERATIONS,
    &reasons::OPERATIONS,
    &stream::OPERATIONS,
    &items::OPERATIONS,
    &deliveries::OPERATIONS,
    &requests::OPERATIONS,
    &sources::OPERATIONS,
    &refused::OPERATIONS,
    &samples::OPERATIONS,
    &replays::OPERATIONS,
    &endpoints::OPERATIONS,
    &endpoints::ACTS,
    &endpoints::STATS,
    &plugins::OPERATIONS,
    &canaries::OPERATIONS,
    &rehearsals::OPERATIONS,
    &remembered::OPERATIONS,
    &event_types::OPERATIONS,
    &session::OPERATIONS,
    &tokens::OPERATIONS,
    &erasures::OPERATIONS,
    &audit::OPERATIONS,
    &backup::OPERATIONS,
    &overview::OPERATIONS,
    &health::OPERATIONS,
    &settings::OPERATIONS,
    &openapi::OPERATIONS,
];

fn all() -> impl Iterator<Item = &'static Operation> {
    TABLE.iter().copied().flatten()
}

/// The OpenAPI document of the admin port, as it is checked in.
pub(crate) fn document() -> String {
    format!("{:#}\n", openapi::document(all()))
}

/// Whether this path is answered to anybody, under whatever name.
pub(super) fn is_open(path: &str) -> bool {
    all().any(|operation| operation.need == Need::Nothing && operation.path == path)
}

/// Every operation behind its gate.
pub(super) fn guarded(admin: &Arc<Admin>) -> Router<Arc<Admin>> {
    let mut router = Router::new();
    for operation in all() {
        router = router.route(operation.path, gate::guarded(operation, admin));
    }
    router.layer(Extension(Document(document().into())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::admin::operation::{Place, Tenants, Verb};
    use crate::token::Scope;

    #[test]
    fn each_operation_stands_in_the_table_once_and_says_what_it_has() {
        let (mut rows, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for operation in all() {
            let Operation { verb, path, id, .. } = operation;
            assert!(rows.insert((*path, verb.name())), "{} {path} twice", verb.name());
            assert!(ids.insert(id), "two operations are called {id}");
            let named = operation.parameters.iter().filter(|it| it.place == Place::Path);
            let named: Vec<String> = named.map(|it| format!("{{{}}}", it.name)).collect();
            assert_eq!(path.matches('{').count(), named.len(), "{path}");
            assert!(named.iter().all(|name| path.contains(name)), "{path}");
            assert!(!operation.answers.is_empty(), "{path}");
        }
    }

    #[test]
    fn whatever_changes_something_needs_more_than_to_read() {
        // A session is kept nowhere, and gives nothing that its token does not.
        for Operation { verb, path, need, .. } in all().filter(|it| it.path != session::PATH) {
            let is_more = matches!(need, Need::Scope(Scope::Replay | Scope::Write | Scope::Admin));
            assert!(*verb == Verb::Get || is_more, "{} {path} needs {need:?}", verb.name());
        }
    }

    #[test]
    fn only_probes_need_nothing() {
        let open: Vec<_> = all().map(|it| it.path).filter(|path| is_open(path)).collect();
        assert_eq!(open, ["/healthz", "/readyz"]);
    }

    #[test]
    fn tokens_are_for_those_who_may_do_everything() {
        let of_tokens = all().filter(|it| it.path.starts_with("/v1/tokens"));
        let needs: Vec<_> = of_tokens.map(|it| it.need).collect();
        assert_eq!(needs, [Need::Scope(Scope::Admin); 3]);
    }

    /// Each of these takes a [`Reach`](crate::admin::reach::Reach), or shows nothing.
    #[test]
    fn a_token_with_a_tenant_is_answered_by_these_alone() {
        let named = |tenants| {
            let found = all().filter(move |it| it.tenants == tenants);
            found.map(|it| it.id).collect::<Vec<_>>()
        };
        let own = [
            "listEvents",
            "listDeadLetters",
            "countDeadLetters",
            "streamEvents",
            "streamDeliveries",
            "getEvent",
            "listDeliveries",
            "getDelivery",
            "retryDelivery",
            "discardDelivery",
            "getDeliveryRequest",
            "replay",
            "listReplays",
            "beginReplay",
            "getReplay",
            "cancelReplay",
            "pauseReplay",
            "resumeReplay",
            "endReplay",
            "listEndpoints",
            "createEndpoint",
            "getEndpoint",
            "changeEndpoint",
            "deleteEndpoint",
            "pauseEndpoint",
            "resumeEndpoint",
            "disableEndpoint",
            "enableEndpoint",
            "pingEndpoint",
            "rotateSecret",
            "listSecrets",
            "getEndpointStats",
            "forgetSubject",
            "listErasures",
            "getErasure",
        ];
        assert_eq!(named(Tenants::Own), own);
        let sessions = ["getSession", "beginSession", "endSession"];
        let health = ["getHealth", "getReadiness", "getDocument"];
        let open = [&["listEventTypes"][..], &sessions, &health].concat();
        assert_eq!(named(Tenants::Open), open);
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => (),
            }
        }
        let document: Value = serde_json::from_str(&document()).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let place = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{reference}");
        }
    }
}
