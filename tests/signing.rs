//! Plugins of a folder that more people can write than may decide what runs: only what a trusted
//! key has signed is loaded.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookgate::minisign::{SecretKey, signature_of};
use serde_json::{Value, json};

use crate::harness::{
    Harness, Setup, answer, payment, plugin_file, program, run_of, text, write_script,
};
use crate::rehearsal::ended;
use crate::reload::edition;

const FAILED: &str = "payment_failed";
const PLUGINS: &str = "plugins = \"plugins\"\n";

fn key() -> SecretKey {
    SecretKey::fresh().unwrap()
}

fn built(name: &str) -> Vec<u8> {
    std::fs::read(plugin_file(name)).unwrap()
}

/// Where the configuration says whom it trusts.
fn trusting(keys: &[&SecretKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.public().to_string()).collect();
    format!("[plugins]\nfolder = \"plugins\"\ntrusted_keys = {keys:?}")
}

fn setup(keys: &[&SecretKey]) -> Setup {
    Setup::stripe().plugin("dunning").without(PLUGINS).table(&trusting(keys))
}

/// Has the gateway trust these in place of those.
async fn trust(gateway: &Harness, before: &[&SecretKey], now: &[&SecretKey]) {
    gateway.reconfigure(|config| config.replace(&trusting(before), &trusting(now))).await;
}

fn file(folder: &Path, plugin: &str) -> PathBuf {
    folder.join("plugins").join(format!("{plugin}.wasm"))
}

/// Signs the file of a plugin as it is.
fn sign(folder: &Path, plugin: &str, key: &SecretKey) {
    let file = file(folder, plugin);
    let signature = key.sign(&std::fs::read(&file).unwrap(), "a test");
    std::fs::write(signature_of(&file), signature).unwrap();
}

/// Has the gateway look at its files, and gives what runs of a plugin and why not its file.
async fn look(gateway: &Harness, plugin: &str) -> (Value, String) {
    gateway.reload().await;
    let row = gateway.plugin(plugin).await;
    (row["digest"].clone(), text(&row["refused"]))
}

/// Guards I9. Without `signer` in `Tracked::look`, a look takes what nobody has signed.
#[tokio::test]
async fn a_file_without_a_signature_changes_nothing_and_is_in_the_audit_log() {
    let [team, other] = [key(), key()];
    let prepared = setup(&[&team]).prepare();
    sign(prepared.folder(), "stripe", &team);
    sign(prepared.folder(), "dunning", &team);
    let gateway = prepared.start().await;
    let row = gateway.plugin("dunning").await;
    assert_eq!(row["signed_by"], team.public().id().to_string(), "{row}");

    let next = edition(&built("dunning"), 1);
    gateway.drop_plugin("dunning", &next);
    let with_the_old_signature = look(&gateway, "dunning").await;
    std::fs::remove_file(signature_of(&file(gateway.folder(), "dunning"))).unwrap();
    let without_one = look(&gateway, "dunning").await;
    sign(gateway.folder(), "dunning", &other);
    let signed_by_another = look(&gateway, "dunning").await;
    for ((runs, refused), why) in [
        (with_the_old_signature, "has not signed these bytes"),
        (without_one, "the file is not signed"),
        (signed_by_another, "which is not a trusted one"),
    ] {
        assert_eq!(runs, row["digest"], "the last good one runs on");
        assert!(refused.contains(why), "{refused}");
    }
    loop {
        // It is written down beside everything else.
        let entries = gateway.ask("/v1/audit?limit=500").await.json();
        let of = |entry: &&Value| {
            let refused = text(&entry["after"]["refused"]);
            entry["what"] == "plugin dunning" && refused.contains("the file is not signed")
        };
        if let Some(entry) = entries["items"].as_array().into_iter().flatten().find(of) {
            let [outcome, who] = ["outcome", "who"].map(|key| text(&entry[key]));
            assert_eq!((outcome.as_str(), who.as_str()), ("refused", "the files"));
            break;
        }
    }

    sign(gateway.folder(), "dunning", &team);
    let (runs, refused) = look(&gateway, "dunning").await;
    assert!(runs != row["digest"] && refused.is_empty(), "a signature may come later: {refused}");
}

/// Without `distrust` in `Live::take`, no key can be revoked.
#[tokio::test]
async fn a_key_that_is_not_trusted_any_more_stops_what_it_signed_until_it_is_again() {
    let [team, leaver] = [key(), key()];
    let prepared = setup(&[&team, &leaver]).prepare();
    sign(prepared.folder(), "stripe", &team);
    sign(prepared.folder(), "dunning", &leaver);
    let gateway = prepared.start().await;

    trust(&gateway, &[&team, &leaver], &[&team]).await;
    let (runs, refused) = look(&gateway, "dunning").await;
    assert!(runs.is_null() && refused.contains("which is not a trusted one"), "{refused}");
    gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.accepted();
    gateway.settle().await;
    assert_eq!(gateway.event("evt_1").await["runs"], json!([]), "stripe is signed by another");
    trust(&gateway, &[&team], &[&team, &leaver]).await;
    let (runs, refused) = look(&gateway, "dunning").await;
    assert!(runs.is_string() && refused.is_empty(), "{refused}");
    gateway.stripe(&payment("evt_2", "pi_1", FAILED)).await.accepted();
    gateway.settle().await;

    assert_eq!(run_of(&gateway.event("evt_2").await, "dunning")["state"], "done");
}

