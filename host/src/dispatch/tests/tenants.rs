//! Whom an event of a tenant reaches, and what a handler emits for it.

use super::*;
use crate::directory::FileEndpoint;
use crate::endpoint::{Origin, RawSettings, check};
use crate::event::Event;
use crate::json_text::JsonText;

fn endpoint(name: &str, tenant: Option<&str>) -> FileEndpoint {
    let raw = RawSettings {
        name: name.to_owned(),
        tenant: tenant.map(str::to_owned),
        url: "https://crm.example".to_owned(),
        events: vec!["order.*".to_owned()],
        ..RawSettings::default()
    };
    FileEndpoint {
        settings: check(raw, Origin::File).unwrap(),
        keys: Vec::new(),
        credential: None,
        client_key: None,
    }
}

fn event(merchant: Option<&str>) -> Event {
    let label = |merchant: &str| ("merchant".to_owned(), merchant.to_owned());
    Event {
        source: name("shop"),
        id: "evt_1".to_owned(),
        event_type: "order.paid".to_owned(),
        subject: None,
        time: Timestamp(1_700_000_000_000),
        money: None,
        labels: merchant.map(label).into_iter().collect(),
        data: JsonText::default(),
    }
}

/// With two endpoints of the operator and one of each of two tenants, which a label names.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.dispatch.directory.configure(vec![
        endpoint("bank", None),
        endpoint("crm", None),
        endpoint("of-acme", Some("acme")),
        endpoint("of-globex", Some("globex")),
    ]);
    let tenant = TenantOf::Label("merchant".to_owned());
    let sources = [(name("shop"), Reading { tenant, ..reading("guest") })].into();
    bench.dispatch.rules.store(Arc::new(Rules { sources, ..Rules::default() }));
    bench
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|text| name(text)).collect()
}

#[tokio::test]
async fn an_event_of_one_tenant_never_reaches_another() {
    let bench = bench();
    let rules = bench.dispatch.rules.load_full();
    let cases: [(Option<&str>, Option<&str>, &[&str]); 4] = [
        (Some("acme"), Some("acme"), &["bank", "crm", "of-acme"]),
        (Some("globex"), Some("globex"), &["bank", "crm", "of-globex"]),
        (Some("a b"), None, &["bank", "crm"]),
        (None, None, &["bank", "crm"]),
    ];
    let together = cases.iter().map(|(merchant, ..)| event(*merchant)).collect();
    let together = bench.dispatch.routed(&rules, &name("shop"), together, None);
    for ((merchant, tenant, endpoints), of_many) in cases.into_iter().zip(&together) {
        let alone = vec![event(merchant)];
        let alone = bench.dispatch.routed(&rules, &name("shop"), alone, None);
        for new in [of_many, &alone[0]] {
            assert_eq!(new.tenant.as_ref().map(Tenant::as_str), tenant, "{merchant:?}");
            assert_eq!(new.routes.endpoints, names(endpoints), "{merchant:?}");
            assert!(new.tenant.is_none() || new.allowance.is_some(), "the store drops the tenant");
        }
    }
    let metrics = bench.dispatch.metrics.render();
    assert!(metrics.contains("invalid_tenants_total{source=\"shop\"} 2"), "{metrics}");
}

#[tokio::test]
async fn what_a_handler_emits_goes_to_endpoints_that_are_granted_and_to_no_other_tenants() {
    let bench = bench();
    let (acme, guest) = ("acme".parse::<Tenant>().unwrap(), name("guest"));
    let named = Grant { endpoints: [name("crm"), name("of-acme")].into(), ..Grant::default() };
    let all = Grant { all: true, ..Grant::default() };
    let own = Grant { own_tenants: true, ..Grant::default() };
    let both = Grant { all: true, ..own.clone() };
    let cases: [(&Grant, Option<&Tenant>, &[&str]); 7] = [
        (&Grant::default(), Some(&acme), &[]),
        // A name is that of an endpoint of the operator.
        (&named, Some(&acme), &["crm"]),
        (&all, Some(&acme), &["bank", "crm"]),
        (&own, Some(&acme), &["of-acme"]),
        (&own, None, &[]),
        (&both, Some(&acme), &["bank", "crm", "of-acme"]),
        (&both, None, &["bank", "crm"]),
    ];
    for (grant, tenant, endpoints) in cases {
        let routes = bench.dispatch.routes(&event(None), tenant, Some((&guest, grant)));
        assert_eq!(routes.endpoints, names(endpoints), "{grant:?} {tenant:?}");
    }
}
