//! Look-ups and chains that break the contract, field by field.

use super::*;

fn declared(url: &str) -> Result<KeyPlace, Violation> {
    place(provider::KeyPlace { url: url.to_owned(), format: provider::KeyFormat::Jwk })
}

#[test]
fn a_place_is_a_path_of_a_named_host_under_tls() {
    assert!(declared("https://api.paypal.com/v1/notifications/certs/").is_ok());
    for url in [
        "http://api.paypal.com/",
        "https://127.0.0.1/keys/",
        "https://[::1]/keys/",
        "https://a@api.paypal.com/",
        "https://api.paypal.com/?a=b",
        "https://api.paypal.com/#a",
        "data:,x",
        "/v1/",
        "",
    ] {
        assert!(declared(url).is_err(), "{url}");
    }
}

#[test]
fn a_place_holds_what_lies_below_it_and_nothing_else() {
    let place = declared("https://api.paypal.com/v1/certs/").unwrap();
    let holds = |url: &str| place.holds(&url.parse().unwrap());
    assert!(holds("https://api.paypal.com/v1/certs/CERT-1"));
    assert!(holds("https://API.PayPal.com:443/v1/certs/CERT-1"));
    for url in [
        "http://api.paypal.com/v1/certs/CERT-1",
        "https://api.paypal.com:8443/v1/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/certs/CERT-1",
        "https://api.paypal.com@evil.example/v1/certs/CERT-1",
        "https://evil.example@api.paypal.com/v1/certs/CERT-1",
        "https://api.paypal.com/v1/certs/../other",
        "https://api.paypal.com/v1/certs/%2e%2e/other",
        "https://api.paypal.com/v1/certs/..%2fother",
        "https://api.paypal.com/v1/certs/..\\other",
        "https://api.paypal.com/v1/certs",
        "https://api.paypal.com/v1/certs/CERT-1?x=1",
        "https://api.paypal.com/v1/certs/CERT-1#x",
    ] {
        assert!(!holds(url), "{url}");
    }
    let exact = declared("https://production.plaid.com/get").unwrap();
    assert!(exact.holds(&"https://production.plaid.com/get".parse().unwrap()));
    assert!(!exact.holds(&"https://production.plaid.com/get/more".parse().unwrap()));
}

#[test]
fn one_label_of_a_host_may_be_any_and_no_owners() {
    let place = declared("https://sns.*.amazonaws.com/").unwrap();
    let holds = |url: &str| place.holds(&url.parse().unwrap());
    assert!(holds("https://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem"));
    for url in [
        "https://sns.amazonaws.com/a.pem",
        "https://sns.a.b.amazonaws.com/a.pem",
        "https://sns.us-west-2.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.us-west-2.amazonaws.com/a.pem",
        "https://sns.us_west.amazonaws.com/a.pem",
        "https://xsns.us-west-2.amazonaws.com/a.pem",
        "http://sns.us-west-2.amazonaws.com/a.pem",
    ] {
        assert!(!holds(url), "{url}");
    }
    for url in [
        "https://*/",
        "https://*.com/",
        "https://*.amazonaws.com.*/",
        "https://sns.*.*.amazonaws.com/",
        "https://sns.us-*.amazonaws.com/",
        "https://amazonaws.*/",
        "https://a.*.com/",
    ] {
        assert!(declared(url).is_err(), "{url}");
    }
    assert!(declared("https://*.pay.example/").is_ok());
}

#[test]
fn a_chain_is_bounded() {
    let plain = || provider::Chain {
        certificates: vec![vec![0]],
        root: provider::Root::Pinned,
        extensions: Vec::new(),
        valid_at: None,
    };
    let field = |change: &dyn Fn(&mut provider::Chain)| {
        let mut changed = plain();
        change(&mut changed);
        chain(changed).map_err(|violation| violation.field).err()
    };
    let at = |certificate, oid: &str| provider::Extension { certificate, oid: oid.to_owned() };
    let extension = |oid| at(0, oid);
    assert_eq!(field(&|_| ()), None);
    for certificates in [vec![], vec![vec![]], vec![vec![0]; 9], vec![vec![0; 16_385]]] {
        let changed = field(&|it| it.certificates.clone_from(&certificates));
        assert_eq!(changed, Some("chain.certificates"));
    }
    let any = "1.2.3";
    assert_eq!(field(&|it| it.extensions = vec![extension("x")]), Some("extension.oid"));
    assert_eq!(field(&|it| it.extensions = vec![extension(any); 9]), Some("chain.extensions"));
    let unnamed = || provider::Root::Platform(String::new());
    assert_eq!(field(&|it| it.root = unnamed()), Some("chain.root"));
    let above = || vec![at(1, any)];
    assert_eq!(field(&|it| it.extensions = above()), None);
    let platform = field(&|it| {
        it.root = provider::Root::Platform("pay.example".to_owned());
        it.extensions = above();
    });
    assert_eq!(platform, Some("extension.certificate"));
    assert_eq!(field(&|it| it.valid_at = Some(u64::MAX)), Some("chain.valid-at"));
}
