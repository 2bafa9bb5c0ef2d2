//! `hookgate plugin try`, as an operator uses it: over a gateway, a folder and a backup.

use std::path::Path;

use hookgate::secrets::HIDDEN;
use serde_json::{Value, json};

use super::{Ran, hookgate};
use crate::canary::guest;
use crate::harness::{GUEST_TOKEN, Setup, Stopped, plugin_file};
use crate::rehearsal::counting;

/// Tries a file as a version of the guest.
async fn tried(file: &Path, more: &[&str]) -> Ran {
    let file = file.to_str().unwrap();
    hookgate([&["plugin", "try", file, "--as", "guest"][..], more].concat()).await
}

/// A file of the store and what is in it.
fn files(stopped: &Stopped) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let read = |file: std::path::PathBuf| {
        let bytes = std::fs::read(&file).unwrap();
        (file, bytes)
    };
    stopped.store_files().into_iter().map(read).collect()
}

/// Without `Past::of_folder` in `stopped`, or with anything of a clock in a report, they differ.
#[tokio::test]
async fn a_gateway_a_folder_and_a_copy_of_it_say_the_same() {
    let gateway = counting(Setup::guest()).await;
    let new = gateway.folder().join("new.wasm");
    std::fs::write(&new, guest(3, 1)).unwrap();
    let admin = gateway.admin().to_owned();
    let at = ["--json", "--admin", admin.as_str()];
    let running = tried(&new, &at).await;
    assert_eq!(running.code, Some(1), "{}", running.err);
    assert!(running.err.contains("median"), "times go to standard error: {}", running.err);
    let again = tried(&new, &at).await;
    assert_eq!(running.out, again.out, "two say the same");
    let reports: Vec<Value> =
        running.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((reports.len(), &reports[1]["compared"]), (2, &Value::from(40)));
    assert!(reports.iter().all(|report| report.get("measured").is_none()));
    let shown = tried(&new, &["--admin", &admin]).await;
    assert!(shown.line("guest ").contains("over 40 requests: 40 equal, 0 differ"), "{}", shown.out);
    assert!(shown.line("memory").starts_with("memory  at most "), "{}", shown.out);

    let stopped = gateway.stop().await;
    let config = stopped.folder().join("hookgate.toml");
    let (config, data) = (config.to_str().unwrap(), stopped.folder().join("data"));
    let copy = stopped.folder().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in stopped.store_files() {
        std::fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
    }
    let before = files(&stopped);
    for folder in [data, copy] {
        let at = ["--json", "--config", config, "--data", folder.to_str().unwrap()];
        let of_folder = tried(&new, &at).await;
        assert_eq!((of_folder.code, &of_folder.out), (Some(1), &running.out), "{}", of_folder.err);
    }
    assert_eq!(files(&stopped), before, "nothing in the folder has changed");
}

/// Without `NotRehearsed` in `exit_code` a script takes a gateway that is away for a difference.
#[tokio::test]
async fn the_exit_code_says_whether_a_version_differs_or_was_not_tried() {
    let gateway = counting(Setup::guest()).await;
    let admin = gateway.admin().to_owned();
    let same = tried(&plugin_file("guest"), &["--admin", &admin]).await;
    assert_eq!(same.code, Some(0), "{}\n{}", same.out, same.err);
    let nothing = tried(&plugin_file("guest"), &["--source", "nobody", "--admin", &admin]).await;
    nothing.failed_with("there was nothing to compare");

    let bad = gateway.folder().join("bad.wasm");
    std::fs::write(&bad, b"no plugin").unwrap();
    let config = gateway.folder().join("hookgate.toml");
    let config = config.to_str().unwrap();
    let data = gateway.folder().join("data");
    let nowhere = gateway.folder().join("nowhere");
    for (file, more, why) in [
        (bad, vec!["--admin", admin.as_str()], "the file is not WebAssembly"),
        (plugin_file("guest"), vec!["--admin", "http://127.0.0.1:1"], "is the gateway running"),
        (
            plugin_file("guest"),
            vec!["--config", config, "--data", data.to_str().unwrap()],
            "is in use by another gateway",
        ),
        (
            plugin_file("guest"),
            vec!["--config", config, "--data", nowhere.to_str().unwrap()],
            "nowhere",
        ),
    ] {
        let ran = tried(&file, &more).await;
        assert_eq!(ran.code, Some(2), "{}\n{}", ran.out, ran.err);
        assert!(ran.err.contains("hookgate: failed to try the plugin: "), "{}", ran.err);
        assert!(ran.err.contains(why), "no `{why}` in {}", ran.err);
    }
}

/// Guards I4. Without `of_json` in `stopped` it does.
#[tokio::test]
async fn a_rehearsal_over_a_folder_shows_no_secret_of_the_configuration() {
    let gateway = Setup::guest().start().await;
    let reason = format!("not {GUEST_TOKEN}");
    gateway.guest(&json!({ "id": "1", "do": "fail", "reason": reason })).await.accepted();
    gateway.settle().await;
    let stopped = gateway.stop().await;
    let new = stopped.folder().join("new.wasm");
    std::fs::write(&new, guest(1, 1)).unwrap();
    let [config, data] = ["hookgate.toml", "data"].map(|name| stopped.folder().join(name));
    let at = ["--config", config.to_str().unwrap(), "--data", data.to_str().unwrap()];

    for format in [&["--json"][..], &[]] {
        let ran = tried(&new, &[&at[..], format].concat()).await;
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.out.contains("permanent -> transient"), "{}", ran.out);
        assert!(ran.out.contains(&format!("not {HIDDEN}")), "{}", ran.out);
        assert!(!ran.out.contains(GUEST_TOKEN) && !ran.err.contains(GUEST_TOKEN), "{}", ran.err);
    }
}
