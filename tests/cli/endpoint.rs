//! `hookgate endpoint`: made, changed, exported and imported from the command line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::{Ran, hookgate};
use crate::harness::{GUEST_TOKEN, Harness, Receiver, Setup, text};

const MASTER: &str = "b3a1c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// With the source `guest` and a master key, and an endpoint `shop` of the configuration.
async fn start(receiver: &Receiver) -> Harness {
    let prepared = Setup::new()
        .table("master_key = { file = \"master\" }")
        .plugin("guest")
        .source("guest", "guest", &format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]"))
        .endpoint("shop", receiver, &["shop.*"])
        .prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    prepared.start().await
}

async fn endpoint(gateway: &Harness, args: &[&str]) -> Ran {
    hookgate([&["endpoint"][..], args, &["--admin", gateway.admin()]].concat()).await
}

fn path(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

#[tokio::test]
async fn an_endpoint_is_made_with_a_secret_that_is_printed_once_and_stands_as_it_is_said() {
    let receiver = Receiver::start().await;
    let gateway = start(&receiver).await;
    let url = receiver.url();
    let credential = gateway.folder().join("credential");
    std::fs::write(&credential, r#"{"bearer": "sesame-of-the-shop"}"#).unwrap();
    let add = ["add", "crm", url, "--events", "order.*,refund.made", "--header", "x-team=a"];
    let credential = ["--credential-file", path(&credential)];
    let made = endpoint(&gateway, &[&add[..], &credential].concat()).await;
    let secret = made.succeeded().trim().to_owned();
    assert!(secret.starts_with("whsec_"), "{}", made.out);
    assert!(made.err.contains("the endpoint `crm` is ep_"), "{}", made.err);
    let tenants =
        ["add", "crm", url, "--events", "*", "--tenant", "acme", "--json", "--rate", "10/s"];
    let tenants: Value =
        serde_json::from_str(endpoint(&gateway, &tenants).await.succeeded()).unwrap();
    assert_eq!((&tenants["tenant"], &tenants["rate"]), (&json!("acme"), &json!("10/s")));
    assert!(text(&tenants["secrets"][0]["value"]).starts_with("whsec_"));

    gateway.guest(&json!({ "id": "1", "type": "order.paid" })).await.accepted();
    let received = receiver.arrived(1).await;
    assert!(received[0].is_signed_with(&secret));
    let headers = ["authorization", "x-team"].map(|name| received[0].header(name));
    assert_eq!(headers, ["Bearer sesame-of-the-shop", "a"]);
    let listed = endpoint(&gateway, &["list"]).await;
    assert_eq!(listed.succeeded().lines().count(), 4, "{}", listed.out);
    let rows = endpoint(&gateway, &["list", "--json", "--tenant", "acme"]).await;
    let row: Value = serde_json::from_str(rows.succeeded()).unwrap();
    assert_eq!(row["id"], tenants["id"]);

    // A name alone is the operator's.
    let paused = endpoint(&gateway, &["pause", "crm"]).await;
    assert!(paused.succeeded().trim().ends_with("  paused"), "{}", paused.out);
    let shown = async |called: &str| -> Value {
        let shown = endpoint(&gateway, &["show", called, "--json"]).await;
        serde_json::from_str(shown.succeeded()).unwrap()
    };
    assert_eq!(shown("crm").await["state"], "paused");
    assert_eq!(shown("acme/crm").await["state"], "enabled");
    assert_eq!(shown(&text(&tenants["id"])).await["tenant"], "acme");
    for (act, state) in [("resume", "enabled"), ("disable", "disabled"), ("enable", "enabled")] {
        endpoint(&gateway, &[act, "crm"]).await.succeeded();
        assert_eq!(shown("crm").await["state"], state);
    }
    endpoint(&gateway, &["pause", "shop"]).await.succeeded();

    let deleted = endpoint(&gateway, &["delete", "crm"]).await;
    assert!(deleted.succeeded().trim().ends_with("  deleted"), "{}", deleted.out);
    let again = endpoint(&gateway, &["delete", "crm"]).await;
    again.failed_with("the operator has no endpoint `crm`; did you mean `acme/crm`?");
    let unknown = endpoint(&gateway, &["show", "nobody"]).await;
    unknown.failed_with("the gateway has no endpoint `nobody`");
}

#[tokio::test]
async fn a_secret_goes_to_a_file_that_only_its_owner_reads_and_a_ping_is_signed_with_it() {
    let receiver = Receiver::start().await;
    let gateway = start(&receiver).await;
    let add = ["add", "crm", receiver.url(), "--events", "order.*"];
    let old = endpoint(&gateway, &add).await.succeeded().trim().to_owned();
    let file = gateway.folder().join("new");
    let rotate = ["rotate", "crm", "--overlap", "1h", "--secret-file", path(&file)];
    let rotated = endpoint(&gateway, &rotate).await;
    assert!(!rotated.succeeded().contains("whsec_"), "{}", rotated.out);
    let new = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    endpoint(&gateway, &rotate).await.failed_with("failed to make the file");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), new, "it was not replaced");

    let pinged = endpoint(&gateway, &["ping", "crm", "--json"]).await;
    let pinged: Value = serde_json::from_str(pinged.succeeded()).unwrap();
    let received = receiver.arrived(1).await;
    assert_eq!(received[0].header("webhook-id"), text(&pinged["delivery"]));
    assert!(received[0].is_signed_with(&old) && received[0].is_signed_with(&new));
    let refused = ["add", "crm", receiver.url(), "--events", "*", "--secret-file"];
    let unused = gateway.folder().join("unused");
    let refused = endpoint(&gateway, &[&refused[..], &[path(&unused)]].concat()).await;
    refused.failed_with("the gateway answered 409");
    assert!(!unused.exists(), "there was no secret for it");
}

