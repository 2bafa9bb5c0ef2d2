//! What a request may reach: all that there is, or what belongs to the tenant of its token.
//!
//! Each operation says in its row what it is to a token with a tenant, and the gate refuses what is
//! the operator's. Whoever answers with what is a tenant's own asks here for whom: an answer for
//! which nobody has asked is withheld. Never looks into the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::Caller;
use super::problem::{Kind, Problem};
use crate::directory::Directory;
use crate::ids::Name;
use crate::tenant::Tenant;

/// What a request may reach: an extension of each that the gate lets through.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// Nothing but what is this tenant's; `None` is everything.
    tenant: Option<Tenant>,
    /// Whether the operation has asked.
    was_asked: Arc<AtomicBool>,
}

/// Another tenant is asked for than the token's: there is nothing to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign;

impl Reach {
    /// Of whoever asks; of nobody where the operation needs nobody.
    pub(super) fn of(caller: Option<&Caller>) -> Self {
        let tenant = caller.and_then(|caller| caller.tenant.clone());
        Self { tenant, was_asked: Arc::default() }
    }

    /// Whether it is everything.
    pub(super) fn is_all(&self) -> bool {
        self.tenant.is_none()
    }

    /// Whether it is the same as this one's.
    pub(super) fn is_of(&self, caller: &Caller) -> bool {
        self.tenant == caller.tenant
    }

    /// Whether it has what belongs to this tenant, or to the operator if there is none.
    pub(super) fn sees(&self, tenant: Option<&Tenant>) -> bool {
        self.tenant.as_ref().is_none_or(|own| Some(own) == tenant)
    }

    /// Whether it has a delivery to this endpoint, of an event of this tenant: both must be its
    /// own. An endpoint that nobody knows any more is the operator's.
    pub(super) fn sees_delivery(
        &self,
        directory: &Directory,
        endpoint: &Name,
        of_event: Option<&Tenant>,
    ) -> bool {
        if self.is_all() {
            return true;
        }
        let listed = directory.get(endpoint);
        let owner = listed.as_ref().and_then(|listed| listed.endpoint.settings.tenant.as_ref());
        self.sees(of_event) && self.sees(owner)
    }

    /// The tenant that a list is to be of, if this one was asked for.
    pub(super) fn narrowed(&self, asked: Option<Tenant>) -> Result<Option<Tenant>, Foreign> {
        match (&self.tenant, asked) {
            (None, asked) => Ok(asked),
            (Some(own), None) => Ok(Some(own.clone())),
            (Some(own), Some(asked)) if *own == asked => Ok(Some(asked)),
            (Some(_), Some(_)) => Err(Foreign),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Reach {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let unknown = || {
            let detail = "the gateway does not know what this request may reach";
            Problem::new(Kind::Internal, detail)
        };
        let reach = parts.extensions.get::<Self>().cloned().ok_or_else(unknown)?;
        reach.was_asked.store(true, Ordering::Relaxed);
        Ok(reach)
    }
}

/// Stands right before an operation that answers with what is a tenant's own, and withholds an
/// answer that was made without a look at whose it is: whoever adds an operation and forgets that
/// shows nothing of others.
pub(super) async fn kept(request: Request, next: Next) -> Response {
    let reach = request.extensions().get::<Reach>().cloned();
    let answer = next.run(request).await;
    let is_kept = |reach: &Reach| reach.is_all() || reach.was_asked.load(Ordering::Relaxed);
    if reach.as_ref().is_some_and(is_kept) || !answer.status().is_success() {
        return answer;
    }
    let detail = "the gateway withholds this answer: the path does not look at the token's tenant";
    Problem::new(Kind::Internal, detail).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use axum::{Extension, Router, middleware};
    use tower::ServiceExt;

    use super::*;
    use crate::directory::FileEndpoint;
    use crate::endpoint::{Origin, RawSettings, check};

    fn tenant(text: &str) -> Tenant {
        text.parse().unwrap()
    }

    fn reach(own: Option<&str>) -> Reach {
        Reach { tenant: own.map(tenant), was_asked: Arc::default() }
    }

    #[test]
    fn a_token_with_a_tenant_sees_its_own_and_neither_anothers_nor_the_operators() {
        let acme = reach(Some("acme"));
        assert!(acme.sees(Some(&tenant("acme"))));
        assert!(!acme.sees(Some(&tenant("globex"))) && !acme.sees(None));
        let all = reach(None);
        assert!(all.sees(Some(&tenant("acme"))) && all.sees(None));
    }

    #[test]
    fn a_list_of_another_tenant_has_nothing() {
        let acme = reach(Some("acme"));
        assert_eq!(acme.narrowed(None), Ok(Some(tenant("acme"))));
        assert_eq!(acme.narrowed(Some(tenant("acme"))), Ok(Some(tenant("acme"))));
        assert_eq!(acme.narrowed(Some(tenant("globex"))), Err(Foreign));
        assert_eq!(reach(None).narrowed(Some(tenant("globex"))), Ok(Some(tenant("globex"))));
        assert_eq!(reach(None).narrowed(None), Ok(None));
    }

    fn endpoint(name: &str, tenant: Option<&str>) -> FileEndpoint {
        let raw = RawSettings {
            name: name.to_owned(),
            tenant: tenant.map(str::to_owned),
            url: "https://crm.example".to_owned(),
            events: vec!["*".to_owned()],
            ..RawSettings::default()
        };
        FileEndpoint {
            settings: check(raw, Origin::File).unwrap(),
            keys: Vec::new(),
            credential: None,
            client_key: None,
        }
    }

    #[test]
    fn of_a_delivery_both_the_event_and_the_endpoint_must_be_the_tenants() {
        let directory = Directory::empty(Arc::default());
        let endpoints = [("crm", None), ("theirs", Some("acme")), ("others", Some("globex"))];
        directory.configure(endpoints.map(|(name, tenant)| endpoint(name, tenant)).into());
        let sees = |own: Option<&str>, name: &str, of_event: Option<&str>| {
            let (name, of_event) = (name.parse().unwrap(), of_event.map(tenant));
            reach(own).sees_delivery(&directory, &name, of_event.as_ref())
        };
        let (acme, globex) = (Some("acme"), Some("globex"));
        assert!(sees(acme, "theirs", acme));
        for (name, of_event) in
            [("theirs", None), ("theirs", globex), ("others", acme), ("crm", acme), ("gone", acme)]
        {
            assert!(!sees(acme, name, of_event), "{name} {of_event:?}");
            assert!(sees(None, name, of_event), "{name} {of_event:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_for_which_nobody_has_looked_at_the_tenant_is_withheld() {
        let status = async |path: &str, reach: Option<Reach>| {
            let routes = Router::new()
                .route("/asks", get(async |_: Reach| "shown"))
                .route("/forgets", get(async || "shown"))
                .layer(middleware::from_fn(kept));
            let routes = match reach {
                Some(reach) => routes.layer(Extension(reach)),
                None => routes,
            };
            let request = axum::http::Request::builder().uri(path).body(Body::empty()).unwrap();
            routes.oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!(status("/asks", Some(reach(Some("acme")))).await, 200);
        assert_eq!(status("/asks", Some(reach(None))).await, 200);
        assert_eq!(status("/forgets", Some(reach(None))).await, 200);
        assert_eq!(status("/forgets", Some(reach(Some("acme")))).await, 500);
        assert_eq!(status("/forgets", None).await, 500, "no gate stands before it");
    }
}