#[tokio::test]
async fn what_is_signed_runs_on_when_a_gateway_begins_to_trust_keys() {
    let team = key();
    let gateway = Setup::stripe().plugin("dunning").start().await;
    let before = gateway.plugin("stripe").await;
    assert!(before.get("signed_by").is_none(), "{before}");
    sign(gateway.folder(), "stripe", &team);

    let table = trusting(&[&team]);
    gateway.reconfigure(|config| config.replace(PLUGINS, "") + "\n" + &table + "\n").await;
    let (stripe, refused) = look(&gateway, "stripe").await;
    assert_eq!((&stripe, refused.as_str()), (&before["digest"], ""));
    let (dunning, refused) = look(&gateway, "dunning").await;
    assert!(dunning.is_null() && refused.contains("the file is not signed"), "{refused}");
    gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.accepted();
}

/// A compiler that adds a line to a file whenever it is called.
fn noting_compiler(folder: &Path) -> PathBuf {
    let path = folder.join("compiler");
    let script = format!(
        "#!/bin/sh\necho called >> '{}'\nexec '{}' \"$@\"\n",
        folder.join("calls").display(),
        program().display()
    );
    write_script(&path, &script);
    path
}

/// Guards I12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compiler_never_sees_a_file_that_nobody_has_signed() {
    let folder = tempfile::tempdir().unwrap();
    let team = key();
    let prepared = setup(&[&team])
        .compiled_by(noting_compiler(folder.path()))
        .plugin_of("guest", b"\0asm of a stranger".to_vec())
        .prepare();
    sign(prepared.folder(), "stripe", &team);
    let gateway = prepared.start().await;
    let calls = || std::fs::read_to_string(folder.path().join("calls")).unwrap().lines().count();

    let (runs, _) = look(&gateway, "stripe").await;
    assert!(runs.is_string());
    for unsigned in ["dunning", "guest"] {
        let (runs, refused) = look(&gateway, unsigned).await;
        assert!(runs.is_null() && refused.contains("the file is not signed"), "{refused}");
    }
    assert_eq!(calls(), 1, "for what is signed");
    sign(gateway.folder(), "dunning", &team);
    let (runs, refused) = look(&gateway, "dunning").await;
    assert!(runs.is_string() && calls() == 2, "{refused}");
}

/// Without `signer_of` in `load_version`, whoever may write has any file run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_tried_is_signed_or_no_compiler_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let [team, other] = [key(), key()];
    let prepared = setup(&[&team]).compiled_by(noting_compiler(folder.path())).prepare();
    sign(prepared.folder(), "stripe", &team);
    sign(prepared.folder(), "dunning", &team);
    let gateway = prepared.start().await;
    gateway.reload().await;
    let calls = || std::fs::read_to_string(folder.path().join("calls")).unwrap().lines().count();
    let new = edition(&built("dunning"), 1);
    let before = calls();

    let url = format!("{}/v1/rehearsals?plugin=dunning", gateway.admin());
    let post = |signature: Option<&SecretKey>| {
        let post = gateway.client().post(&url).header("content-type", "application/octet-stream");
        let post = post.body(new.clone());
        match signature.map(|key| BASE64.encode(key.sign(&new, "a test"))) {
            Some(text) => answer(post.header("hookgate-signature", text)),
            None => answer(post.header("accept", "*/*")),
        }
    };
    for (signature, why) in
        [(None, "the file is not signed"), (Some(&other), "which is not a trusted one")]
    {
        let refused = post(signature).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(text(&refused.json()["detail"]).contains(why), "{}", refused.body);
    }
    assert_eq!(calls(), before, "no compiler has seen it");
    let begun = post(Some(&team)).await;
    let row = ended(&gateway, &begun).await;
    assert_eq!((&row["state"], calls()), (&json!("done"), before + 1), "{row}");
}

/// The same where no gateway runs: the signature lies beside the file.
#[tokio::test]
async fn a_version_that_is_tried_over_a_folder_is_signed_too() {
    let team = key();
    let prepared = setup(&[&team]).prepare();
    sign(prepared.folder(), "stripe", &team);
    sign(prepared.folder(), "dunning", &team);
    let gateway = prepared.start().await;
    gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.accepted();
    gateway.settle().await;
    let stopped = gateway.stop().await;
    let new = stopped.folder().join("dunning.wasm");
    std::fs::write(&new, edition(&built("dunning"), 1)).unwrap();
    let data = stopped.folder().join("data");
    let tried = async || {
        let mut command = tokio::process::Command::new(program());
        let config = stopped.folder().join("hookgate.toml");
        command.args(["plugin", "try"]).arg(&new).arg("--config").arg(config);
        let ran = command.arg("--data").arg(&data).output().await.unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };

    let (code, said) = tried().await;
    assert!(code == Some(2) && said.contains("the file is not signed"), "{said}");
    let signature = team.sign(&std::fs::read(&new).unwrap(), "a test");
    std::fs::write(signature_of(&new), signature).unwrap();
    let (code, said) = tried().await;
    assert_eq!(code, Some(0), "{said}");
}
