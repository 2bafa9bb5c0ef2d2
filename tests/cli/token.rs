//! `hookgate token`: made, sent, revoked, and made anew on a store that nobody can ask any more.

use std::path::Path;

use tokio::process::Command;

use super::{CONFIG, Folder};
use crate::harness::{Harness, Ran, Setup, program};

/// Runs a command with this token in the environment.
async fn hookgate(token: Option<&str>, args: &[&str]) -> Ran {
    let mut command = Command::new(program());
    command.args(args).env_remove("HOOKGATE_TOKEN");
    if let Some(token) = token {
        command.env("HOOKGATE_TOKEN", token);
    }
    Ran::of(&mut command).await
}

/// Makes a token from the command line.
async fn new(gateway: &Harness, by: Option<&str>, name: &str, scopes: &str) -> String {
    let args = ["token", "new", name, "--scopes", scopes, "--admin", gateway.admin()];
    let made = hookgate(by, &args).await;
    made.succeeded();
    assert!(made.err.contains("the gateway never shows it again"), "{}", made.err);
    let token = made.out.trim();
    assert!(token.starts_with("hgt_") && token.len() == 47, "{token}");
    token.to_owned()
}

#[tokio::test]
async fn commands_send_the_token_of_the_environment_or_of_a_file() {
    let gateway = Setup::stripe().start().await;
    let ops = new(&gateway, None, "ops", "admin").await;
    let ci = new(&gateway, Some(&ops), "ci", "read,replay").await;
    let at = ["--admin", gateway.admin()];
    let list = [&["event", "list"][..], &at].concat();

    hookgate(None, &list).await.failed_with("the gateway answered 401: this request needs a token");
    assert!(hookgate(Some(&ci), &list).await.succeeded().starts_with("HOOKGATE ID"));
    let file = gateway.folder().join("token");
    std::fs::write(&file, format!("{ci}\n")).expect("it can be written");
    let file = file.to_str().expect("it is text");
    let from_file = [&list[..], &["--token-file", file]].concat();
    // The file is meant, whatever the environment has.
    assert!(hookgate(Some("hgt_wrong"), &from_file).await.succeeded().starts_with("HOOKGATE ID"));

    let tokens = [&["token", "list"][..], &at].concat();
    let refused = "the gateway answered 403: the token `ci` does not have the scope `admin`";
    hookgate(Some(&ci), &tokens).await.failed_with(refused);
    let listed = hookgate(Some(&ops), &tokens).await;
    assert!(listed.line("ci ").contains("read,replay"), "{}", listed.out);

    hookgate(Some(&ops), &[&["token", "revoke", "ci"][..], &at].concat()).await.succeeded();
    hookgate(Some(&ci), &list).await.failed_with("the gateway answered 401: the gateway knows no");
}

#[tokio::test]
async fn who_has_no_token_any_more_makes_one_while_the_gateway_is_stopped() {
    let gateway = Setup::stripe().start().await;
    let lost = new(&gateway, None, "lost", "read").await;
    let data = gateway.folder().join("data");
    let reset = async |place: &Path, more: &[&str]| {
        let place = place.to_str().expect("it is text");
        hookgate(None, &[&["token", "reset", place][..], more].concat()).await
    };
    reset(&data, &[]).await.failed_with("is in use by another gateway");

    let stopped = gateway.stop().await;
    let made = reset(&stopped.folder().join("hookgate.toml"), &[]).await;
    let token = made.succeeded().trim().to_owned();
    let gateway = stopped.start().await;
    let list = ["token", "list", "--admin", gateway.admin()];
    hookgate(Some(&lost), &list).await.failed_with("the gateway answered 401");
    let listed = hookgate(Some(&token), &list).await;
    assert!(listed.line("admin ").contains("admin"), "{}", listed.out);
    assert!(!listed.out.contains("lost"), "{}", listed.out);

    let stopped = gateway.stop().await;
    reset(&data, &["--open"]).await.succeeded();
    let gateway = stopped.start().await;
    let list = ["token", "list", "--admin", gateway.admin()];
    hookgate(None, &list).await.succeeded();

    let none = tempfile::tempdir().expect("a temporary folder");
    reset(none.path(), &[]).await.failed_with("has no store");
    assert_eq!(none.path().read_dir().expect("it is there").count(), 0, "a reset makes no store");
}

#[tokio::test]
async fn an_admin_port_that_others_reach_is_not_opened_without_a_token() {
    let config = CONFIG.replace("admin   = \"127.0.0.1:0\"", "admin   = \"0.0.0.0:0\"");
    let folder = Folder::new(&format!("behind_proxy = true\n{config}"), &[]);
    let config = folder.path("hookgate.toml");
    let config = config.to_str().expect("it is text");

    let served = hookgate(None, &["serve", "--config", config]).await;

    served
        .failed_with("`admin` is 0.0.0.0:0, which other machines can reach, and there is no token");
    // One of an older format would be upgraded.
    assert!(!folder.path("data").join("hookgate.redb").exists(), "no store was opened");
}
