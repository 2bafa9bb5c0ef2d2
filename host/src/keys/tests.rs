//! Keys fetched from a server on the loopback, which the guard lets through here alone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::fetch::ANSWER_BYTES_MAX;
use super::*;
use crate::egress;
use crate::event::Timestamp;
use crate::provider::{ClockRule, KeyFormat};

mod formats;

/// 2026, when the certificate of the tests counts.
const NOW: Timestamp = Timestamp(1_767_225_600_000);
const ROOT: &str = include_str!("fixtures/root.pem");
const LEAF: &str = include_str!("fixtures/leaf.pem");
const NAME: &str = "certs.pay.example";
const MINUTE: Duration = Duration::from_secs(60);

/// A provider's server, which answers everybody the same and counts.
struct Provider {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
    _serving: JoinSet<()>,
}

impl Provider {
    async fn answering(status: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys/", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let last = Arc::new(Mutex::default());
        let answer = Arc::new(Mutex::new(written(status, body)));
        let mut serving = JoinSet::new();
        let count = Arc::clone(&asked);
        let seen = Arc::clone(&last);
        let says = Arc::clone(&answer);
        serving.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"}") {
                    assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                }
                count.fetch_add(1, Ordering::SeqCst);
                *seen.lock().unwrap() = String::from_utf8(request).unwrap();
                let answer = says.lock().unwrap().clone();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, answer, asked, last, _serving: serving }
    }

    /// Answers like this from now on.
    fn says(&self, status: &str, body: &str) {
        *self.answer.lock().unwrap() = written(status, body);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn written(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// A source that gets its keys from a provider.
struct Desk {
    keys: Keys,
    clock: Clock,
    info: ProviderInfo,
    hosts: Vec<String>,
    secret: Secret,
}

impl Desk {
    fn new(provider: &Provider, format: KeyFormat) -> Self {
        Self::trusting(provider, format, Trust::with_root(ROOT))
    }

    fn trusting(provider: &Provider, format: KeyFormat, trust: Trust) -> Self {
        let clock = Clock::manual(NOW);
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        let config = egress::Config { allow, ..egress::Config::default() };
        let egress = Egress::new(config, clock.clone()).unwrap();
        let fetcher = Arc::new(Fetcher::new(egress, clock.clone(), trust));
        let place = KeyPlace { url: provider.url.parse().unwrap(), format };
        let info = ProviderInfo {
            name: "any".into(),
            version: "1".into(),
            scheme: "any".into(),
            types: Vec::new(),
            proofs: Vec::new(),
            clock: ClockRule::Past,
            tolerance: None,
            reply: None,
            refusal_status: 401,
            methods: Vec::new(),
            handshakes: Vec::new(),
            key_places: vec![place],
            roots: Vec::new(),
            settings: Vec::new(),
        };
        Self {
            keys: Keys(Arc::new(Origin::Fetched(fetcher))),
            clock,
            info,
            hosts: vec!["127.0.0.1".into()],
            secret: Secret::new("its secret").unwrap(),
        }
    }

    fn jwk(provider: &Provider) -> Self {
        Self::new(provider, KeyFormat::Jwk)
    }

    fn certificate(provider: &Provider, name: &str) -> Self {
        Self::new(provider, KeyFormat::Certificate(name.into()))
    }

    async fn ask(&self, lookup: &KeyLookup, scheme: PublicKey) -> Result<Vec<u8>, KeyError> {
        let secrets = std::slice::from_ref(&self.secret);
        let permission = Permission { info: &self.info, hosts: &self.hosts, secrets };
        self.keys.find(&"shop".parse().unwrap(), permission, scheme, lookup).await
    }

    /// Asks for the key of this name.
    async fn named(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        let url = self.info.key_places[0].url.join(name).unwrap();
        let scheme = match self.info.key_places[0].format {
            KeyFormat::Certificate(_) | KeyFormat::LeafCertificate | KeyFormat::Pem => {
                PublicKey::RsaSha256
            }
            KeyFormat::Jwk | KeyFormat::Jwks => PublicKey::EcdsaP256,
        };
        self.ask(&KeyLookup { url, post: None, id: None }, scheme).await
    }
}

fn document() -> String {
    jwk::tests::document().to_string()
}

#[tokio::test]
async fn a_key_is_fetched_once_and_kept_until_it_may_have_expired() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);

    let key = desk.named("one").await.unwrap();
    assert_eq!(desk.named("one").await, Ok(key));
    assert_eq!(provider.asked(), 1);
    desk.clock.advance(Duration::from_secs(2_699));
    desk.named("one").await.unwrap();
    assert_eq!(provider.asked(), 1);
    desk.clock.advance(Duration::from_secs(901));
    desk.named("one").await.unwrap();
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn a_key_in_use_is_asked_for_again_before_its_time_is_over_and_nobody_waits() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    desk.named("one").await.unwrap();

    desk.clock.advance(45 * MINUTE);
    desk.named("one").await.unwrap();
    let Origin::Fetched(fetcher) = &*desk.keys.0 else { panic!("they are fetched") };
    fetcher.refreshed().await;
    assert_eq!(provider.asked(), 2);
    desk.clock.advance(30 * MINUTE);
    desk.named("one").await.unwrap();

    assert_eq!(provider.asked(), 2, "the second answer counts for an hour of its own");
}

