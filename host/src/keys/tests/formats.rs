//! Keys in other formats than one JSON Web Key: sets, certificates of their place, PEM.

use serde_json::json;

use super::*;
use crate::provider::Root;

fn set(ids: &[&str]) -> String {
    let key = |id: &&str| {
        let mut key = jwk::tests::document();
        key["kid"] = json!(id);
        key
    };
    json!({ "keys": ids.iter().map(key).collect::<Vec<_>>() }).to_string()
}

async fn of_set(desk: &Desk, id: &str) -> Result<Vec<u8>, KeyError> {
    let url = desk.info.key_places[0].url.join("jwks").unwrap();
    let lookup = KeyLookup { url, post: None, id: Some(id.to_owned()) };
    desk.ask(&lookup, PublicKey::EcdsaP256).await
}

#[tokio::test]
async fn a_set_is_fetched_once_for_all_of_its_keys() {
    let provider = Provider::answering("200 OK", &set(&["one", "two"])).await;
    let desk = Desk::new(&provider, KeyFormat::Jwks);

    assert!(of_set(&desk, "one").await.is_ok() && of_set(&desk, "two").await.is_ok());

    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_key_that_is_not_in_the_set_has_it_fetched_again_once_a_minute() {
    let provider = Provider::answering("200 OK", &set(&["one"])).await;
    let desk = Desk::new(&provider, KeyFormat::Jwks);
    of_set(&desk, "one").await.unwrap();

    for _ in 0..3 {
        assert_eq!(of_set(&desk, "two").await, Err(KeyError::Busy), "it may be a new one");
    }
    assert_eq!(provider.asked(), 1, "it was fetched just now");
    provider.says("200 OK", &set(&["one", "two"]));
    desk.clock.advance(MINUTE);
    assert!(of_set(&desk, "two").await.is_ok());
    assert_eq!(of_set(&desk, "three").await, Err(KeyError::Busy));
    assert_eq!(provider.asked(), 2);
    provider.says("503 Away", "");
    desk.clock.advance(MINUTE);
    let found = of_set(&desk, "three").await.unwrap_err();
    assert!(found.is_passing(), "it may be a new one: {found}");
    assert!(of_set(&desk, "one").await.is_ok(), "the known ones count all the same");
}

#[tokio::test]
async fn a_key_is_unknown_only_if_the_set_was_fetched_for_it() {
    let provider = Provider::answering("200 OK", &set(&["one"])).await;
    let desk = Desk::new(&provider, KeyFormat::Jwks);
    let passing = async |id: &str| of_set(&desk, id).await.unwrap_err().is_passing();

    assert!(!passing("forged").await && !passing("forged").await);
    provider.says("200 OK", &set(&["one", "two"]));
    assert!(passing("two").await, "the provider may have it since");
    desk.clock.advance(MINUTE);
    assert!(!passing("forged").await, "the set was fetched for it again");
    assert!(of_set(&desk, "two").await.is_ok());
}

#[tokio::test]
async fn a_certificate_of_its_place_counts_while_it_is_valid() {
    let provider = Provider::answering("200 OK", LEAF).await;
    let desk = Desk::new(&provider, KeyFormat::LeafCertificate);
    assert!(desk.named("CERT-1").await.is_ok(), "only its place vouches for it");

    desk.clock.advance(Duration::from_secs(20 * 366 * 86_400));
    assert_eq!(desk.named("CERT-1").await, Err(KeyError::Expired));

    provider.says("200 OK", "no certificate");
    let found = desk.named("CERT-2").await.unwrap_err();
    assert!(matches!(found, KeyError::Unreadable(_)), "{found}");
}

#[tokio::test]
async fn a_key_in_pem_is_taken_as_it_is() {
    let leaf = NamedCertificate::read(LEAF.as_bytes(), NAME).unwrap();
    let other = "-----BEGIN PUBLIC KEY-----\n\
         MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=\n\
         -----END PUBLIC KEY-----\n";
    let provider = Provider::answering("200 OK", other).await;
    let desk = Desk::new(&provider, KeyFormat::Pem);

    assert_eq!(desk.named("one").await, Err(KeyError::Unfit), "it is of another kind");
    let url = desk.info.key_places[0].url.join("one").unwrap();
    let lookup = KeyLookup { url, post: None, id: None };
    let key = desk.ask(&lookup, PublicKey::Ed25519).await.unwrap();
    assert_eq!(key.len(), 32);
    assert!(leaf.key(PublicKey::RsaSha256).is_some_and(|rsa| rsa != key));
}

#[tokio::test]
async fn a_certificate_in_the_request_needs_a_root_that_is_pinned() {
    let provider = Provider::answering("200 OK", "").await;
    let mut desk = Desk::jwk(&provider);
    let chain = Chain {
        certificates: vec![chain::root(LEAF).unwrap()],
        root: Root::Pinned,
        extensions: Vec::new(),
        valid_at: None,
    };
    let vouched = |desk: &Desk, secret: &str, chain: &Chain| {
        let secrets = [Secret::new(secret).unwrap()];
        let permission = Permission { info: &desk.info, hosts: &[], secrets: &secrets };
        desk.keys.vouch(permission, PublicKey::RsaSha256, chain, NOW)
    };
    assert!(matches!(vouched(&desk, "secret", &chain), Err(KeyError::Untrusted(_))));
    assert!(vouched(&desk, ROOT, &chain).is_ok(), "the operator pins it");
    desk.info.roots = vec![chain::root(ROOT).unwrap()];
    assert!(vouched(&desk, "secret", &chain).is_ok(), "the plugin pins it");
    let named = |name: &str| Chain { root: Root::Platform(name.to_owned()), ..chain.clone() };
    assert!(vouched(&desk, "secret", &named(NAME)).is_ok());
    assert!(matches!(vouched(&desk, "secret", &named("x.example")), Err(KeyError::Untrusted(_))));
    assert_eq!(provider.asked(), 0);
}
