//! Secrets that change while requests flow: none fails that is signed with one of them.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::harness::{
    Answer, ENDPOINT_SECRET, Flow, Harness, Receiver, SECOND_ATTEMPT, STRIPE_SECRET, Setup, payment,
};

const NEXT_STRIPE_SECRET: &str = "whsec_next_stripe";
const NEXT_ENDPOINT_SECRET: &str = "whsec_bmV4dCBzZWNyZXQgb2YgdGhlIGVuZHBvaW50IQ==";

/// A provider that signs with one secret after another.
struct Provider {
    flow: Flow,
    secret: watch::Sender<&'static str>,
}

impl Provider {
    fn start(gateway: &Arc<Harness>) -> Self {
        let (secret, signs_with) = watch::channel(STRIPE_SECRET);
        let gateway = gateway.clone();
        let flow = Flow::start(move |number| {
            let (gateway, secret) = (gateway.clone(), *signs_with.borrow());
            let body = payment(&format!("evt_{number}"), &format!("pi_{number}"), "succeeded");
            async move { gateway.stripe_with(secret, &body).await }
        });
        Self { flow, secret }
    }

    /// Signs with the next secret from now on; what was signed with the old one is answered.
    async fn move_on(&mut self) {
        self.secret.send_replace(NEXT_STRIPE_SECRET);
        self.flow.answers(30).await;
    }
}

/// A request that is signed with this secret, apart from those that flow.
async fn signed(gateway: &Harness, secret: &str, event_id: &str) -> u16 {
    gateway.stripe_with(secret, &payment(event_id, "pi_0", "succeeded")).await.status
}

/// Has the gateway read its files again. Who watches them may have seen a change first.
async fn applied(gateway: &Harness) {
    assert_ne!(gateway.reload().await["config"]["outcome"], "kept");
}

#[track_caller]
fn check_all_accepted(answers: &[Answer]) {
    assert!(answers.len() >= 60, "{}", answers.len());
    for answer in answers {
        answer.accepted();
    }
}

fn inline(secrets: &[&str]) -> String {
    let secrets: Vec<_> = secrets.iter().map(|it| format!("{{ value = \"{it}\" }}")).collect();
    format!("secrets = [{}]", secrets.join(", "))
}

/// Guards I9.
#[tokio::test]
async fn a_source_s_secret_is_rotated_in_the_file_while_requests_flow() {
    let gateway = Arc::new(Setup::stripe().start().await);
    let mut provider = Provider::start(&gateway);
    let replace = |from: &[&str], to: &[&str]| {
        let (from, to) = (inline(from), inline(to));
        gateway.rewrite_config(|config| config.replace(&from, &to));
    };

    provider.flow.answers(20).await;
    let too_early = signed(&gateway, NEXT_STRIPE_SECRET, "evt_early").await;
    replace(&[STRIPE_SECRET], &[STRIPE_SECRET, NEXT_STRIPE_SECRET]);
    applied(&gateway).await;
    provider.flow.answers(10).await;
    let old_in_overlap = signed(&gateway, STRIPE_SECRET, "evt_old").await;
    let new_in_overlap = signed(&gateway, NEXT_STRIPE_SECRET, "evt_new").await;
    provider.move_on().await;
    replace(&[STRIPE_SECRET, NEXT_STRIPE_SECRET], &[NEXT_STRIPE_SECRET]);
    applied(&gateway).await;
    let too_late = signed(&gateway, STRIPE_SECRET, "evt_late").await;
    let new_after = signed(&gateway, NEXT_STRIPE_SECRET, "evt_after").await;
    provider.flow.answers(20).await;

    check_all_accepted(&provider.flow.end().await);
    assert_eq!((too_early, too_late), (401, 401));
    assert_eq!((old_in_overlap, new_in_overlap, new_after), (200, 200, 200));
}

/// Replaces a secret in a file, as `mv` does.
fn put(folder: &Path, name: &str, secret: &str) {
    let partial = folder.join(format!(".{name}.partial"));
    std::fs::write(&partial, format!("{secret}\n")).unwrap();
    std::fs::rename(partial, folder.join(name)).unwrap();
}