#[tokio::test]
async fn a_known_key_counts_for_a_day_while_its_server_is_away() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    let key = desk.named("one").await.unwrap();

    provider.says("503 Away", "");
    for asked in 2..25 {
        desk.clock.advance(60 * MINUTE);
        assert_eq!(desk.named("one").await.as_ref(), Ok(&key), "hour {asked}");
        assert_eq!(desk.named("one").await.as_ref(), Ok(&key), "nobody waits for it again");
        assert_eq!(provider.asked(), asked);
    }
    desk.clock.advance(60 * MINUTE);
    let found = desk.named("one").await.unwrap_err();

    assert!(found.is_passing(), "{found}");
    provider.says("200 OK", &document());
    desk.clock.advance(MINUTE);
    assert_eq!(desk.named("one").await, Ok(key));
}

#[tokio::test]
async fn a_known_key_that_its_server_does_not_know_any_more_is_gone_at_once() {
    let expired = document().replace("\"expired_at\":null", "\"expired_at\":1");
    assert_ne!(expired, document());
    for (status, body) in [("404 Not Found", "{}"), ("200 OK", expired.as_str())] {
        let provider = Provider::answering("200 OK", &document()).await;
        let desk = Desk::jwk(&provider);
        desk.named("one").await.unwrap();

        provider.says(status, body);
        desk.clock.advance(61 * MINUTE);

        assert!(!desk.named("one").await.unwrap_err().is_passing(), "{status}");
        assert!(!desk.named("one").await.unwrap_err().is_passing(), "{status}");
    }
}

#[tokio::test]
async fn made_up_names_use_up_nothing_that_known_keys_need() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    desk.named("genuine").await.unwrap();

    provider.says("404 Not Found", "{}");
    for round in 0..4 {
        desk.clock.advance(61 * MINUTE);
        for number in 0..100 {
            let _forged = desk.named(&format!("made-up-{round}-{number}")).await;
        }
        provider.says("200 OK", &document());
        let asked = provider.asked();
        assert!(desk.named("genuine").await.is_ok(), "round {round}");
        assert_eq!(provider.asked(), asked + 1, "it was looked up again");
        provider.says("404 Not Found", "{}");
    }
}

