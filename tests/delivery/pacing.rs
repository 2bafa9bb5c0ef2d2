//! Endpoints that do not answer: what they cost the others, which is nothing, and what becomes of
//! what they are owed, which is not lost.

use std::time::Duration;

use serde_json::Value;

use super::{delivery, fail, fail_a_payment, one};
use crate::harness::{
    ENDPOINT_SECRET, Flood, Harness, Receiver, SECOND_ATTEMPT, Setup, delivery_to, reasons, stands,
};

/// Past the pause before the next probe of an endpoint that does not answer.
const PROBE: Duration = Duration::from_secs(2);
/// Generous, and less than any endpoint here may take.
const SOON: Duration = Duration::from_secs(30);

/// Guards I11.
#[tokio::test]
async fn an_endpoint_that_hangs_holds_up_no_other() {
    let (hanging, crm) = (Receiver::start().await, Receiver::start().await);
    hanging.hang();
    let rest = "timeout = \"1m\"\nconcurrency = 2";
    let gateway = Setup::stripe()
        .endpoint_with("hanging", &hanging, &["payment.failed"], rest)
        .endpoint("crm", &crm, &["payment.failed"])
        .start()
        .await;

    for number in 0..20 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    crm.arrived(20).await;
    hanging.arrived(2).await;

    assert_eq!(hanging.received().len(), 2, "no more at a time than the operator said");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_in_time_is_tried_again() {
    let receiver = Receiver::start().await;
    receiver.hang();
    let gateway = one(&receiver, "timeout = \"300ms\"").await;

    fail_a_payment(&gateway).await;
    let attempted = delivery(&gateway).await;
    receiver.answer(200);
    gateway.advance(SECOND_ATTEMPT).await;

    let at = receiver.url().trim_start_matches("http://").trim_end_matches("/hooks");
    let reason = format!("`{at}` did not answer within 300ms");
    assert_eq!(reasons(&attempted["attempts"]), [reason]);
    assert_eq!(attempted["attempts"][0]["status"], Value::Null);
    assert_eq!(delivery(&gateway).await["state"], "done");
}

#[tokio::test]
async fn an_endpoint_that_hangs_up_is_tried_again() {
    let receiver = Receiver::start().await;
    receiver.hang_up();
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    let attempted = delivery(&gateway).await;
    receiver.answer(200);
    gateway.advance(SECOND_ATTEMPT).await;

    let reason = reasons(&attempted["attempts"])[0].clone();
    assert!(reason.ends_with("ended before the answer: connection closed"), "{reason}");
    assert_eq!(delivery(&gateway).await["state"], "done");
}

/// Guards I11.
#[tokio::test]
async fn twenty_endpoints_that_hang_hold_up_no_other() {
    let (hanging, crm) = (Receiver::start().await, Receiver::start().await);
    hanging.hang();
    let mut setup = Setup::stripe().table("[limits]\ndeliveries = 64");
    for number in 0..20 {
        let name = format!("a-hanging-{number}");
        setup = setup.endpoint_with(&name, &hanging, &["payment.failed"], "timeout = \"1m\"");
    }
    let gateway = setup.endpoint("crm", &crm, &["payment.failed"]).start().await;

    for number in 0..100 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    crm.arrived(100).await;

    assert!(hanging.received().len() <= 40, "two at a time until one answers");
}

/// Guards I8.
#[tokio::test]
async fn what_a_hanging_endpoint_is_owed_waits_without_a_try_and_goes_when_it_is_mended() {
    let receiver = Receiver::start().await;
    receiver.hang();
    let gateway = one(&receiver, "timeout = \"300ms\"").await;

    for number in 0..40 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    gateway.settle().await;
    let while_hanging = receiver.received().len();
    check_metric(&gateway, "hookgate_endpoint_concurrency{endpoint=\"crm\"} 0").await;
    receiver.answer(204);
    gateway.advance(PROBE).await;
    let when_mended = receiver.ids().len();
    gateway.advance(SECOND_ATTEMPT).await;

    assert_eq!(while_hanging, 3, "two at first, and a probe");
    assert_eq!(when_mended, 40);
    assert_eq!((receiver.received().len(), gateway.dead().await.len()), (43, 0));
    let last = delivery_to(&gateway.event("evt_39").await, "crm");
    assert_eq!(stands(&last), ("done", 1));
    check_metric(&gateway, "hookgate_endpoint_concurrency{endpoint=\"crm\"} 16").await;
}

/// Guards I11.
#[tokio::test]
async fn an_endpoint_that_falls_silent_is_only_probed_before_its_time_is_over() {
    let receiver = Receiver::start().await;
    receiver.hang();
    let gateway = one(&receiver, "timeout = \"1m\"").await;
    let two_at_a_time = "hookgate_endpoint_concurrency{endpoint=\"crm\"} 2";
    check_metric(&gateway, two_at_a_time).await;

    fail(&gateway, "evt_1").await;
    receiver.arrived(1).await;
    let falls_silent =
        async { while gateway.ask("/metrics").await.body.contains(two_at_a_time) {} };
    let fallen = tokio::time::timeout(SOON, falls_silent).await;

    assert!(fallen.is_ok(), "it is believed until its time is over");
    check_metric(&gateway, "hookgate_endpoint_concurrency{endpoint=\"crm\"} 1").await;
}

/// The metrics have this line.
pub(super) async fn check_metric(gateway: &Harness, line: &str) {
    let metrics = gateway.ask("/metrics").await.body;
    assert!(metrics.lines().any(|found| found == line), "no `{line}` in\n{metrics}");
}

/// Guards I8 and I10.
#[tokio::test]
async fn what_is_held_back_goes_in_order_after_a_restart() {
    let receiver = Receiver::start().await;
    receiver.hang();
    let gateway =
        one(&receiver, "timeout = \"300ms\"\nconcurrency = 1\nbody = \"cloudevents\"").await;
    for number in 0..6 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    gateway.settle().await;
    let while_hanging = receiver.received().len();

    let stopped = gateway.stop().await;
    receiver.answer(204);
    let gateway = stopped.start().await;
    gateway.settle().await;
    gateway.advance(SECOND_ATTEMPT).await;

    assert_eq!(while_hanging, 1, "a probe");
    let arrived: Vec<_> = receiver.received().iter().map(|it| it.text("id")).collect();
    assert_eq!(arrived, ["evt_0", "evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_0"]);
}

/// Guards I11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_that_send_interim_answers_for_ever_hold_up_nobody() {
    let (flood, crm) = (Flood::start().await, Receiver::start().await);
    let mut setup = Setup::stripe();
    for number in 0..4 {
        setup = setup.table(&format!(
            "[endpoints.flood-{number}]\nurl = \"{}\"\nevents = [\"payment.failed\"]\n\
             secrets = [{{ value = \"{ENDPOINT_SECRET}\" }}]",
            flood.url()
        ));
    }
    let gateway = setup.endpoint("crm", &crm, &["payment.failed"]).start().await;

    for number in 0..20 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    crm.arrived(20).await;
    gateway.settle().await;

    let flooded = delivery_to(&gateway.event("evt_0").await, "flood-0");
    assert_eq!(flooded["state"], "pending");
    let reason = reasons(&flooded["attempts"])[0].clone();
    assert!(reason.ends_with("the peer sent more than 256 KiB and no answer"), "{reason}");
}

/// Guards I8.
#[tokio::test]
async fn what_the_guard_refuses_is_held_and_goes_when_it_is_allowed() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["payment.failed"]);
    let gateway = gateway.without("egress  = { allow = [\"127.0.0.0/8\"] }").start().await;

    for number in 1..=20 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    gateway.settle().await;
    let refused = delivery(&gateway).await;
    let last = delivery_to(&gateway.event("evt_20").await, "crm");
    gateway.reconfigure(|config| config + "\n[egress]\nallow = [\"127.0.0.1/32\"]\n").await;
    gateway.settle().await;
    let at_once = receiver.received().len();
    gateway.advance(SECOND_ATTEMPT).await;

    assert_eq!(stands(&refused), ("pending", 1));
    let reason = "`127.0.0.1` is a loopback address that [egress] does not allow".to_owned();
    assert_eq!(reasons(&refused["attempts"]), [reason]);
    assert_eq!(stands(&last), ("pending", 0));
    assert!((17..20).contains(&at_once), "two or three were tried before: {at_once}");
    assert_eq!((receiver.received().len(), receiver.ids().len()), (20, 20));
    assert_eq!(gateway.dead().await, Vec::<Value>::new());
}
