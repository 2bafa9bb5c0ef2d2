//! Files that change while requests flow: plugins, the configuration, who may do what.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::dispatch::unparsed;
use crate::harness::{
    Flow, Harness, Receiver, Setup, payment, plugin_file, run_of, stands, text, texts,
};

const FAILED: &str = "payment_failed";

fn built(name: &str) -> Vec<u8> {
    std::fs::read(plugin_file(name)).unwrap()
}

/// The same plugin in another file: with a custom section of one more byte.
pub(crate) fn edition(wasm: &[u8], number: u8) -> Vec<u8> {
    let name = b"edition";
    let size = u8::try_from(1 + name.len() + 1).unwrap();
    let section = [&[0, size, u8::try_from(name.len()).unwrap()][..], name, &[number]].concat();
    [wasm, &section].concat()
}

/// Has the gateway look at its files, and checks what that says of one plugin; who watches the
/// files may have seen the change first, and then it says nothing.
async fn reload(gateway: &Harness, plugin: &str, outcome: &str) {
    let report = gateway.reload().await;
    for row in report["plugins"].as_array().into_iter().flatten() {
        assert_eq!((&row["plugin"], &row["outcome"]), (&json!(plugin), &json!(outcome)), "{row}");
    }
}

/// The file in the folder is what runs.
async fn check_loaded(gateway: &Harness, plugin: &str, wasm: &[u8]) {
    let row = gateway.plugin(plugin).await;
    assert_eq!(row["digest"], hex::encode(Sha256::digest(wasm)), "{row}");
    assert!(row["refused"].is_null(), "{row}");
}

/// The file in the folder is not what runs, for this reason. Gives what does.
async fn check_refused(gateway: &Harness, plugin: &str, reason: &str) -> Value {
    let row = gateway.plugin(plugin).await;
    assert!(text(&row["refused"]).contains(reason), "{row}");
    row["digest"].clone()
}