#[tokio::test]
async fn a_new_key_is_looked_up_in_the_end_however_many_are_made_up() {
    let provider = Provider::answering("404 Not Found", "{}").await;
    let desk = Desk::jwk(&provider);
    let mut busy = 0;
    for number in 0..1_000 {
        let found = desk.named(&format!("made-up-{number}")).await;
        busy += usize::from(found == Err(KeyError::Busy));
    }
    assert!(busy > 900, "{busy}");

    provider.says("200 OK", &document());
    let first = desk.named("genuine").await;
    for number in 1_000..1_500 {
        let _forged = desk.named(&format!("made-up-{number}")).await;
    }
    let again = desk.named("genuine").await;

    assert_eq!(first, Err(KeyError::Busy), "its sender is told to come again");
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_blocks_no_look_up() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    for number in 0..100 {
        let _found = desk.named(&format!("{number}")).await;
    }
    desk.clock.set(Timestamp(NOW.0 - 86_400_000));
    assert!(desk.named("new").await.is_ok());
    assert!(desk.named("0").await.is_ok());
    desk.clock.advance(61 * MINUTE);
    let asked = provider.asked();
    assert!(desk.named("0").await.is_ok());
    assert_eq!(provider.asked(), asked + 1, "no key is young for a day longer");
}

