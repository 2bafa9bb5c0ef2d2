//! Whose the events of a source are, and whom a handler may send to and name.

use super::*;
use crate::plugin::{Grant, Tenanting};
use crate::tenant::TenantOf;

#[test]
fn a_handler_is_granted_endpoints_and_tenants_by_name_or_all_of_them() {
    let granted = |lines: &str| {
        let config = parse(&WHOLE.replace(r#"endpoints = ["crm"]"#, lines)).unwrap();
        Grant::clone(&config.handlers["dunning"].grant)
    };
    let named: Name = "crm".parse().unwrap();
    assert_eq!(granted(""), Grant::default());
    let grant = granted(r#"endpoints = ["crm", "tenants"]"#);
    assert!(grant.reaches(&named) && grant.own_tenants && !grant.all);
    let grant = granted(r#"endpoints = ["*"]"#);
    assert!(grant.reaches(&named) && !grant.own_tenants && grant.endpoints.is_empty());
    let acme = || "acct_1".parse().unwrap();
    let these = Tenanting::These([acme()].into());
    assert_eq!(granted(r#"tenants = ["acct_1"]"#).tenants, these);
    assert_eq!(granted(r#"tenants = ["acct_1", "*"]"#).tenants, Tenanting::All);
    assert_eq!(granted("tenants = []").tenants, Tenanting::Nobody);
    check_refused(
        r#"endpoints = ["crm"]"#,
        "tenants = [\"a b\"]",
        "19:12: `tenants` must be a tenant",
    );
}

#[test]
fn the_events_of_a_source_are_of_one_tenant_or_of_the_one_that_a_label_says() {
    let tenant = |line: &str| {
        let config = parse(&WHOLE.replace("tolerance = \"5m\"", line)).unwrap();
        config.sources["stripe"].tenant.clone()
    };
    assert_eq!(tenant(""), TenantOf::Operator);
    assert_eq!(tenant("tenant = \"acme\""), TenantOf::Fixed("acme".parse().unwrap()));
    assert_eq!(tenant("tenant_label = \"merchant\""), TenantOf::Label("merchant".to_owned()));
    let both = "tenant = \"acme\"\ntenant_label = \"merchant\"";
    let expected = "11:16: `tenant_label` must not stand beside `tenant`";
    check_refused("tolerance = \"5m\"", both, expected);
    check_refused("tolerance = \"5m\"", "tenant = \"-\"", "10:10: `tenant` must be a tenant");
}
