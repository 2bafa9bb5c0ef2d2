//! What a script learns of a command that failed: the code, and one JSON document.

use serde_json::Value;

use super::{Folder, hookgate};
use crate::harness::{Ran, Setup};

/// Guards the arms of `Exit::of`, each by the answer of a gateway.
#[tokio::test]
async fn the_exit_code_says_what_a_command_failed_of() {
    let gateway = Setup::stripe().start().await;
    let admin = gateway.admin().to_owned();
    let says = async |args: &[&str]| {
        hookgate([args, &["--gateway", admin.as_str(), "--json"]].concat()).await
    };

    let absent = says(&["event", "show", "evt_000000000001000000"]).await;
    let unnamed = says(&["endpoint", "show", "nobody"]).await;
    let refused = says(&["delivery", "list", "--state", "gone"]).await;
    let unreachable =
        hookgate(["delivery", "list", "--json", "--gateway", "http://127.0.0.1:9"]).await;
    says(&["token", "new", "ops", "--scopes", "admin"]).await.succeeded();
    let unknown = says(&["delivery", "list"]).await;
    let usage = hookgate(["delivery", "list", "--json", "--limit", "0"]).await;

    check(&absent, 5, "not_found", "the gateway answered 404: ");
    check(&unnamed, 5, "not_found", "the gateway has no endpoint `nobody`");
    check(&refused, 6, "refused", "the gateway answered 400: `state` must be ");
    check(&unreachable, 3, "unreachable", "failed to reach http://127.0.0.1:9");
    check(&unknown, 4, "not_allowed", "the gateway answered 401: ");
    check(&usage, 2, "not_done", "invalid value '0' for '--limit");
}

#[track_caller]
fn check(ran: &Ran, code: i32, cause: &str, words: &str) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.out, "", "nothing was found");
    let error: Value = serde_json::from_str(&ran.err).expect("it is one JSON document");
    assert_eq!(error["cause"], cause, "{error}");
    assert_eq!(error["code"], code, "{error}");
    assert!(error["error"].as_str().is_some_and(|it| it.starts_with(words)), "{error}");
}

/// Guards the profile's URL, token and paths, and that a name that is missing is said.
#[tokio::test]
async fn a_profile_says_where_a_gateway_is_and_as_whom_to_ask() {
    let gateway = Setup::stripe().start().await;
    let at = ["--gateway", gateway.admin()];
    let made = hookgate([&["token", "new", "ops", "--scopes", "read"][..], &at].concat()).await;
    let folder = Folder::new("", &[]);
    std::fs::create_dir(folder.path("hookgate")).expect("it is new");
    folder.write("hookgate/ops.token", made.succeeded().as_bytes());
    let profile = format!("[live]\nurl = \"{}\"\ntoken_file = \"ops.token\"\n", gateway.admin());
    folder.write("hookgate/profiles.toml", profile.as_bytes());
    let ask = async |profile: &str| {
        let mut command = tokio::process::Command::new(crate::harness::program());
        command.args(["event", "list", "--profile", profile]);
        // The token of another gateway, which does not count where the profile has one.
        command.env("XDG_CONFIG_HOME", folder.path("")).env("HOOKGATE_TOKEN", "hgt_wrong");
        Ran::of(&mut command).await
    };

    let known = ask("live").await;
    let unknown = ask("staging").await;

    assert!(known.succeeded().starts_with("HOOKGATE ID"), "{}", known.out);
    unknown.failed_with("has no profile `staging`; it has: live");
}