#[tokio::test]
async fn many_who_want_one_key_ask_once() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    let asking = || desk.named("one");
    let found = tokio::join!(asking(), asking(), asking(), asking(), asking(), asking());
    assert!(found.0.is_ok() && found.5.is_ok());
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn the_secret_stands_where_the_plugin_says_and_the_plugin_never_sees_it() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    let text = |text: &str| KeyField::Text(text.to_owned());
    let post = vec![
        ("client_id".to_owned(), text("c\"1")),
        ("secret".to_owned(), KeyField::Secret),
        ("key_id".to_owned(), text("one")),
    ];
    let url = desk.info.key_places[0].url.clone();
    let lookup = KeyLookup { url, post: Some(post), id: None };

    desk.ask(&lookup, PublicKey::EcdsaP256).await.unwrap();

    let request = provider.last.lock().unwrap().clone();
    assert!(request.starts_with("POST /keys/ HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected =
        serde_json::json!({ "client_id": "c\"1", "secret": "its secret", "key_id": "one" });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn nobody_is_asked_who_was_not_declared_and_allowed() {
    let provider = Provider::answering("200 OK", &document()).await;
    let mut desk = Desk::jwk(&provider);
    let elsewhere =
        KeyLookup { url: "https://evil.example/keys/one".parse().unwrap(), post: None, id: None };
    let found = desk.ask(&elsewhere, PublicKey::EcdsaP256).await;
    assert_eq!(found, Err(KeyError::Elsewhere("evil.example".into())));
    assert!(!found.unwrap_err().is_passing(), "a request that leads elsewhere is forged");

    desk.hosts.clear();
    let found = desk.named("one").await.unwrap_err();
    assert_eq!(found, KeyError::NotAllowed("127.0.0.1".into()));
    assert!(found.is_passing(), "what the operator did not set up is nobody's forgery");
    assert_eq!(provider.asked(), 0);
}

#[tokio::test]
async fn what_is_out_of_reach_is_passing_and_not_tried_again_at_once() {
    for (status, body) in [("500 Oops", ""), ("302 Found", ""), ("400 Bad", "{}"), ("200 OK", "?")]
    {
        let provider = Provider::answering(status, body).await;
        let desk = Desk::jwk(&provider);
        assert!(desk.named("one").await.unwrap_err().is_passing(), "{status}");
        desk.clock.advance(Duration::from_secs(4));
        assert!(desk.named("one").await.unwrap_err().is_passing(), "{status}");
        assert_eq!(provider.asked(), 1, "{status}");
        desk.clock.advance(Duration::from_secs(1));
        assert!(desk.named("one").await.is_err());
        assert_eq!(provider.asked(), 2, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_no_key() {
    let provider = Provider::answering("200 OK", &" ".repeat(ANSWER_BYTES_MAX + 1)).await;
    let found = Desk::jwk(&provider).named("one").await.unwrap_err();
    assert!(matches!(found, KeyError::Unreachable(_)), "{found}");
}

#[tokio::test]
async fn that_there_is_no_such_key_is_remembered_for_a_minute() {
    let provider = Provider::answering("404 Not Found", "{}").await;
    let desk = Desk::jwk(&provider);
    for _ in 0..3 {
        assert_eq!(desk.named("one").await, Err(KeyError::Unknown));
    }
    assert_eq!(provider.asked(), 1);
    desk.clock.advance(MINUTE);
    assert_eq!(desk.named("one").await, Err(KeyError::Unknown));
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn a_flood_of_made_up_names_neither_reaches_the_provider_nor_a_key_that_is_kept() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    desk.named("genuine").await.unwrap();
    let mut busy = 0;
    for number in 0..1_000 {
        busy += usize::from(desk.named(&format!("made-up-{number}")).await == Err(KeyError::Busy));
    }
    let looked_up = cache::NEW_MAX as usize;
    assert_eq!(provider.asked(), looked_up);
    assert_eq!(busy, 1_001 - looked_up);
    assert!(desk.named("genuine").await.is_ok());
    desk.clock.advance(MINUTE);
    assert!(desk.named("another").await.is_ok());
}

#[tokio::test]
async fn a_certificate_gives_its_key_as_long_as_it_counts() {
    let provider = Provider::answering("200 OK", LEAF).await;
    let desk = Desk::certificate(&provider, NAME);
    let key = desk.named("CERT-1").await.unwrap();
    assert!(key.len() > 256, "the modulus and the exponent");

    for _ in 0..5 {
        desk.clock.advance(MINUTE);
        assert_eq!(desk.named("CERT-1").await.as_ref(), Ok(&key));
    }
    assert_eq!(provider.asked(), 1, "it is checked again, and not fetched");

    desk.clock.set(Timestamp(2_300_000_000_000));
    let found = desk.named("CERT-1").await.unwrap_err();
    assert!(matches!(found, KeyError::Untrusted(_)), "{found}");
    assert_eq!(provider.asked(), 2, "there might have been another by now");
}

#[tokio::test]
async fn a_certificate_is_made_out_to_its_name_and_leads_to_a_root() {
    let provider = Provider::answering("200 OK", LEAF).await;
    for name in ["certs.other.example", "pay.example", "x.certs.pay.example"] {
        let found = Desk::certificate(&provider, name).named("CERT-1").await.unwrap_err();
        assert!(matches!(found, KeyError::Untrusted(_)), "{found}");
        assert!(!found.is_passing());
    }
    let root = Trust::platform().unwrap();
    let desk = Desk::trusting(&provider, KeyFormat::Certificate(NAME.into()), root);
    let found = desk.named("CERT-1").await.unwrap_err();
    assert!(matches!(found, KeyError::Untrusted(_)), "{found}");
}

#[tokio::test]
async fn a_key_of_another_kind_is_refused() {
    let provider = Provider::answering("200 OK", &document()).await;
    let desk = Desk::jwk(&provider);
    let url = desk.info.key_places[0].url.join("one").unwrap();
    let lookup = KeyLookup { url, post: None, id: None };
    assert_eq!(desk.ask(&lookup, PublicKey::Ed25519).await, Err(KeyError::Unfit));
    assert!(desk.ask(&lookup, PublicKey::EcdsaP256).await.is_ok());
}

#[test]
fn a_recorded_key_stands_in_for_the_one_that_is_looked_up() {
    let url: url::Url = "https://keys.example/get".parse().unwrap();
    let lookup = |id: &str| KeyLookup {
        url: url.clone(),
        post: Some(vec![("key_id".to_owned(), KeyField::Text(id.to_owned()))]),
        id: None,
    };
    let id = "6c5516e1-92dc-479e-a8ff-5a51992e0001";
    let found = |text: &str, scheme, id: &str| recorded(text, scheme, &lookup(id)).is_some();
    assert!(found(&document(), PublicKey::EcdsaP256, id));
    assert!(!found(&document(), PublicKey::EcdsaP256, "other"));
    assert!(found(LEAF, PublicKey::RsaSha256, id));
    assert!(!found(LEAF, PublicKey::EcdsaP256, id));
    assert!(!found("neither", PublicKey::RsaSha256, id));
}
