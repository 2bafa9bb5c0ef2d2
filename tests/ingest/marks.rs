//! The high-water marks as senders and operators see them: whom one puts off, and until when.

use hookgate::store::WorkKind;
use serde_json::json;

use super::{check_comes_back, check_keeps_nothing};
use crate::harness::{Answer, Harness, Receiver, Setup, THIRD_ATTEMPT, answer, payment};

/// A source whose failed payments go to one endpoint.
fn feeding(crm: &Receiver) -> Setup {
    Setup::stripe().endpoint("crm", crm, &["payment.failed"])
}

async fn fail(gateway: &Harness, id: &str) -> Answer {
    gateway.stripe(&payment(id, "pi_1", "payment_failed")).await
}

async fn check_metrics(gateway: &Harness, lines: &[&str]) {
    let metrics = gateway.ask("/metrics").await.body;
    for line in lines {
        assert!(metrics.lines().any(|found| found == *line), "no `{line}` in\n{metrics}");
    }
}

/// What keeps the gateway from accepting requests.
async fn missing(gateway: &Harness) -> String {
    let answer = gateway.ask("/readyz").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    answer.json()["missing"].to_string()
}

/// Guards I7 and I11.
#[tokio::test]
async fn a_dead_endpoint_keeps_out_the_source_that_feeds_it_until_it_comes_back() {
    let crm = Receiver::answering(503).await;
    let limits = "[limits]\nbacklog_per_source = 3";
    let gateway = feeding(&crm).open().table(limits).start().await;
    for id in ["evt_1", "evt_2", "evt_3"] {
        fail(&gateway, id).await.accepted();
        gateway.settle().await;
    }

    let put_off = fail(&gateway, "evt_4").await;
    let other = gateway.post("open", &[], payment("evt_5", "pi_1", "payment_failed")).await;
    let forged = gateway.stripe_with("whsec_guessed", &payment("evt_6", "pi_1", "succeeded")).await;

    check_comes_back(&put_off, 429);
    assert_eq!(put_off.json(), json!({ "error": "too many requests" }));
    other.accepted();
    assert_eq!(forged.status, 401);
    gateway.settle().await;
    let lines = [
        r#"hookgate_backlog{source="stripe"} 3"#,
        r#"hookgate_backlog{source="open"} 1"#,
        r#"hookgate_backlog_mark{of="source"} 3"#,
        r#"hookgate_over_mark{mark="source",source="stripe"} 1"#,
        r#"hookgate_over_mark{mark="source",source="open"} 0"#,
        r#"hookgate_put_off_total{source="stripe",mark="source"} 1"#,
        r#"hookgate_requests_total{source="stripe",outcome="busy"} 1"#,
    ];
    check_metrics(&gateway, &lines).await;
    assert_eq!(gateway.ask("/readyz").await.status, 200);

    // A start counts the same.
    let gateway = gateway.restart().await;
    check_comes_back(&fail(&gateway, "evt_4").await, 429);

    crm.answer(204);
    gateway.advance(THIRD_ATTEMPT).await;
    fail(&gateway, "evt_4").await.accepted();
    gateway.settle().await;
    assert_eq!(crm.ids().len(), 5);
    check_metrics(&gateway, &[r#"hookgate_over_mark{mark="source",source="stripe"} 0"#]).await;
}

/// Guards I7 and I8.
#[tokio::test]
async fn accepted_receipts_wait_while_too_much_is_open_and_none_is_lost() {
    let crm = Receiver::answering(503).await;
    let gateway = feeding(&crm).table("[limits]\nparses = 0").start().await;
    for id in ["evt_1", "evt_2", "evt_3"] {
        fail(&gateway, id).await.accepted();
    }
    // A parse whose outcome is not committed would let the next one begin.
    let limits = "parses = 1\nbacklog_per_source = 1\nuncommitted = 0";
    gateway.rewrite_config(|config| config.replace("parses = 0", limits));
    let gateway = gateway.restart().await;
    let waiting = || gateway.stats().works[&WorkKind::Parse].pending();

    gateway.settle().await;
    assert_eq!((crm.ids().len(), waiting()), (1, 2));

    crm.answer(204);
    gateway.advance(THIRD_ATTEMPT).await;
    assert_eq!((crm.ids().len(), waiting()), (3, 0));
}

/// Guards I7.
#[tokio::test]
async fn the_mark_of_all_puts_every_source_off_and_challenges_are_answered() {
    let limits = "[limits]\nparses = 0\nbacklog = 1";
    let gateway = Setup::guest().plugin("stripe").open().table(limits).start().await;
    gateway.guest(&json!({ "id": "g_1" })).await.accepted();

    for source in ["guest", "open"] {
        let put_off = match source {
            "guest" => gateway.guest(&json!({ "id": "g_2" })).await,
            _ => gateway.post("open", &[], payment("evt_1", "pi_1", "succeeded")).await,
        };
        check_comes_back(&put_off, 503);
        assert_eq!(put_off.json(), json!({ "error": "try again later" }), "{source}");
    }
    let url = format!("{}/in/guest?digest=20f9f8ed", gateway.public());
    assert_eq!(answer(gateway.client().get(url)).await.status, 200);

    let why = missing(&gateway).await;
    assert!(why.contains("limits.backlog = 1,"), "{why}");
    let lines = [
        r#"hookgate_over_mark{mark="gateway",source=""} 1"#,
        r#"hookgate_put_off_total{source="open",mark="gateway"} 1"#,
    ];
    check_metrics(&gateway, &lines).await;
    gateway.reconfigure(|config| config.replace("backlog = 1", "backlog = 9")).await;
    gateway.guest(&json!({ "id": "g_2" })).await.accepted();
}

/// Guards I7.
#[tokio::test]
async fn a_disk_with_too_little_room_puts_every_source_off_until_it_has_more() {
    let limits = "[limits]\ndisk_free_bytes = 1125899906842624";
    let gateway = Setup::stripe().table(limits).start().await;

    let put_off = fail(&gateway, "evt_1").await;

    check_comes_back(&put_off, 503);
    check_keeps_nothing(&gateway).await;
    let why = missing(&gateway).await;
    assert!(why.contains("limits.disk_free_bytes, which is 1125899906842624"), "{why}");
    check_metrics(&gateway, &[r#"hookgate_over_mark{mark="disk",source=""} 1"#]).await;
    gateway.reconfigure(|config| config.replace("1125899906842624", "0")).await;
    fail(&gateway, "evt_1").await.accepted();
    assert_eq!(gateway.ask("/readyz").await.status, 200);
}
