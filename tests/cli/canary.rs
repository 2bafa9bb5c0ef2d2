//! `hookgate plugin status`, `promote` and `drop`, as an operator uses them.

use serde_json::{Value, json};

use super::delivery::run;
use crate::canary::{drop_next, guest, setup};

#[tokio::test]
async fn a_canary_is_shown_beside_the_live_version_promoted_and_dropped() {
    let gateway = setup("{ share = \"50%\" }").start().await;
    let status = ["plugin", "status", "guest"];
    let never = run(&gateway, &status).await;
    never.failed_with("the handler `guest` has never had a canary");

    let digest = drop_next(&gateway, &guest(0, 1)).await;
    for number in 0..12 {
        let command = json!({ "id": format!("{number}"), "subject": format!("pi_{number}") });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;
    let shown = run(&gateway, &status).await;
    let row = shown.line("guest  canary");
    assert!(row.contains(&digest[..12]) && row.ends_with(": running"), "{row}");
    assert!(row.contains("50% of the subjects"), "{row}");
    // As the hash of these subjects has it: 5 of them.
    let [next, live] = ["canary   ", "live"].map(|version| {
        let row = shown.line(version).split_whitespace().collect::<Vec<_>>();
        (row[1].to_owned(), row[2].to_owned())
    });
    assert_eq!((next.0.as_str(), live.0.as_str()), ("5", "7"), "{}", shown.out);
    assert_eq!((next.1.as_str(), live.1.as_str()), ("0", "0"), "{}", shown.out);
    assert!(shown.out.contains("next look at 25 runs"), "{}", shown.out);

    let promoted = run(&gateway, &["plugin", "promote", "guest"]).await;
    assert!(promoted.succeeded().contains(": promoted by the API at "), "{}", promoted.out);
    assert_eq!(gateway.plugin("guest").await["digest"], digest);
    let again = run(&gateway, &["plugin", "promote", "guest"]).await;
    again.failed_with("no canary of the handler `guest` runs");

    drop_next(&gateway, &guest(0, 2)).await;
    let dropped = run(&gateway, &["plugin", "drop", "guest", "--json"]).await;
    let dropped: Value = serde_json::from_str(dropped.succeeded()).unwrap();
    assert_eq!(dropped["verdict"], "dropped_by_operator");
    gateway.reload().await;
    assert_eq!(gateway.plugin("guest@next").await, Value::Null);
}

/// What a start would do with the file is what `check` says of it.
#[tokio::test]
async fn check_names_the_canaries_and_what_is_wrong_with_them() {
    let stripe = std::fs::read(crate::harness::plugin_file("stripe")).unwrap();
    let prepared = setup("{ share = \"5%\" }")
        .plugin_of("guest@next", guest(0, 1))
        .plugin_of("stripe@next", stripe)
        .prepare();
    let config = prepared.folder().join("hookgate.toml");
    let checked = super::hookgate(["check", "--config", config.to_str().unwrap()]).await;
    let row = checked.line("guest@next");
    assert!(row.contains("canary of guest, gets 5% of the subjects: "), "{row}");
    let row = checked.line("stripe@next");
    assert!(row.contains("WRONG: a canary is for handlers"), "{row}");
    assert_eq!(checked.code, Some(1), "{}", checked.out);
}
