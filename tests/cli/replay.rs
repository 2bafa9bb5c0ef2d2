//! `hookgate replay` and `hookgate event-type`: what failed is done again, at a rate and with a
//! look first.

use super::delivery::{documents, run, start};
use crate::harness::Receiver;

#[tokio::test]
async fn a_replay_is_looked_at_first_then_begun_held_and_done() {
    let receiver = Receiver::answering(500).await;
    let gateway = start(&receiver, "retries = []", &["1", "2", "3"]).await;
    receiver.answer(204);
    let filter = ["--reason", "endpoint_refused", "--state", "dead", "--endpoint", "crm"];
    let start = |more: &[&'static str]| [&["replay", "start"][..], &filter[..], more].concat();

    let preview = run(&gateway, &start(&["--preview"])).await;
    assert!(preview.succeeded().starts_with("works that match: 3"), "{}", preview.out);
    gateway.settle().await;
    assert_eq!(receiver.received().len(), 3, "a preview does nothing");

    let begun = run(&gateway, &start(&["--rate", "1000"])).await;
    let id = begun.succeeded().trim().to_owned();
    assert!(id.starts_with("rpl_"), "{id}");
    receiver.arrived(6).await;
    gateway.settle().await;
    let status = run(&gateway, &["replay", "status", &id, "--json"]).await;
    assert_eq!(documents(&status)[0]["reopened"], 3, "{}", status.out);
    assert!(run(&gateway, &["replay", "status"]).await.line(&id).contains("  finished "));
    run(&gateway, &["replay", "cancel", &id]).await.succeeded();
    let all = run(&gateway, &["replay", "start"]).await;
    all.failed_with("say what to replay by a filter");
}

#[tokio::test]
async fn the_event_types_are_listed_with_where_they_come_from() {
    let receiver = Receiver::start().await;
    let gateway = start(&receiver, "", &["1"]).await;
    let listed = run(&gateway, &["event-type", "list"]).await;
    listed.line("order.paid");
    let shown = run(&gateway, &["event-type", "show", "order.paid", "--json"]).await;
    assert_eq!(documents(&shown)[0]["name"], "order.paid");
    let unknown = run(&gateway, &["event-type", "show", "order.unheard"]).await;
    unknown.failed_with("the gateway knows no event type `order.unheard`");
}
