//! `hookgate plugin` and `hookgate provider` on files, without a gateway.

use super::{Folder, hookgate};
use crate::harness::plugin_file;

#[tokio::test]
async fn inspect_says_what_a_plugin_is() {
    let file = plugin_file("stripe");

    let stripe = hookgate(["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]).await;
    let file = plugin_file("dunning");
    let dunning = hookgate(["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]).await;

    stripe.succeeded();
    assert_eq!(stripe.line("name"), "name     stripe");
    assert_eq!(stripe.line("exports"), "exports  hookgate:plugin/provider@0.2.0");
    assert!(!stripe.line("imports").contains("outbox"), "a provider sends nothing");
    assert!(!stripe.out.contains("wasi"), "{}", stripe.out);
    assert_eq!(stripe.line("contract"), "contract hookgate:plugin@0.2.0");
    dunning.succeeded();
    assert_eq!(dunning.line("sdk"), "sdk      0.1.0");
    assert!(dunning.out.contains("send to the endpoints that [handlers.dunning] grants"));
    assert!(dunning.line("handler").ends_with(": payment.failed, payment.succeeded"));
    assert!(dunning.line("imports").contains("hookgate:plugin/outbox@0.2.0"));
}

#[tokio::test]
async fn inspect_says_why_a_file_is_no_plugin() {
    let folder = Folder::new("", &[]);
    let broken = folder.write("broken.wasm", b"\0asm but no plugin");
    let other = folder.write("plugin.txt", b"");

    let broken = hookgate(["plugin".as_ref(), "inspect".as_ref(), broken.as_os_str()]).await;
    let other = hookgate(["plugin".as_ref(), "inspect".as_ref(), other.as_os_str()]).await;
    let missing = hookgate(["plugin", "inspect", "no/such.wasm"]).await;

    broken.failed_with("broken.wasm: ");
    other.failed_with("plugin.txt is not a .wasm file");
    missing.failed_with("failed to read no/such.wasm");
}

#[tokio::test]
async fn what_is_no_crate_can_not_be_built() {
    let folder = Folder::new("", &[]);
    let empty = folder.path("plugins");
    let out = folder.path("out");

    let built = hookgate([
        "plugin".as_ref(),
        "build".as_ref(),
        empty.as_os_str(),
        "--out".as_ref(),
        out.as_os_str(),
    ])
    .await;

    built.failed_with(&format!("failed to build {}", empty.display()));
    assert!(built.err.contains("Cargo.toml"), "{}", built.err);
    assert!(!out.exists() || std::fs::read_dir(out).unwrap().next().is_none());
}

#[tokio::test]
async fn providers_are_listed_with_what_they_say_of_themselves() {
    let folder = Folder::new("", &["stripe", "braintree", "dunning"]);
    let list = ["provider", "list", "--plugins"].map(std::ffi::OsString::from);
    let plugins = folder.0.path().join("plugins").into_os_string();

    let listed = hookgate(list.iter().cloned().chain([plugins])).await;
    let nobody = hookgate(list.into_iter().chain([folder.0.path().as_os_str().to_owned()])).await;

    assert!(listed.succeeded().starts_with("braintree "), "{}", listed.out);
    assert_eq!(listed.line("challenge"), "challenge GET");
    assert!(listed.line("scheme").contains("HMAC-SHA1"), "{}", listed.out);
    assert!(listed.out.contains("payment_intent.payment_failed"), "{}", listed.out);
    assert!(!listed.out.contains("dunning"), "a handler is no provider");
    nobody.failed_with("found no provider plugin in ");
}