/// Guards that what lives in a repository and what the gateway has are the same.
#[tokio::test]
async fn what_is_exported_is_imported_again_without_a_step_and_a_plan_needs_a_yes() {
    let receiver = Receiver::start().await;
    let gateway = start(&receiver).await;
    for more in [&["--rate", "10/s"][..], &["--tenant", "acme"], &["--tenant", "globex"]] {
        let add = ["add", "crm", receiver.url(), "--events", "order.*"];
        endpoint(&gateway, &[&add[..], more].concat()).await.succeeded();
    }
    let file = gateway.folder().join("endpoints.toml");
    let exported = endpoint(&gateway, &["export"]).await.succeeded().to_owned();
    assert_eq!(exported.matches("[[endpoint]]").count(), 3, "{exported}");
    assert!(!exported.contains("shop") && !exported.contains("whsec_"), "{exported}");
    let import = async |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        endpoint(&gateway, &[&["import", path(&file)][..], more].concat()).await
    };
    let same = import(&exported, &[]).await;
    assert_eq!((same.succeeded(), same.err.trim()), ("", "steps: 0, unchanged: 3"));

    let label = "managed = \"repository\"\n\n";
    let managed = format!("{label}{exported}");
    assert_eq!(import(&managed, &["--yes"]).await.succeeded().matches("metadata").count(), 3);
    let (first, rest) = exported.split_once("\n\n").unwrap();
    let (second, _) = rest.split_once("\n\n").unwrap();
    let new = "[[endpoint]]\nname = \"erp\"\nurl = \"https://erp.example\"\nevents = [\"*\"]";
    let second = second.replace("order.*", "refund.*");
    let wanted = format!("{label}{first}\n\n{second}\n\n{new}\n");
    let plan = import(&wanted, &["--prune"]).await;
    assert_eq!(plan.code, Some(2), "{}", plan.err);
    let steps = ["change  acme/crm: events", "create  erp", "remove  globex/crm"];
    assert_eq!(plan.out.lines().collect::<Vec<_>>(), steps);
    assert!(plan.err.contains("nothing was changed"), "{}", plan.err);
    assert_eq!(import(&wanted, &["--prune"]).await.out, plan.out, "nothing was changed");

    let secrets = gateway.folder().join("secrets");
    let apply = ["--prune", "--yes", "--secret-file", path(&secrets)];
    import(&wanted, &apply).await.succeeded();
    let secrets = std::fs::read_to_string(secrets).unwrap();
    assert!(secrets.starts_with("erp whsec_") && secrets.lines().count() == 1, "{secrets}");
    assert_eq!(import(&wanted, &["--prune"]).await.succeeded(), "");
    let wrong = import("[[endpoint]]\nname = \"a\"\nurl = \"ftp://a\"\nevents = []", &[]).await;
    wrong.failed_with("the endpoint `a`: `url`: must be a URL");
    let taken = import("[[endpoint]]\nname = \"shop\"\nurl = \"https://a\"\nevents = []", &[]);
    taken.await.failed_with("the endpoint `shop` is in the configuration");
}
