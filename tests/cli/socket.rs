//! The operators' port as a socket in the file system.

use std::os::unix::fs::PermissionsExt;

use super::hookgate;
use crate::harness::{Harness, Setup};

/// A gateway whose admin port is a socket in its folder.
async fn start() -> Harness {
    let stopped = Setup::stripe().prepare();
    let path = stopped.folder().join("hookgate.toml");
    let config = std::fs::read_to_string(&path).expect("it is there");
    let config = config.replace("\"127.0.0.1:0\"\ndata", "\"unix:admin.sock\"\ndata");
    assert!(config.contains("unix:admin.sock"), "{config}");
    std::fs::write(&path, config).expect("it can be written");
    stopped.start().await
}

#[tokio::test]
async fn operators_ask_over_a_socket_that_only_the_gateways_own_user_may_open() {
    let gateway = start().await;
    let path = gateway.folder().join("admin.sock");
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (at, file) = (format!("unix:{}", path.display()), gateway.folder().join("hookgate.toml"));
    let file = file.to_str().expect("it is text");

    let listed = hookgate(["event", "list", "--admin", &at]).await;
    assert!(listed.succeeded().starts_with("HOOKGATE ID"), "{}", listed.out);
    let listed = hookgate(["event", "list", "--config", file]).await;
    assert!(listed.succeeded().starts_with("HOOKGATE ID"), "{}", listed.out);
    // Once there is a token, the socket needs one too.
    let made = hookgate(["token", "new", "ops", "--scopes", "admin", "--admin", &at]).await;
    assert!(made.succeeded().starts_with("hgt_"), "{}", made.out);
    let refused = hookgate(["event", "list", "--admin", &at]).await;
    refused.failed_with("the gateway answered 401: this request needs a token");

    let stopped = gateway.stop().await;
    assert!(!path.exists(), "it goes with the gateway");
    drop(stopped);
}
