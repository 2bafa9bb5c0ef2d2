//! `hookgate send`: what it posts, for every provider, and what it prints.

use super::{Folder, hookgate};
use crate::harness::{Provider, Setup, payment, providers};

#[tokio::test]
async fn send_signs_a_payload_as_its_provider_would() {
    let gateway = Setup::stripe().clock(hookgate::clock::Clock::System).start().await;
    let folder = Folder::new("", &[]);
    let payload = folder.write("payload.json", payment("evt_1", "pi_1", "succeeded").as_bytes());
    let config = gateway.folder().join("hookgate.toml");
    let send = async |source: &str| {
        hookgate([
            "send".as_ref(),
            source.as_ref(),
            payload.as_os_str(),
            "--config".as_ref(),
            config.as_os_str(),
            "--to".as_ref(),
            gateway.public().as_ref(),
        ])
        .await
    };

    let sent = send("stripe").await;
    let again = send("stripe").await;
    let nowhere = send("nobody").await;
    gateway.settle().await;

    sent.succeeded();
    assert!(sent.line("stripe-signature: t=").contains(",v1="), "{}", sent.out);
    assert!(!sent.out.contains("hookgate-duplicate"), "{}", sent.out);
    again.succeeded();
    again.line("hookgate-duplicate: true");
    nowhere.failed_with("has no [sources.nobody]");
    let events = gateway.events("").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["event_id"], "evt_1");
}

#[tokio::test]
async fn send_has_samples_by_name() {
    let gateway = Setup::stripe().clock(hookgate::clock::Clock::System).start().await;
    let config = gateway.folder().join("hookgate.toml");
    let send = async |sample: Option<&str>| {
        let words = ["send", "stripe"].into_iter().chain(sample).map(std::ffi::OsString::from);
        let rest =
            ["--config".as_ref(), config.as_os_str(), "--to".as_ref(), gateway.public().as_ref()];
        hookgate(words.chain(rest.map(std::ffi::OsStr::to_owned))).await
    };

    let named = send(Some("payment_intent.payment_failed")).await;
    let again = send(Some("payment_intent.payment_failed")).await;
    let any = send(None).await;
    let unknown = send(Some("payment_intent.fialed")).await;
    gateway.settle().await;

    named.succeeded();
    again.succeeded();
    assert!(!again.out.contains("hookgate-duplicate"), "it is a new event: {}", again.out);
    any.succeeded();
    unknown
        .failed_with("`payment_intent.fialed` is neither a file nor a sample; the samples are: ");
    assert!(unknown.err.contains("payment_intent.payment_failed"), "{}", unknown.err);
    let events = gateway.events("").await;
    let failed = events.iter().filter(|event| event["type"] == "payment.failed");
    assert_eq!(failed.count(), 2, "{events:?}");
}

#[tokio::test]
async fn a_sample_of_every_provider_is_a_new_event_each_time_or_is_said_to_be_none() {
    for name in providers() {
        let provider = Provider::load(&name);
        if !provider.info().can_sign() {
            continue;
        }
        let recorded = provider.recordings().into_iter().flat_map(|(_, it)| it.vectors);
        let kind = provider.kind(&recorded.into_iter().find(|vector| vector.valid).unwrap());
        let setup = Setup::new().plugin(&name).source("tried", &name, &provider.table(&kind));
        let gateway = setup.clock(hookgate::clock::Clock::System).start().await;
        let config = gateway.folder().join("hookgate.toml");
        let send = async |same: &[&str]| {
            let words = ["send", "tried", "--to", gateway.public(), "--config"].into_iter();
            hookgate(words.chain(config.to_str()).chain(same.iter().copied())).await
        };

        let (first, second) = (send(&[]).await, send(&[]).await);

        let is_known = second.succeeded().contains("hookgate-duplicate: true");
        let is_said = first.out.contains("note: this sample can't get new event ids");
        assert_eq!(is_known, is_said, "{name}: {}", second.out);
        if name == "stripe" {
            send(&["--same"]).await.succeeded();
            assert!(send(&["--same"]).await.succeeded().contains("hookgate-duplicate: true"));
        }
    }
}

#[tokio::test]
async fn a_header_that_a_file_needs_can_be_sent_with_it() {
    let secret = "secrets = [{ value = \"hookgate\" }]";
    let setup = Setup::new().plugin("github").source("code", "github", secret);
    let gateway = setup.clock(hookgate::clock::Clock::System).start().await;
    let folder = Folder::new("", &[]);
    let payload = folder.write("payload.json", br#"{"zen":"Keep it logically awesome."}"#);
    let config = gateway.folder().join("hookgate.toml");
    let send = async |header: &str| {
        let words = ["send", "code", payload.to_str().unwrap(), "--to", gateway.public()];
        let rest = ["--config", config.to_str().unwrap(), "--header", header];
        hookgate(words.into_iter().chain(rest)).await
    };

    let sent = send("X-GitHub-Event: star").await;
    let wrong = send("star").await;
    gateway.settle().await;

    sent.succeeded();
    assert_eq!(sent.line("x-github-event"), "x-github-event: star");
    assert_eq!(gateway.events("").await[0]["type"], "github.star");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("the header must have the form `name: value`"), "{}", wrong.err);
}

#[tokio::test]
async fn an_address_without_a_scheme_is_refused_with_an_example() {
    let sent = hookgate(["send", "stripe", "--to", "127.0.0.1:8080"]).await;
    let listed = hookgate(["event", "list", "--admin", "localhost:8081"]).await;

    for refused in [sent, listed] {
        assert_eq!(refused.code, Some(2));
        let words = "the URL has no scheme; write it as in http://127.0.0.1:8080";
        assert!(refused.err.contains(words), "{}", refused.err);
    }
}

#[tokio::test]
async fn send_signs_for_every_provider_whose_secret_can_sign() {
    for name in providers() {
        let provider = Provider::load(&name);
        let can_sign = provider.info().can_sign();
        let recorded = provider.recordings().into_iter().flat_map(|(_, it)| it.vectors);
        let kind = provider.kind(&recorded.into_iter().find(|vector| vector.valid).unwrap());
        let setup = Setup::new().plugin(&name).source("tried", &name, &provider.table(&kind));
        let gateway = setup.clock(hookgate::clock::Clock::System).start().await;
        let config = gateway.folder().join("hookgate.toml");
        let words = ["send", "tried", "--to", gateway.public(), "--config"];

        let sent = hookgate(words.into_iter().chain(config.to_str())).await;

        // A JSON Web Signature may be made with a shared secret.
        let has_jws = provider.info().proofs.iter().any(|it| it.kind.name() == "jws");
        let has_signed = can_sign || (has_jws && sent.code == Some(0));
        if !has_signed {
            let is_encrypted =
                provider.info().proofs.iter().all(|it| it.kind.name() == "decrypted");
            sent.failed_with(match is_encrypted {
                true => "encrypts its requests, and Hookgate does not: use recorded",
                false => "a private key that only the provider has",
            });
            continue;
        }
        let answered = sent.succeeded();
        let is_accepted = ["\n200\n", "\n204\n"].iter().any(|status| answered.contains(status));
        assert!(is_accepted, "{name}: {}", sent.out);
        assert!(!sent.out.contains(&kind.secrets[0]), "{name}: {}", sent.out);
    }
}