/// Stripe, dunning, and an endpoint for its notices.
async fn with_dunning(receiver: &Receiver) -> Harness {
    Setup::stripe()
        .endpoint("crm", receiver, &["customer.*"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .start()
        .await
}

async fn fail(gateway: &Harness, event_id: &str) {
    gateway.stripe(&payment(event_id, "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
}

/// How many failures in a row the last notice speaks of.
fn failures(receiver: &Receiver) -> Option<u64> {
    receiver.received().last()?.json()["data"]["failures"].as_u64()
}

/// Guards I9.
#[tokio::test]
async fn replacing_a_plugin_under_load_loses_no_event_and_fails_no_request() {
    let receiver = Receiver::start().await;
    let gateway = Arc::new(with_dunning(&receiver).await);
    let dunning = built("dunning");

    let flowing = gateway.clone();
    let mut flow = Flow::start(move |number| {
        let gateway = flowing.clone();
        let body = payment(&format!("evt_{number}"), &format!("pi_{}", number % 50), FAILED);
        async move { gateway.stripe(&body).await }
    });
    let (mut good, mut bad) = (dunning.clone(), 0);
    for number in 0..20_u8 {
        flow.answers(10).await;
        let next = edition(&dunning, number);
        let refused = match number {
            4 | 9 | 14 => {
                gateway.drop_plugin("dunning", &[number; 5_000]);
                "the file is not WebAssembly"
            }
            17 => {
                let file = gateway.folder().join("plugins/dunning.wasm");
                std::fs::write(file, &next[..next.len() / 2]).unwrap();
                "a part of the file is missing"
            }
            _ => {
                gateway.drop_plugin("dunning", &next);
                reload(&gateway, "dunning", "loaded").await;
                check_loaded(&gateway, "dunning", &next).await;
                good = next;
                continue;
            }
        };
        reload(&gateway, "dunning", "kept").await;
        let runs = check_refused(&gateway, "dunning", refused).await;
        assert_eq!(runs, hex::encode(Sha256::digest(&good)), "the last good one runs on");
        bad += 1;
    }
    let answers = flow.end().await;
    gateway.settle().await;

    assert_eq!(bad, 4);
    assert!(answers.len() >= 200, "{}", answers.len());
    for answer in &answers {
        answer.accepted();
    }
    let notices = receiver.received();
    let about: BTreeSet<_> = notices.iter().map(|it| text(&it.json()["data"]["event"])).collect();
    assert_eq!((notices.len(), about.len()), (answers.len(), answers.len()));
    assert_eq!(receiver.ids().len(), answers.len());
    assert_eq!(gateway.dead().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_plugin_may_be_dropped_in_while_the_gateway_runs() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe()
        .endpoint("crm", &receiver, &["customer.*"])
        .table("[handlers.dunning]\nendpoints = [\"crm\"]")
        .start()
        .await;

    fail(&gateway, "evt_1").await;
    gateway.drop_plugin("dunning", &built("dunning"));
    reload(&gateway, "dunning", "loaded").await;
    fail(&gateway, "evt_2").await;

    check_loaded(&gateway, "dunning", &built("dunning")).await;
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(gateway.event("evt_1").await["runs"], json!([]));
    assert_eq!(run_of(&gateway.event("evt_2").await, "dunning")["state"], "done");
}

/// Without `set_rules` in `Live::apply` the plugin keeps what it began with.
#[tokio::test]
async fn a_reload_gives_a_plugin_other_bounds_from_its_next_call_on() {
    let gateway = Setup::guest().start().await;
    let lines = async |id: &str| {
        gateway.guest(&json!({ "id": id, "do": "log", "lines": 5 })).await.accepted();
        gateway.settle().await;
        let run = run_of(&gateway.event(id).await, "guest");
        texts(&run["tries"][0]["log"], "message").len()
    };

    assert_eq!(lines("1").await, 5);
    let table = "plugins = { folder = \"plugins\", guest = { log_lines = 2 } }";
    gateway.reconfigure(|config| config.replace("plugins = \"plugins\"", table)).await;
    assert_eq!(lines("2").await, 3);
    gateway.reconfigure(|config| config.replace(table, "plugins = \"plugins\"")).await;
    assert_eq!(lines("3").await, 5);
}

/// Without `Source::stamp` a receipt names no plugin; without its look at the digest, the first.
#[tokio::test]
async fn a_receipt_says_which_version_of_its_plugin_claimed_it() {
    let gateway = Setup::stripe().start().await;
    let versions = [built("stripe"), edition(&built("stripe"), 1)];
    let mut ids = Vec::new();
    for (number, wasm) in versions.iter().enumerate() {
        gateway.drop_plugin("stripe", wasm);
        reload(&gateway, "stripe", "loaded").await;
        let event = payment(&format!("evt_{number}"), "pi_1", FAILED);
        ids.push(gateway.stripe(&event).await.accepted());
    }
    gateway.settle().await;

    for (id, wasm) in ids.iter().zip(&versions) {
        let claimed = gateway.receipt(id).await["claimed_by"].clone();
        let digest = hex::encode(Sha256::digest(wasm));
        assert_eq!((&claimed["name"], &claimed["digest"]), (&json!("stripe"), &json!(digest)));
    }
}

#[tokio::test]
async fn a_plugin_that_is_removed_runs_no_more() {
    let receiver = Receiver::start().await;
    let gateway = with_dunning(&receiver).await;

    fail(&gateway, "evt_1").await;
    std::fs::remove_file(gateway.folder().join("plugins/dunning.wasm")).unwrap();
    reload(&gateway, "dunning", "removed").await;
    fail(&gateway, "evt_2").await;

    let row = gateway.plugin("dunning").await;
    assert_eq!((&row["missing"], &row["waiting"]), (&json!(true), &json!(1)));
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_provider_that_is_removed_is_not_ready_and_its_return_is() {
    let gateway = Setup::stripe().start().await;
    let file = gateway.folder().join("plugins/stripe.wasm");

    std::fs::remove_file(&file).unwrap();
    gateway.reload().await;
    let refused = gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await;
    let unready = gateway.ask("/readyz").await;
    std::fs::write(&file, built("stripe")).unwrap();
    gateway.reload().await;

    assert_eq!((refused.status, unready.status), (503, 503));
    let why = "source stripe: plugin stripe is not loaded";
    assert_eq!(unready.json()["missing"], json!([why]));
    let reason = json!({ "name": "plugin_missing", "source": "stripe", "detail": why });
    assert_eq!(unready.json()["reasons"], json!([reason]));
    assert_eq!(gateway.ask("/readyz").await.status, 200);
    gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.accepted();
}

#[tokio::test]
async fn a_plugins_folder_that_is_gone_is_named_and_what_runs_runs_on() {
    let gateway = Setup::stripe().start().await;
    let (plugins, aside) =
        (gateway.folder().join("plugins"), gateway.folder().join("plugins.aside"));

    std::fs::rename(&plugins, &aside).unwrap();
    let report = gateway.reload().await;
    let unready = gateway.ask("/readyz").await;
    fail(&gateway, "evt_1").await;
    std::fs::rename(&aside, &plugins).unwrap();
    let again = gateway.reload().await;

    let why = format!("failed to read the plugins folder {}: No such file", plugins.display());
    assert!(text(&report["error"]).starts_with(&why), "{report}");
    assert_eq!(report["plugins"], json!([]));
    assert_eq!(
        (unready.status, unready.json()["missing"].clone()),
        (503, json!([report["error"]]))
    );
    let reason = json!({ "name": "plugins_folder", "detail": report["error"] });
    assert_eq!(unready.json()["reasons"], json!([reason]));
    assert_eq!((&again["error"], &again["plugins"]), (&Value::Null, &json!([])));
    assert_eq!(gateway.ask("/readyz").await.status, 200);
    check_loaded(&gateway, "stripe", &built("stripe")).await;
}

#[tokio::test]
async fn a_file_whose_name_is_no_plugin_s_is_refused_by_name() {
    let gateway = Setup::stripe().start().await;

    gateway.drop_plugin("My Plugin", &built("dunning"));
    reload(&gateway, "My Plugin", "refused").await;
    let again = gateway.reload().await;
    check_refused(&gateway, "My Plugin", "the file's name is not that of a plugin").await;
    std::fs::remove_file(gateway.folder().join("plugins/My Plugin.wasm")).unwrap();
    gateway.reload().await;

    assert_eq!(again["plugins"], json!([]), "it is said once");
    assert_eq!(gateway.plugin("My Plugin").await, Value::Null);
}

#[tokio::test]
async fn a_link_out_of_the_folder_is_refused_until_it_is_gone() {
    let gateway = Setup::stripe().start().await;
    let link = gateway.folder().join("plugins/dunning.wasm");

    symlink(plugin_file("dunning"), &link).unwrap();
    reload(&gateway, "dunning", "refused").await;
    let again = gateway.reload().await;
    let reason = "a link to a place outside of the plugins folder";
    let runs = check_refused(&gateway, "dunning", reason).await;
    std::fs::remove_file(link).unwrap();
    gateway.reload().await;

    assert_eq!((runs, &again["plugins"]), (Value::Null, &json!([])));
    assert_eq!(gateway.plugin("dunning").await, Value::Null);
}

#[tokio::test]
async fn a_bad_file_that_is_removed_together_with_a_change_takes_the_plugin_along() {
    let receiver = Receiver::start().await;
    let gateway = with_dunning(&receiver).await;

    gateway.drop_plugin("dunning", b"not a plugin");
    reload(&gateway, "dunning", "kept").await;
    check_refused(&gateway, "dunning", "the file is not WebAssembly").await;
    std::fs::remove_file(gateway.folder().join("plugins/dunning.wasm")).unwrap();
    gateway.reconfigure(|config| config + "\n# changed\n").await;

    assert_eq!(gateway.plugin("dunning").await, Value::Null);
}

/// Guards I9.
#[tokio::test]
async fn settings_that_a_plugin_refuses_keep_the_old_ones() {
    let receiver = Receiver::start().await;
    let gateway = with_dunning(&receiver).await;
    let with_config = |alert_after: u32| {
        move |config: String| {
            let grants = "endpoints = [\"crm\"]";
            let config = config.split("\nconfig = ").next().unwrap_or_default().to_owned();
            config.replace(grants, &format!("{grants}\nconfig = {{ alert_after = {alert_after} }}"))
        }
    };

    gateway.rewrite_config(with_config(0));
    let refused = gateway.reload().await;
    fail(&gateway, "evt_1").await;
    let alerts_before = gateway.events("type=hookgate.alert").await.len();
    gateway.reconfigure(with_config(2)).await;
    fail(&gateway, "evt_2").await;

    assert_eq!(refused["config"]["outcome"], "kept");
    let reason = "plugin dunning refuses the config of [handlers.dunning]: `alert_after` must be \
                  a whole number from 1 to 1000";
    assert_eq!(refused["config"]["reason"], reason);
    let alerts = gateway.events("type=hookgate.alert").await.len();
    assert_eq!((alerts_before, alerts, failures(&receiver)), (0, 1, Some(2)));
}

/// Guards I8.
#[tokio::test]
async fn a_handler_that_refuses_its_settings_is_stopped_until_they_change() {
    let receiver = Receiver::start().await;
    let settings = "config = { alert_after = 0 }";
    let gateway = Setup::stripe()
        .endpoint("crm", &receiver, &["customer.*"])
        .table(&format!("[handlers.dunning]\nendpoints = [\"crm\"]\n{settings}"))
        .start()
        .await;

    gateway.drop_plugin("dunning", &built("dunning"));
    reload(&gateway, "dunning", "loaded").await;
    let stopped = gateway.plugin("dunning").await["stopped"].clone();
    gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.accepted();
    gateway.settle().await;
    let run = run_of(&gateway.event("evt_1").await, "dunning");
    let waiting = gateway.plugin("dunning").await["waiting"].clone();
    gateway.reconfigure(|config| config.replace(settings, "")).await;
    check_loaded(&gateway, "dunning", &built("dunning")).await;
    gateway.settle().await;

    let reason = "plugin dunning refuses the config of [handlers.dunning]: `alert_after` must be \
                  a whole number from 1 to 1000";
    assert_eq!(stopped, json!([reason]));
    assert_eq!((stands(&run), waiting), (("pending", 0), json!(1)), "it waits, untried");
    assert_eq!(gateway.plugin("dunning").await["stopped"], json!([]));
    assert_eq!(receiver.received().len(), 1, "nothing is lost");
}

/// Guards I9.
#[tokio::test]
async fn a_broken_configuration_changes_nothing_and_says_where() {
    let receiver = Receiver::start().await;
    let gateway = with_dunning(&receiver).await;
    let path = gateway.folder().join("hookgate.toml");
    let whole = std::fs::read_to_string(&path).unwrap();

    let breaks = [
        ("[endpoints.crm]\nurl", "[endpoints.crm]\nuri", "unknown key `uri`"),
        ("endpoints = [\"crm\"]", "endpoints = [\"c rm\"]", "`endpoints` must be a name"),
        ("[sources.stripe]", "[sources.stripe", ""),
        ("plugin = \"stripe\"", "plugin = \"stripe\" verify = 1", ""),
    ];
    for (from, to, why) in breaks {
        assert!(whole.contains(from), "{whole}");
        gateway.rewrite_config(|_| whole.replace(from, to));
        let config = gateway.reload().await["config"].clone();

        assert_eq!(config["outcome"], "kept");
        let at = whole.find(from).unwrap();
        let changed = from.bytes().zip(to.bytes()).take_while(|(old, new)| old == new).count();
        let line = whole[..at + changed].matches('\n').count() + 1;
        let reason = text(&config["reason"]);
        assert!(reason.contains(&format!("hookgate.toml:{line}:")), "line {line}? {reason}");
        assert!(reason.contains(why), "{reason}");
    }
    std::fs::remove_file(&path).unwrap();
    let gone = gateway.reload().await["config"].clone();
    fail(&gateway, "evt_1").await;

    assert_eq!(gone["outcome"], "kept");
    assert!(text(&gone["reason"]).contains("failed to read the configuration"), "{gone}");
    assert_eq!(failures(&receiver), Some(1));
}

#[tokio::test]
async fn endpoints_grants_and_sources_change_without_a_restart() {
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let gateway = Setup::stripe()
        .endpoint("crm", &old, &["customer.*"])
        .handler("dunning", "endpoints = []")
        .start()
        .await;

    fail(&gateway, "evt_1").await;
    let without_grant = old.received().len();
    gateway.reconfigure(|config| config.replace("endpoints = []", "endpoints = [\"crm\"]")).await;
    fail(&gateway, "evt_2").await;
    let with_grant = old.received().len();
    gateway.reconfigure(|config| config.replace(old.url(), new.url())).await;
    fail(&gateway, "evt_3").await;
    gateway.reconfigure(|config| config.replace("[sources.stripe]", "[sources.billing]")).await;

    assert_eq!((without_grant, with_grant), (0, 1));
    assert_eq!((old.received().len(), new.received().len()), (1, 1));
    let gone = gateway.stripe(&payment("evt_4", "pi_1", FAILED)).await;
    assert_eq!(gone.status, 404);
    let unsigned = gateway.post("billing", &[], "{}").await;
    assert_eq!(unsigned.status, 401);
}

#[tokio::test]
async fn another_retention_applies_without_a_restart() {
    let gateway = Setup::stripe().start().await;
    let id = gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.accepted();
    gateway.settle().await;
    // A sweep leaves alone what a start would read, and after an orderly stop that is nothing.
    let gateway = gateway.restart().await;

    gateway.reconfigure(|config| config + "\n[retention]\nbodies = \"1h\"\n").await;
    gateway.advance(Duration::from_secs(2 * 60 * 60)).await;
    let now = gateway.clock().now().seconds();
    let swept = format!("hookgate_last_sweep_timestamp_seconds {now}");
    while !gateway.ask("/metrics").await.body.contains(&swept) {}

    assert_eq!(gateway.receipt(&id).await["body_expired"], true);
}

/// Guards I3.
#[tokio::test]
async fn another_term_of_duplicates_applies_without_a_restart() {
    /// As many as it takes for an id to be written to the file, and for one to go from there.
    const POSTS: usize = 60;
    let gateway = Setup::stripe().start().await;
    let longer = "[sources.stripe]\nduplicates = \"90d\"";
    gateway.reconfigure(|config| config.replace("[sources.stripe]", longer)).await;
    gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.accepted();

    for days in [2, 45] {
        gateway.advance(Duration::from_secs(days * 24 * 60 * 60)).await;
        for number in 0..POSTS {
            let event = payment(&format!("evt_{days}_{number}"), "pi_1", FAILED);
            gateway.stripe(&event).await.accepted();
        }
        gateway.settle().await;
    }

    assert!(gateway.stripe(&payment("evt_1", "pi_1", FAILED)).await.is_duplicate());
}

#[tokio::test]
async fn a_new_plugin_is_noticed_without_being_told() {
    let receiver = Receiver::start().await;
    let (gateway, ..) = unparsed(&receiver, "").await;

    gateway.drop_plugin("stripe", &built("stripe"));

    // The receipt that was dead is parsed by the new plugin, and so its event arrives.
    receiver.arrived(1).await;
    check_loaded(&gateway, "stripe", &built("stripe")).await;
}

#[tokio::test]
async fn a_changed_configuration_is_noticed_without_being_told() {
    let receiver = Receiver::start().await;
    // Fine for the guest, and not for Stripe's plugin.
    let settings = "config = { mode = \"live\" }";
    let (gateway, ..) = unparsed(&receiver, settings).await;
    gateway.drop_plugin("stripe", &built("stripe"));
    reload(&gateway, "stripe", "kept").await;
    check_refused(&gateway, "stripe", "refuses the config of [sources.stripe]").await;

    gateway.rewrite_config(|config| config.replace(settings, ""));

    receiver.arrived(1).await;
    check_loaded(&gateway, "stripe", &built("stripe")).await;
}