#[tokio::test]
async fn a_source_s_secret_is_rotated_on_disk_only() {
    let files = "secrets = [{ file = \"current\" }, { file = \"previous\" }]";
    let stopped = Setup::new().plugin("stripe").source("stripe", "stripe", files).prepare();
    put(stopped.folder(), "current", STRIPE_SECRET);
    put(stopped.folder(), "previous", STRIPE_SECRET);
    let gateway = Arc::new(stopped.start().await);
    let mut provider = Provider::start(&gateway);

    provider.flow.answers(20).await;
    put(gateway.folder(), "current", NEXT_STRIPE_SECRET);
    applied(&gateway).await;
    let old_in_overlap = signed(&gateway, STRIPE_SECRET, "evt_old").await;
    provider.move_on().await;
    put(gateway.folder(), "previous", NEXT_STRIPE_SECRET);
    applied(&gateway).await;
    let too_late = signed(&gateway, STRIPE_SECRET, "evt_late").await;
    provider.flow.answers(20).await;

    check_all_accepted(&provider.flow.end().await);
    assert_eq!((old_in_overlap, too_late), (200, 401));
}

/// Guards I9.
#[tokio::test]
async fn a_secret_s_file_that_is_being_written_changes_nothing() {
    let files = "secrets = [{ file = \"current\" }]";
    let stopped = Setup::new().plugin("stripe").source("stripe", "stripe", files).prepare();
    put(stopped.folder(), "current", STRIPE_SECRET);
    let gateway = stopped.start().await;

    for broken in ["", "\n", " "] {
        std::fs::write(gateway.folder().join("current"), broken).unwrap();
        let report = gateway.reload().await;
        assert_eq!(report["config"]["outcome"], "kept");
        let reason = report["config"]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("current is empty"), "{reason}");
    }
    std::fs::remove_file(gateway.folder().join("current")).unwrap();
    let gone = gateway.reload().await;

    assert_eq!(gone["config"]["outcome"], "kept");
    assert_eq!(signed(&gateway, STRIPE_SECRET, "evt_1").await, 200);
}

#[tokio::test]
async fn an_endpoint_s_secret_is_rotated_and_both_sign_during_the_overlap() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["payment.*"]).start().await;
    let replace = |from: &[&str], to: &[&str]| {
        let (from, to) = (inline(from), inline(to));
        gateway.rewrite_config(|config| config.replace(&from, &to));
    };

    signed(&gateway, STRIPE_SECRET, "evt_1").await;
    gateway.settle().await;
    replace(&[ENDPOINT_SECRET], &[NEXT_ENDPOINT_SECRET, ENDPOINT_SECRET]);
    applied(&gateway).await;
    signed(&gateway, STRIPE_SECRET, "evt_2").await;
    gateway.settle().await;
    replace(&[NEXT_ENDPOINT_SECRET, ENDPOINT_SECRET], &[NEXT_ENDPOINT_SECRET]);
    applied(&gateway).await;
    signed(&gateway, STRIPE_SECRET, "evt_3").await;
    gateway.settle().await;

    let received = receiver.received();
    let signed_with = |secret: &str| -> Vec<bool> {
        received.iter().map(|delivery| delivery.is_signed_with(secret)).collect()
    };
    assert_eq!(signed_with(ENDPOINT_SECRET), [true, true, false]);
    assert_eq!(signed_with(NEXT_ENDPOINT_SECRET), [false, true, true]);
}

#[tokio::test]
async fn what_is_tried_again_is_signed_with_the_secret_of_its_time() {
    let receiver = Receiver::answering(503).await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["payment.*"]).start().await;

    signed(&gateway, STRIPE_SECRET, "evt_1").await;
    gateway.settle().await;
    gateway.rewrite_config(|config| config.replace(ENDPOINT_SECRET, NEXT_ENDPOINT_SECRET));
    applied(&gateway).await;
    gateway.advance(SECOND_ATTEMPT).await;

    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert!(received[0].is_signed_with(ENDPOINT_SECRET));
    assert!(received[1].is_signed_with(NEXT_ENDPOINT_SECRET));
    assert!(!received[1].is_signed_with(ENDPOINT_SECRET));
}
