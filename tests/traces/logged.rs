//! The log names the spans that the collector gets.

use serde_json::{Value, json};

use crate::harness::{Collector, GUEST_TOKEN, Process, Setup, Span, answer};

use super::the;

/// Take the span out of a line that a plugin writes in its parse, of which most are made before the
/// receipt is stored, or out of that of a run, and whoever reads the log finds no trace.
#[tokio::test]
async fn what_a_plugin_writes_is_logged_with_the_span_in_which_it_did() {
    let collector = Collector::start().await;
    let prepared = Setup::guest().table(&collector.table()).prepare();
    let mut gateway = Process::start_with(prepared, |command| {
        command.env("RUST_LOG", "hookgate=info");
    })
    .await;
    for (id, at) in [("1", "parse"), ("2", "handle")] {
        let command = json!({ "id": id, "do": "log", "at": at, "text": format!("within {at}") });
        let post = gateway.client().post(format!("{}/in/guest", gateway.public()));
        let post = post.header("x-token", GUEST_TOKEN).body(command.to_string());
        assert_eq!(answer(post).await.status, 200);
        gateway.settle().await;
        let line = gateway.log.says(&format!("within {at}")).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let fields = &line["fields"];
        let is_it =
            |span: &Span| fields["span_id"] == *span.id && fields["trace_id"] == *span.trace;
        let spans = collector.spans_until(|spans| spans.iter().any(is_it)).await;
        let of_it: Vec<Span> = spans.into_iter().filter(is_it).collect();
        the(&of_it, if at == "parse" { "parse guest" } else { "run guest" });
    }
    gateway.terminate().await;
}
