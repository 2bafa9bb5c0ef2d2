//! Recorded requests, as `hookgate plugin test` holds a plugin against them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Folder, hookgate, repository};
use crate::harness::{plugin_file, providers, recordings, text};

fn vectors(plugin: &str) -> PathBuf {
    repository().join("plugins").join(plugin).join("vectors.json")
}

fn read_json(path: &Path) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(path).expect("it is there")).expect("a list of JSON")
}

#[tokio::test]
async fn recorded_requests_pass_a_line_each() {
    let (file, recorded) = (plugin_file("stripe"), vectors("stripe"));

    let tested =
        hookgate(["plugin".as_ref(), "test".as_ref(), file.as_os_str(), recorded.as_os_str()])
            .await;

    let names: Vec<Value> = read_json(&recorded);
    let expected = format!("stripe: {} passed, 0 failed", names.len());
    assert_eq!(tested.succeeded().lines().last(), Some(expected.as_str()));
    for vector in &names {
        tested.line(&format!("ok    {}: ", text(&vector["name"])));
    }
}

#[tokio::test]
async fn every_recorded_request_passes_without_a_word_about_settings() {
    for provider in providers() {
        let mut args = vec!["plugin".into(), "test".into(), plugin_file(&provider)];
        args.extend(recordings(&provider));

        let tested = hookgate(&args).await;

        let last = tested.succeeded().lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("{provider}: ")), "{last}");
        assert!(last.ends_with(" passed, 0 failed"), "{last}");
    }
}

#[tokio::test]
async fn a_recorded_request_that_goes_otherwise_fails_the_test() {
    let mut recorded = read_json(&vectors("stripe"));
    let flipped = recorded[0]["valid"].as_bool().expect("a truth");
    recorded[0]["valid"] = json!(!flipped);
    let folder = Folder::new("", &[]);
    let file = folder.write("vectors.json", Value::from(recorded.clone()).to_string().as_bytes());
    let none = folder.write("none.json", b"[]");
    let plugin = plugin_file("stripe");
    let test = async |vectors: &Path| {
        let args = ["plugin".as_ref(), "test".as_ref(), plugin.as_os_str(), vectors.as_os_str()];
        hookgate(args).await
    };

    let tested = test(&file).await;
    let nothing = test(&none).await;

    tested.failed_with("recorded requests without the expected verdict: 1");
    let wrong = tested.line("WRONG ");
    assert!(wrong.starts_with(&format!("WRONG {}: ", text(&recorded[0]["name"]))), "{wrong}");
    assert!(wrong.ends_with("; expected: rejected"), "{wrong}");
    let rest = format!("stripe: {} passed, 1 failed", recorded.len() - 1);
    assert_eq!(tested.out.lines().last(), Some(rest.as_str()));
    nothing.failed_with("no recorded request");
}

#[tokio::test]
async fn a_body_that_decrypts_to_another_text_than_the_recorded_one_fails_the_test() {
    let mut recorded = read_json(&vectors("hyperpay"));
    recorded.truncate(1);
    recorded[0]["plaintext"] = json!("another text");
    let folder = Folder::new("", &[]);
    let file = folder.write("vectors.json", Value::from(recorded).to_string().as_bytes());
    let plugin = plugin_file("hyperpay");

    let tested =
        hookgate(["plugin".as_ref(), "test".as_ref(), plugin.as_os_str(), file.as_os_str()]).await;

    tested.failed_with("recorded requests without the expected verdict: 1");
    let wrong = tested.line("WRONG ");
    let how = "accepted, but the body decrypts to another text than the recorded one";
    assert!(wrong.contains(how), "{wrong}");
}
