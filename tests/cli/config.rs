//! `hookgate config`, `completions` and `man`: what is made from definitions.

use serde_json::Value;

use super::{CONFIG, Folder, hookgate};

/// Guards the walk beside the file, and that neither secrets nor their places are needed.
#[tokio::test]
async fn the_configuration_is_shown_as_it_counts_and_without_secrets() {
    let folder = Folder::new(&format!("{CONFIG}\n[limits]\nbacklog = 7\n"), &[]);
    let config = folder.path("hookgate.toml");
    let show = ["config".as_ref(), "show".as_ref(), "--config".as_ref(), config.as_os_str()];

    let shown = hookgate(show).await;
    let lines = hookgate(show.into_iter().chain(["--json".as_ref()])).await;

    let listen = shown.line("listen = ");
    assert!(listen.ends_with(&format!("# {}:1", config.display())), "{listen}");
    assert!(shown.line("limits.backlog = 7").contains("hookgate.toml:"), "{}", shown.out);
    assert!(shown.line("limits.queue = 4096").ends_with("# default"), "{}", shown.out);
    assert!(!shown.out.contains("whsec_"), "{}", shown.out);
    let documents: Vec<Value> =
        lines.succeeded().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |key: &str| documents.iter().find(|it| it["key"] == key).expect("it is shown");
    assert_eq!(of("limits.backlog")["origin"]["kind"], "file");
    assert_eq!(of("sources.cards.secrets")["value"][0]["value"], "(hidden)");
    assert!(!lines.out.contains("whsec_"), "{}", lines.out);
}

#[tokio::test]
async fn the_schema_the_completions_and_the_manual_are_printed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("man");

    let schema = hookgate(["config", "schema"]).await;
    let bash = hookgate(["completions", "bash"]).await;
    let page = hookgate(["man"]).await;
    hookgate(["man".as_ref(), "--out".as_ref(), out.as_os_str()]).await.succeeded();

    let schema: Value = serde_json::from_str(schema.succeeded()).expect("it is JSON");
    assert_eq!(schema["properties"]["limits"]["properties"]["queue"]["default"], 4096);
    assert!(bash.succeeded().contains("complete -F _hookgate"), "{}", bash.out);
    assert!(page.succeeded().contains(".TH hookgate 1"), "{}", page.out);
    let names: Vec<_> = std::fs::read_dir(&out)
        .expect("it was made")
        .map(|entry| entry.expect("it can be read").file_name())
        .collect();
    for name in ["hookgate.1", "hookgate-event-show.1"] {
        assert!(names.iter().any(|it| it == name), "no {name} in {names:?}");
    }
    assert!(!names.iter().any(|it| it == "hookgate-compile-plugin.1"), "it is for the gateway");
}
