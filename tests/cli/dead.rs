//! `hookgate dead`: the dead letters as a person sees them.

use serde_json::Value;

use super::hookgate;
use crate::harness::{Receiver, Setup, payment, text};

#[tokio::test]
async fn dead_letters_are_listed_by_reason_with_words_beside_it_and_counted() {
    let receiver = Receiver::answering(410).await;
    let setup = Setup::stripe().endpoint("crm", &receiver, &["payment.failed"]);
    let gateway = setup.endpoint("erp", &receiver, &["payment.failed"]).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;

    let list = async |more: &[&str]| {
        hookgate(["dead", "list", "--admin", gateway.admin()].iter().chain(more)).await
    };
    let all = list(&[]).await;
    let one = list(&["--reason", "endpoint_gone", "--name", "erp"]).await;
    let none = list(&["--reason", "endpoint_tls"]).await;
    let unknown = list(&["--reason", "gone"]).await;

    assert_eq!(all.succeeded().lines().count(), 3, "{}", all.out);
    assert_eq!(all.err.trim(), "by reason: 2 endpoint_gone");
    let columns = one.line("dlv_").split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    assert_eq!(columns, "delivery erp endpoint_gone the endpoint answered 410 Gone");
    assert_eq!((none.succeeded().lines().count(), none.err.as_str()), (1, ""));
    assert!(unknown.err.contains("`gone` is not a reason such as endpoint_timeout"));

    let lines = list(&["--json", "--name", "erp"]).await;
    let letter: Value = serde_json::from_str(lines.succeeded()).unwrap();
    let export = hookgate(["dead", "export", "--admin", gateway.admin(), "--name", "erp"]).await;
    assert_eq!((export.succeeded(), lines.err.as_str()), (lines.out.as_str(), ""));
    let show =
        ["dead", "show", &text(&letter["id"]), "--admin", gateway.admin()].map(str::to_owned);
    assert!(hookgate(&show).await.succeeded().contains("\"status\": 410"));
}
